"""Counts of articles and of later versions by day (UTC) and source (table `day_counts`), for charts.

The transaction that stores articles changes the counts with them, so that a chart over years reads a few rows for each
day. `verify` compares them with the articles.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.upsert import upsert
from kzfeed.store.value_batches import in_batches

FIGURES = ("articles", "undated", "first_seen", "new_versions")

_article = tables.articles.c
_DATES = sa.select(_article.source_id, _article.published_at, _article.first_seen_at)

_ADD = upsert(tables.day_counts, {figure: f"day_counts.{figure} + excluded.{figure}" for figure in FIGURES})


class DayCounts:
    """The changes that one transaction makes to the day counts: collected first, then written in one statement."""

    def __init__(self) -> None:
        self._changes: defaultdict[tuple[date, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIGURES, 0))

    def count_article(
        self, source_id: int, published_at: datetime | None, first_seen_at: datetime, number: int = 1
    ) -> None:
        """Count an article by the day of its publication and the day on which `source_id` showed it first."""
        first_day = self._changes[first_seen_at.astimezone(UTC).date(), source_id]
        first_day["first_seen"] += number
        if published_at is None:
            first_day["undated"] += number
        else:
            self._changes[published_at.astimezone(UTC).date(), source_id]["articles"] += number

    def count_version(self, source_id: int, seen_at: datetime, number: int = 1) -> None:
        """Count a later version of an article by the day on which `source_id` showed it first."""
        self._changes[seen_at.astimezone(UTC).date(), source_id]["new_versions"] += number

    @contextmanager
    def changed_dates(self, connection: sa.Connection, article_ids: Collection[int]) -> Iterator[None]:
        """Count the changes that the block makes to the dates of these articles."""
        self._count_dates(connection, article_ids, -1)
        yield
        self._count_dates(connection, article_ids, 1)

    def _count_dates(self, connection: sa.Connection, article_ids: Collection[int], number: int) -> None:
        for ids in in_batches(article_ids):
            for row in connection.execute(_DATES.where(_article.id.in_(ids))):
                self.count_article(row.source_id, row.published_at, row.first_seen_at, number)

    def write(self, connection: sa.Connection) -> None:
        """Add the collected changes to the table."""
        rows = [
            {"day": day, "source_id": source_id, **figures}
            for (day, source_id), figures in sorted(self._changes.items())
            if any(figures.values())
        ]
        if rows:
            connection.execute(_ADD, rows)


# --- counts made again from the articles -----------------------------------------------------------------------------

DAY_OF = {"sqlite": "substr({}, 1, 10)", "postgresql": "CAST({} AT TIME ZONE 'UTC' AS date)"}
"""An expression for the day (UTC) of a column with an instant, for each engine."""


def _parts(dialect: str) -> str:
    """A query for the counts, in several rows for one day and source."""
    day_of = DAY_OF[dialect].format
    return f"""
SELECT {day_of("published_at")} AS day, source_id,
  count(*) AS articles, 0 AS undated, 0 AS first_seen, 0 AS new_versions
FROM articles WHERE published_at IS NOT NULL GROUP BY 1, 2
UNION ALL
SELECT {day_of("first_seen_at")}, source_id, 0, count(*) - count(published_at), count(*), 0 FROM articles GROUP BY 1, 2
UNION ALL
SELECT {day_of("revision_seen_at")}, revision_source_id, 0, 0, 0, count(*)
FROM articles WHERE revision > 1 GROUP BY 1, 2
UNION ALL
SELECT {day_of("seen_at")}, source_id, 0, 0, 0, count(*) FROM revisions WHERE revision > 1 GROUP BY 1, 2
"""  # noqa: S608 - names of ours


def recount(connection: sa.Connection) -> None:
    """Replace all counts by new ones, counted from the articles and versions."""
    connection.execute(sa.delete(tables.day_counts))
    connection.exec_driver_sql(rebuild_statement(connection.dialect.name))


def rebuild_statement(dialect: str) -> str:
    """The statement that fills an empty `day_counts` from the articles and their versions."""
    sums = ", ".join(f"sum({figure})" for figure in FIGURES)
    return (
        f"INSERT INTO day_counts (day, source_id, {', '.join(FIGURES)}) "  # noqa: S608 - names of ours
        f"SELECT day, source_id, {sums} FROM ({_parts(dialect)}) AS parts GROUP BY day, source_id"
    )


def wrong_day_counts(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """Each row of `day_counts` that contradicts the articles, with a sentence of the counts found and expected."""
    counted = ", ".join(f"sum(counted * {figure}) AS counted_{figure}" for figure in FIGURES)
    held = ", ".join(f"sum((1 - counted) * {figure}) AS held_{figure}" for figure in FIGURES)
    differs = " OR ".join(f"sum(counted * {figure}) <> sum((1 - counted) * {figure})" for figure in FIGURES)
    names = ", ".join(FIGURES)
    query = f"""
SELECT CAST(day AS text) AS day, source_id, {counted}, {held} FROM (
  SELECT 1 AS counted, day, source_id, {names} FROM day_counts
  UNION ALL
  SELECT 0, day, source_id, {names} FROM ({_parts(connection.dialect.name)}) AS parts
) AS both_counts GROUP BY day, source_id HAVING {differs} ORDER BY day, source_id
"""  # noqa: S608 - names of ours
    for row in connection.execution_options(yield_per=1000).exec_driver_sql(query):
        values: dict[str, Any] = dict(row._mapping)
        wrong = [name for name in FIGURES if values[f"counted_{name}"] != values[f"held_{name}"]]
        said = ", ".join(f"{name} is {values[f'counted_{name}']}: expected {values[f'held_{name}']}" for name in wrong)
        yield f"day_counts day={row.day} source_id={row.source_id}", said
