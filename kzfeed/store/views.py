"""Views of the database, the same on SQLite and PostgreSQL. People query them: docs/database.md."""

ARTICLE_LIST = """
SELECT a.id, a.url_hash, s.name AS source, a.title, a.url, a.published_at, a.first_seen_at, a.revision
FROM articles AS a JOIN sources AS s ON s.id = a.source_id
"""

SOURCE_HEALTH = """
SELECT s.id, s.name, s.status, s.last_success_at, s.failure_count, s.last_error_kind, s.last_error,
  s.flaw, s.next_poll_at,
  {carried}) AS articles,
  {carried} AND g.first_seen_at >= {day_ago}) AS articles_24h,
  {carried} AND g.first_seen_at >= {week_ago}) AS articles_7d,
  (SELECT count(p.source_id) FROM gaps AS p WHERE p.source_id = s.id) AS gaps
FROM sources AS s
"""

# Not count(*), which DuckDB writes as count_star() when it hands a view back to SQLite.
_CARRIED = "(SELECT count(g.source_id) FROM sightings AS g WHERE g.source_id = s.id"

_AGO = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{days} days')",
    "postgresql": "now() - interval '{days} days'",
}


def selects(dialect: str) -> dict[str, str]:
    """The SELECT statement of each view, by name, for `sqlite` or `postgresql`."""
    ago = _AGO[dialect]
    health = SOURCE_HEALTH.format(carried=_CARRIED, day_ago=ago.format(days=1), week_ago=ago.format(days=7))
    return {"article_list": ARTICLE_LIST.strip(), "source_health": health.strip()}
