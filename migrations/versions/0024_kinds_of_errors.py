"""The kind of a stored error in a column of its own, and reasons of polls without numbers in them.

Revision 0024, after 0023.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

_COLUMNS = {
    "sources": ("last_error_kind", "last_error"),
    "page_fetches": ("error_kind", "error"),
    "robots_txt": ("error_kind", "error"),
}
_KINDS = (
    *("timeout", "dns", "offline", "connect", "tls", "forbidden-address", "bad-redirect", "bad-response", "too-large"),
    *("bad-encoding", "http-status", "gone", "unexpected-status", "challenge", "empty", "not-a-feed", "parse"),
    *("robots", "no-article", "database", "internal"),
)
_KIND_AND_WORDS = {
    "sqlite": ("substr({error}, 1, instr({error}, ': ') - 1)", "substr({error}, instr({error}, ': ') + 2)"),
    "postgresql": ("split_part({error}, ': ', 1)", "substr({error}, strpos({error}, ': ') + 2)"),
}
_AGO = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{days} days')",
    "postgresql": "now() - interval '{days} days'",
}
_PUT_OFF = "put off by the feed''s skipHours or skipDays"
# Roles that may read a view, and those that may read one column of a table; the owner is left out.
_GRANTEE = "CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
_READERS_OF_VIEW = f"""
SELECT DISTINCT {_GRANTEE} FROM pg_class, aclexplode(relacl)
WHERE pg_class.oid = 'source_health'::regclass AND privilege_type = 'SELECT' AND grantee <> relowner
"""
_READERS_OF_COLUMN = f"""
SELECT DISTINCT {_GRANTEE} FROM pg_attribute, aclexplode(attacl)
WHERE attrelid = 'sources'::regclass AND attname = 'last_error' AND privilege_type = 'SELECT'
"""


def upgrade() -> None:
    kinds = ", ".join(f"'{kind}'" for kind in _KINDS)
    for table, (kind, error) in _COLUMNS.items():
        op.add_column(table, sa.Column(kind, sa.Text))
        begins_with, words = (each.format(error=error) for each in _KIND_AND_WORDS[op.get_bind().dialect.name])
        op.execute(
            f"UPDATE {table} SET {kind} = {begins_with}, {error} = {words} "
            f"WHERE {error} LIKE '%: %' AND {begins_with} IN ({kinds})"
        )
    op.execute(f"UPDATE sources SET next_poll_reason = '{_PUT_OFF}' WHERE next_poll_reason LIKE '%, {_PUT_OFF}'")
    op.execute(
        "UPDATE sources SET next_poll_reason = 'back-off after failures' "
        "WHERE next_poll_reason LIKE 'back-off after % failures'"
    )
    _replace_source_health("s.last_error_kind, s.last_error,\n  s.flaw,")
    for reader in _readers(_READERS_OF_COLUMN):
        op.execute(f"GRANT SELECT (last_error_kind) ON sources TO {reader}")


def downgrade() -> None:
    _replace_source_health("s.last_error, s.flaw,")
    op.execute(
        "UPDATE sources SET next_poll_reason = 'back-off after ' || failure_count || ' failures' "
        "WHERE next_poll_reason = 'back-off after failures'"
    )
    for table, (kind, error) in _COLUMNS.items():
        op.execute(f"UPDATE {table} SET {error} = {kind} || ': ' || {error} WHERE {kind} IS NOT NULL")
        op.drop_column(table, kind)


def _replace_source_health(columns: str) -> None:
    readers = _readers(_READERS_OF_VIEW)
    ago = _AGO[op.get_bind().dialect.name]
    carried = "(SELECT count(g.source_id) FROM sightings AS g WHERE g.source_id = s.id"
    day_ago, week_ago = ago.format(days=1), ago.format(days=7)
    op.execute("DROP VIEW source_health")
    op.get_bind().exec_driver_sql(
        f"""CREATE VIEW source_health AS
SELECT s.id, s.name, s.status, s.last_success_at, s.failure_count, {columns} s.next_poll_at,
  {carried}) AS articles,
  {carried} AND g.first_seen_at >= {day_ago}) AS articles_24h,
  {carried} AND g.first_seen_at >= {week_ago}) AS articles_7d,
  (SELECT count(p.source_id) FROM gaps AS p WHERE p.source_id = s.id) AS gaps
FROM sources AS s"""
    )
    for reader in readers:
        op.execute(f"GRANT SELECT ON source_health TO {reader}")


def _readers(query: str) -> Sequence[str]:
    bind = op.get_bind()
    return bind.exec_driver_sql(query).scalars().all() if bind.dialect.name == "postgresql" else []
