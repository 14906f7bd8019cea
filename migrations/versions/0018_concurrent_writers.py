"""Row counts in several rows for each table, so that concurrent writers of PostgreSQL do not wait for each other.

Revision 0018, after 0021.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0021"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("row_counts", sa.Column("slot", sa.Integer, nullable=False, server_default="0"))
        op.drop_constraint("pk_row_counts", "row_counts")
        op.create_primary_key("pk_row_counts", "row_counts", ["table_name", "slot"])
    else:
        _make_again([sa.Column("slot", sa.Integer, nullable=False, server_default="0")], ["table_name", "slot"])


def downgrade() -> None:
    _make_again([], ["table_name"])


def _make_again(columns: list[sa.Column[int]], key: list[str]) -> None:
    """Replace the table by one with these columns beside its own, and the sums of its counts."""
    sums = "SELECT table_name, CAST(sum(row_count) AS bigint) AS row_count FROM row_counts GROUP BY table_name"
    counts = [row._asdict() for row in op.get_bind().exec_driver_sql(sums)]
    op.drop_table("row_counts")
    table = op.create_table(
        "row_counts",
        sa.Column("table_name", sa.Text, nullable=False),
        *columns,
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_row_counts"),
    )
    op.bulk_insert(table, counts)
