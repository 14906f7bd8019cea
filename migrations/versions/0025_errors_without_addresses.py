"""Errors of polls without the paths of addresses on PostgreSQL, where roles may read that must not read addresses.

Revision 0025, after 0024.
"""

from alembic import op

revision = "0025"
down_revision = "0024"

_ADDRESS_BEFORE_WORDS = r"(https?://[^\s/?#]+)[/?#]\S*:(?=\s)"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, error in (("polls", "error"), ("sources", "last_error")):
        op.get_bind().exec_driver_sql(
            f"UPDATE {table} SET {error} = regexp_replace({error}, %s, '\\1:', 'g') WHERE {error} ~ %s",
            (_ADDRESS_BEFORE_WORDS, _ADDRESS_BEFORE_WORDS),
        )


def downgrade() -> None:
    """Nothing: the addresses are in `sources`."""
