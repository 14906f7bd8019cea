"""Filters of sources, how many articles they left out of each poll, the entries left out of the last windows, and the
duration of media.

Revision 0015, after 0016.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0016"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("sources", sa.Column("filters", sa.Text))
    op.add_column("polls", sa.Column("filtered", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "filtered_entries",
        sa.Column("source_id", Id, sa.ForeignKey("sources.id", name="fk_filtered_entries_source_id"), nullable=False),
        sa.Column("url_hash", sa.Text, nullable=False),
        sa.Column("published_at", Instant),
        sa.Column("guid", sa.Text),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "url_hash", name="pk_filtered_entries"),
    )

    op.add_column("media", sa.Column("duration_seconds", sa.Double))


def downgrade() -> None:
    op.drop_column("media", "duration_seconds")
    # Their entries may be stored from now on: the next poll reads whole documents.
    op.execute("UPDATE sources SET ask_in_full = TRUE, body_hash = NULL WHERE filters IS NOT NULL")
    op.drop_table("filtered_entries")
    op.drop_column("polls", "filtered")
    op.drop_column("sources", "filters")
