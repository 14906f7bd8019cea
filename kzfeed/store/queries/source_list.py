"""Queries for sources: lists of them with states and figures, and the last polls and former addresses of one."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.hosts import host_of
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.statistics import Period, sources_by_status
from kzfeed.store.queue.source_conditions import is_polled
from kzfeed.text import failure_text

_address, _count, _gap, _source = tables.source_addresses.c, tables.day_counts.c, tables.gaps.c, tables.sources.c
_BACKFILLED = "backfilled"
_status: sa.ColumnElement[str] = sa.case((_source.host.is_(None), _BACKFILLED), else_=_source.status)
# By an index: the newest time of a source is the end of its range.
_NEWEST = (
    sa.select(sa.func.max(tables.sightings.c.first_seen_at))
    .where(tables.sightings.c.source_id == _source.id)
    .scalar_subquery()
    .label("last_article_at")
)
# The row of a source that is not polled keeps the time for its return.
_NEXT_POLL = sa.case((sa.and_(is_polled(_source), _source.host.is_not(None)), _source.next_poll_at))
_HEALTH = sa.table(
    "source_health",
    sa.column("name", sa.Text()),
    sa.column("status", sa.Text()),
    sa.column("last_success_at", tables.Instant()),
    sa.column("failure_count", sa.Integer()),
    sa.column("last_error_kind", sa.Text()),
    sa.column("last_error", sa.Text()),
    sa.column("flaw", sa.Text()),
    sa.column("articles", sa.Integer()),
    sa.column("articles_24h", sa.Integer()),
    sa.column("articles_7d", sa.Integer()),
    sa.column("gaps", sa.Integer()),
)


LAST_POLLS = 10
"""How many polls `last_polls` gives."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source in the list. `status` is `backfilled` if it has no address, `next_poll_at` None if it is not polled.

    `articles_in_period` counts those that it showed first in the period that the list was asked for, `gaps_in_period`
    its gaps that were noticed in it.
    """

    id: int
    name: str
    title: str | None
    host: str | None
    site_url: str | None
    enabled: bool
    status: str
    last_success_at: datetime | None
    failing_since: datetime | None
    failure_count: int
    last_error_kind: str | None
    last_error: str | None
    flaw: str | None
    next_poll_at: datetime | None
    last_article_at: datetime | None
    articles_in_period: int
    gaps_in_period: int

    @property
    def failure(self) -> str | None:
        """The last failure in one line; None if there is none."""
        return failure_text(self.last_error_kind, self.last_error) if self.last_error else None


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """A host where a source was, since when, until when, and why; the host is None if this reader may not know it."""

    host: str | None
    from_at: datetime
    to_at: datetime | None
    reason: str


def source_names(database: Database, limit: int | None = None) -> list[str]:
    """The names of all sources, or the first of them, in order."""
    with database.read() as connection:
        return list(connection.execute(sa.select(_source.name).order_by(_source.name).limit(limit)).scalars())


def has_source(database: Database, name: str) -> bool:
    """Whether there is a source with this name."""
    with database.read() as connection:
        return connection.execute(sa.select(_source.id).where(_source.name == name)).first() is not None


def last_polls(database: Database, source_id: int) -> list[dict[str, Any]]:
    """The last polls of a source, the latest first, with the columns of `polls`."""
    poll = tables.polls.c
    query = sa.select(*(column for column in poll if column.name not in ("id", "source_id")))
    query = query.where(poll.source_id == source_id).order_by(poll.started_at.desc(), poll.id.desc()).limit(LAST_POLLS)
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def status_counts(database: Database) -> dict[str, int]:
    """How many sources have each status, as `sources_page` names it."""
    with database.read() as connection:
        return sources_by_status(connection)


def sources_page(
    database: Database, period: Period, *, after: str | None = None, status: str | None = None, limit: int
) -> list[SourceLine]:
    """The next sources after the one of this name, in the order of names; with `status`, only those that have it."""
    query = _LINES.order_by(_source.name).limit(limit)
    if after is not None:
        query = query.where(_source.name > after)
    if status is not None:
        query = query.where(_status == status)
    return _lines(database, query, period)


def source_line(database: Database, name: str, period: Period) -> SourceLine | None:
    """The source of this name as it is in the list; None if there is none."""
    return next(iter(_lines(database, _LINES.where(_source.name == name), period)), None)


_LINES = sa.select(
    *(_source[name] for name in ("id", "name", "title", "host", "site_url", "enabled", "last_success_at")),
    *(_source[name] for name in ("failing_since", "failure_count", "last_error_kind", "last_error", "flaw")),
    _status.label("status"),
    _NEXT_POLL.label("next_poll_at"),
    _NEWEST,
)


def _lines(database: Database, query: sa.Select[Any], period: Period) -> list[SourceLine]:
    with database.read() as connection:
        rows = connection.execute(query).all()
        ids = [row.id for row in rows]
        is_in_period = _count.day.between(period.first, period.last)
        counts = sa.select(_count.source_id, sa.func.sum(_count.first_seen)).group_by(_count.source_id)
        gaps = sa.select(_gap.source_id, sa.func.count()).group_by(_gap.source_id)
        in_period = _numbers(connection, counts.where(is_in_period), ids)
        noticed = _numbers(connection, gaps.where(period.includes(_gap.noticed_at)), ids)
    return [
        SourceLine(
            **row._mapping,
            articles_in_period=in_period[row.id],
            gaps_in_period=noticed[row.id],
        )
        for row in rows
    ]


def source_health(database: Database) -> list[dict[str, Any]]:
    """The view `source_health` with each source's addresses and title, in the order of names.

    `last_article_at` is the last time that an article appeared for the first time. A source that is not polled has no
    next poll here.
    """
    columns = (_source.url, _source.configured_url, _source.title, _source.enabled)
    query = sa.select(_HEALTH, _NEXT_POLL.label("next_poll_at"), *columns, _NEWEST)
    of_source = _HEALTH.c.name == _source.name
    with database.read() as connection:
        rows = connection.execute(query.join_from(_HEALTH, tables.sources, of_source).order_by(_HEALTH.c.name))
        return [dict(row._mapping) for row in rows]


def article_count(database: Database, source_id: int) -> int:
    """How many articles a source showed first, since the archive began."""
    query = sa.select(sa.func.sum(_count.first_seen)).where(_count.source_id == source_id)
    with database.read() as connection:
        return int(connection.execute(query).scalar() or 0)


def _numbers(connection: sa.Connection, counts: sa.Select[Any], source_ids: Collection[int]) -> Counter[int]:
    of_sources = counts.where(counts.selected_columns.source_id.in_(source_ids))
    return Counter({row[0]: int(row[1]) for row in connection.execute(of_sources)})


def addresses(database: Database, source_id: int) -> Sequence[SourceAddress]:
    """The hosts where a source was, the latest first. Whole addresses are secret, because they may hold a token."""
    with database.read() as connection:
        columns: list[Any] = [_address.from_at, _address.to_at, _address.reason]
        if may_read := _may_read_addresses(connection):
            columns.append(_address.url)
        query = sa.select(*columns).where(_address.source_id == source_id)
        rows = connection.execute(query.order_by(_address.from_at.desc(), _address.id.desc())).all()
    return [SourceAddress(host_of(row.url) if may_read else None, row.from_at, row.to_at, row.reason) for row in rows]


def _may_read_addresses(connection: sa.Connection) -> bool:
    if connection.dialect.name == "sqlite":
        return True
    query = "SELECT has_column_privilege('source_addresses', 'url', 'SELECT')"
    return bool(connection.exec_driver_sql(query).scalar_one())
