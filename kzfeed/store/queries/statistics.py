"""Figures of the archive and of a period for `kzfeed stats`.

They come from counts that the database keeps (`row_counts`, `day_counts`) and from indexes, so that they cost the same
however many articles there are.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kzfeed.model.polls import PollOutcome
from kzfeed.store import tables
from kzfeed.store.day_counts import FIGURES
from kzfeed.store.engine import Database
from kzfeed.store.row_counts import row_counts
from kzfeed.store.search import sqlite_schema

_article, _source, _poll, _gap = tables.articles.c, tables.sources.c, tables.polls.c, tables.gaps.c
_day = tables.poll_days.c
_count = tables.day_counts.c
_OUTCOMES: tuple[PollOutcome, ...] = ("new", "unchanged", "not-modified", "failed")
_SUMS = [sa.func.sum(_count[figure]).label(figure) for figure in FIGURES]


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days (UTC), `first` and `last` among them."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def begin(self) -> datetime:
        """The beginning of the first day."""
        return datetime.combine(self.first, time(), UTC)

    def includes(self, when: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
        """Whether a time is in the period."""
        last_instant = datetime.combine(self.last, time.max, UTC)
        return sa.and_(when >= self.begin, when <= last_instant)


def statistics(database: Database, period: Period) -> dict[str, Any]:
    """The figures, as `kzfeed stats --json` prints them: of the whole archive first, then of the period."""
    with database.read() as connection:
        return {
            "period": {"first_day": period.first, "last_day": period.last},
            **_totals(connection),
            "sources_by_status": sources_by_status(connection),
            "database_bytes": database_size(database, connection),
            "search_index_bytes": search_index_size(database, connection),
            **_counts(connection, period),
            **_polls(connection, period),
            "gaps_by_source": _gaps(connection, period),
        }


def _totals(connection: sa.Connection) -> dict[str, Any]:
    """Rows by table, articles without a date, first and last publication."""
    counted = row_counts(connection)
    undated = sa.select(sa.func.count()).select_from(tables.articles).where(_article.published_at.is_(None))
    # One query each, because SQLite looks up only a single end of an index.
    ends = {
        name: connection.execute(sa.select(end(_article.published_at))).scalar()
        for name, end in (("first_published_at", sa.func.min), ("last_published_at", sa.func.max))
    }
    names = ("articles", "revisions", "sources", "polls", "media", "gaps")
    summed_polls = connection.execute(sa.select(sa.func.sum(tables.poll_days.c.polls))).scalar()
    counted["polls"] = counted.get("polls", 0) + int(summed_polls or 0)
    return {
        **{name: counted.get(name, 0) for name in names},
        "undated": connection.execute(undated).scalar_one(),
        **ends,
    }


def sources_by_status(connection: sa.Connection) -> dict[str, int]:
    """The number of sources of each status; `backfilled` are those that have no address to poll."""
    # Counted by host, not by address, which some readers of the database may not see.
    query = sa.select(_source.status, _source.host.is_(None).label("has_no_host"), sa.func.count())
    found: Counter[str] = Counter()
    for status, has_no_host, number in connection.execute(query.group_by(_source.status, _source.host.is_(None))):
        found["backfilled" if has_no_host else status] += number
    return dict(found)


def _counts(connection: sa.Connection, period: Period) -> dict[str, Any]:
    """The day counts of the period: in all, by day, and by source."""
    is_in_period = _count.day.between(period.first, period.last)
    by_day = sa.select(_count.day, *_SUMS).where(is_in_period).group_by(_count.day).order_by(_count.day)
    sums = sa.select(_count.source_id, *_SUMS).where(is_in_period).group_by(_count.source_id).subquery()
    by_source = sa.select(_source.name.label("source"), *(sums.c[figure] for figure in FIGURES)).join_from(
        sums, tables.sources, _source.id == sums.c.source_id
    )
    # Counts may be 0 after a correction of dates.
    days = [dict(row._mapping) for row in connection.execute(by_day) if any(row[1:])]
    sources = [dict(row._mapping) for row in connection.execute(by_source) if any(row[1:])]
    sources.sort(key=lambda row: (-row["articles"], -row["first_seen"], row["source"]))
    return {
        "in_period": {figure: sum(day[figure] for day in days) for figure in FIGURES},
        "by_day": days,
        "by_source": sources,
    }


def _polls(connection: sa.Connection, period: Period) -> dict[str, Any]:
    """The polls of the period by outcome, the last one of each source too, and those that failed or had a flaw."""
    is_in_period = period.includes(_poll.started_at)
    counted = sa.select(_poll.outcome, sa.func.count()).where(_poll.outcome.in_(_OUTCOMES), is_in_period)
    last = (
        sa.select(_poll.outcome)
        .where(_poll.source_id == _source.id, is_in_period)
        .order_by(_poll.started_at.desc(), _poll.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    last_outcomes = sa.select(last.label("outcome")).select_from(tables.sources).subquery()
    last_counted = sa.select(last_outcomes.c.outcome, sa.func.count()).where(last_outcomes.c.outcome.is_not(None))
    by_outcome = Counter(_pairs(connection, counted.group_by(_poll.outcome))) + _summed_polls(connection, period)
    return {
        "polls_by_outcome": {outcome: by_outcome[outcome] for outcome in _OUTCOMES if outcome in by_outcome},
        "last_polls_by_outcome": _pairs(connection, last_counted.group_by(last_outcomes.c.outcome)),
        "failures_by_source": _latest(connection, sa.and_(_poll.outcome == "failed", is_in_period)),
        "flaws_by_source": _latest(connection, sa.and_(_poll.flaw.is_not(None), is_in_period)),
    }


def _summed_polls(connection: sa.Connection, period: Period) -> Counter[str]:
    """The polls of the period, by outcome, whose rows were summed up."""
    sums = (sa.func.sum(_day.polls), sa.func.sum(_day.with_news), sa.func.sum(_day.not_modified))
    row = connection.execute(sa.select(*sums).where(_day.day.between(period.first, period.last))).one()
    polls, with_news, not_modified = (int(number or 0) for number in row)
    return Counter({"new": with_news, "unchanged": polls - with_news - not_modified, "not-modified": not_modified})


def _pairs(connection: sa.Connection, query: sa.Select[str, int]) -> dict[str, int]:
    found = {row[0]: row[1] for row in connection.execute(query)}
    return {outcome: found[outcome] for outcome in _OUTCOMES if outcome in found}


def _latest(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """For each source with such polls, how many they are, and what the last one of them says."""
    polls = sa.select(_poll.source_id, sa.func.count().label("polls"), sa.func.max(_poll.id).label("last_id"))
    found = polls.where(condition).group_by(_poll.source_id).subquery()
    query = (
        sa.select(
            *(_source.name.label("source"), found.c.polls, _poll.started_at.label("last_at")),
            *(_poll.error_kind, _poll.error, _poll.flaw),
        )
        .join_from(found, tables.sources, _source.id == found.c.source_id)
        .join(tables.polls, _poll.id == found.c.last_id)
        .order_by(found.c.polls.desc(), _source.name)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def _gaps(connection: sa.Connection, period: Period) -> list[dict[str, Any]]:
    number = sa.func.count().label("gaps")
    query = sa.select(_source.name.label("source"), number).join_from(
        tables.gaps, tables.sources, _source.id == _gap.source_id
    )
    found = query.where(period.includes(_gap.noticed_at)).group_by(_source.name).order_by(number.desc(), _source.name)
    return [dict(row._mapping) for row in connection.execute(found)]


# --- size ------------------------------------------------------------------------------------------------------------


def database_size(database: Database, connection: sa.Connection) -> int:
    """Bytes of the database; with PostgreSQL the search index is part of it."""
    if database.file:
        return _file_size(database.file)
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def search_index_size(database: Database, connection: sa.Connection) -> int | None:
    """Bytes of the search index; None if there is none."""
    if database.file:
        file = sqlite_schema.file_of(database.file)
        return _file_size(file) if file.exists() else None
    size: int | None = connection.exec_driver_sql("SELECT pg_total_relation_size(to_regclass('search_docs'))").scalar()
    return size


def _file_size(file: Path) -> int:
    """Bytes of an SQLite file and of its write-ahead log."""
    parts = (file, file.with_name(f"{file.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())
