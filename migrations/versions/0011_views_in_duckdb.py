"""The view source_health without count(*), so that DuckDB reads it.

DuckDB hands a view that it cannot run itself back to SQLite, with count(*) written as count_star(). Revision 0011,
after 0010.
"""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    _replace_source_health(sightings="count(g.source_id)", gaps="count(p.source_id)")


def downgrade() -> None:
    _replace_source_health(sightings="count(*)", gaps="count(*)")


def _replace_source_health(*, sightings: str, gaps: str) -> None:
    ago = {
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{days} days')",
        "postgresql": "now() - interval '{days} days'",
    }[op.get_bind().dialect.name]
    carried = f"(SELECT {sightings} FROM sightings AS g WHERE g.source_id = s.id"
    day_ago, week_ago = ago.format(days=1), ago.format(days=7)
    op.execute("DROP VIEW source_health")
    op.get_bind().exec_driver_sql(
        f"""CREATE VIEW source_health AS
SELECT s.id, s.name, s.status, s.last_success_at, s.failure_count, s.last_error, s.flaw, s.next_poll_at,
  {carried}) AS articles,
  {carried} AND g.first_seen_at >= {day_ago}) AS articles_24h,
  {carried} AND g.first_seen_at >= {week_ago}) AS articles_7d,
  (SELECT {gaps} FROM gaps AS p WHERE p.source_id = s.id) AS gaps
FROM sources AS s"""
    )
