"""The table `row_counts`: how many rows kzfeed has stored in each table, so that `kzfeed verify` sees deletions.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

COUNTED = ["sources", "source_addresses", "articles", "revisions", "sightings", "media", "tags", "polls", "gaps"]


def upgrade() -> None:
    op.create_table(
        "row_counts",
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("table_name", name="pk_row_counts"),
    )
    for table in COUNTED:
        # What was deleted before this migration cannot be known any more.
        op.execute(f"INSERT INTO row_counts (table_name, row_count) SELECT '{table}', count(*) FROM {table}")


def downgrade() -> None:
    op.drop_table("row_counts")
