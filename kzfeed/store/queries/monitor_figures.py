"""Figures of a database for monitors, read again and again: none of them takes longer where there are more articles."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from kzfeed.model.polls import POLLED_STATUSES
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.statistics import database_size, search_index_size, sources_by_status
from kzfeed.store.queries.status import schedule, search_lag
from kzfeed.store.queue.source_conditions import is_polled
from kzfeed.store.row_counts import row_counts

SOURCE_KINDS = (*POLLED_STATUSES, "gone", "removed", "backfilled")
"""The kinds of sources that monitors count; `backfilled` are those that have no address to poll."""
LEAST_SILENCE = timedelta(minutes=30)
"""How long a source is without success at least before it is counted so."""
CRON_S = 86_400
"""The seconds that count as the interval of a source with a cron expression."""

_source = tables.sources.c


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures at one moment. Sizes are in bytes, lags in seconds.

    `free_bytes` is the space that is left for an SQLite file. The lag of an index that cannot be used is None.
    """

    sources: Mapping[str, int]
    flawed_sources: int
    sources_without_success: int
    due_sources: int
    schedule_lag: float
    articles: int
    gaps: int
    database_bytes: int
    search_index_bytes: int | None
    free_bytes: int | None
    unindexed_articles: int | None
    search_lag: float | None


def figures(database: Database, now: datetime) -> Figures:
    """The figures of the database. Raises DatabaseError if it cannot be read."""
    with database.read() as connection:
        rows = row_counts(connection)
        found = schedule(connection, now)
        sources = sources_by_status(connection)
        is_flawed = sa.and_(is_polled(_source), _source.flaw.is_not(None))
        flawed = connection.execute(sa.select(sa.func.count()).where(is_flawed)).scalar_one()
        without_success = _without_success(connection, now)
        database_bytes, index_bytes = database_size(database, connection), search_index_size(database, connection)
    search = search_lag(database)
    waited = max((now - search["since"]).total_seconds(), 0) if search["since"] else 0
    return Figures(
        sources={status: sources.get(status, 0) for status in SOURCE_KINDS},
        flawed_sources=flawed,
        sources_without_success=without_success,
        due_sources=found["due"],
        schedule_lag=found["lag_seconds"],
        articles=rows.get("articles", 0),
        gaps=rows.get("gaps", 0),
        database_bytes=database_bytes,
        search_index_bytes=index_bytes,
        free_bytes=_free_bytes(database),
        unindexed_articles=search["articles"],
        search_lag=None if search["error"] else waited,
    )


def _without_success(connection: sa.Connection, now: datetime) -> int:
    """How many sources fail and had no success for two intervals, or never. Back-off may make the interval longer."""
    columns = (_source.last_success_at, _source.failing_since, _source.every_seconds, _source.auto_seconds)
    failing = connection.execute(sa.select(*columns).where(is_polled(_source), _source.status == "failing"))
    return sum(
        now - since > max(2 * timedelta(seconds=row.auto_seconds or row.every_seconds or CRON_S), LEAST_SILENCE)
        for row in failing
        if (since := row.last_success_at or row.failing_since)
    )


def _free_bytes(database: Database) -> int | None:
    if database.file is None:
        return None
    found = os.statvfs(database.file)
    return found.f_bavail * found.f_frsize
