"""Sums of old polls by day, and since when the machine of a daemon has no connection.

Revision 0017, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0014"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("daemons", sa.Column("offline_since", Instant))
    op.create_table(
        "poll_days",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("source_id", Id, sa.ForeignKey("sources.id", name="fk_poll_days_source_id"), nullable=False),
        sa.Column("polls", sa.Integer, nullable=False),
        sa.Column("with_news", sa.Integer, nullable=False),
        sa.Column("not_modified", sa.Integer, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("new_articles", sa.Integer, nullable=False),
        sa.Column("revised_articles", sa.Integer, nullable=False),
        sa.Column("filtered", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("day", "source_id", name="pk_poll_days"),
    )
    op.execute("INSERT INTO row_counts (table_name, row_count) VALUES ('poll_days', 0)")


def downgrade() -> None:
    op.execute("DELETE FROM row_counts WHERE table_name = 'poll_days'")
    op.drop_table("poll_days")
    op.drop_column("daemons", "offline_since")
