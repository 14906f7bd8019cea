"""Corrections of the times at which sources are due: after a start, an outage of this machine, a jump of the clock."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queue.source_conditions import is_due, is_valid_claim
from kzfeed.store.value_batches import in_batches

MAX_SPREAD = 20_000

_source, _claim = tables.sources.c, tables.claims.c
_SPREAD = (_source.id, _source.name, _source.every_seconds)
"""What the times of sources that are spread depend on."""

Spread = Callable[[str, timedelta, int, datetime], datetime]
"""Chooses the poll time of one of several sources that are due at once, from its name, its interval, their number, and
the present time."""


def spread_due(database: Database, spread: Spread, now: datetime) -> None:
    """Delay unclaimed sources that are due together, each until the time that `spread` chooses.

    More than `MAX_SPREAD` are polled as fast as they can be, which takes minutes or hours and so spreads them, too.
    """
    with database.write() as connection:
        spread_due_in(connection, spread, now)


def bring_forward(database: Database, spread: Spread, now: datetime, *, min_interval: timedelta) -> None:
    """Poll soon, at spread times, the sources whose last poll failed because this machine had no connection.

    None is polled within `min_interval` of its last poll: the fault may be that of one host, whose name servers fail.
    """
    is_waiting = sa.and_(_source.last_error_kind == "offline", _source.next_poll_at > now)
    with database.write() as connection:
        waiting = sa.select(*_SPREAD, _source.last_polled_at)
        rows = connection.execute(waiting.where(is_waiting, _source.enabled, _is_unclaimed(now))).all()
        planned = zip(rows, _spread_times(rows, spread, now), strict=True)
        times = [
            {"source_id": row.id, "at": max(at, row.last_polled_at + min_interval) if row.last_polled_at else at}
            for row, at in planned
        ]
        if times:
            values = {"next_poll_at": sa.bindparam("at"), "next_poll_reason": "this machine has a connection again"}
            # A source that would be polled earlier anyway keeps its time.
            update = sa.update(tables.sources).where(
                _source.id == sa.bindparam("source_id"), _source.next_poll_at > sa.bindparam("at")
            )
            connection.execute(update.values(values), times)


def take_back_failures(database: Database, source_ids: Collection[int]) -> None:
    """Take back the last failure of these sources: this machine had no connection. `bring_forward` finds them then.

    Those that the failure has retired are polled again after an interval.
    """
    has_failed = sa.and_(_source.failure_count > 0, _source.last_error_kind != "offline")
    retired = sa.select(_source.id, _source.last_polled_at, _source.every_seconds).where(_source.status == "gone")
    without_failure = {
        "failing_since": sa.case((_source.failure_count == 1, None), else_=_source.failing_since),
        "failure_count": _source.failure_count - 1,
        "last_error_kind": "offline",
        "last_error": "as all hosts do: " + _source.last_error_kind + ": " + _source.last_error,
    }
    unretired: dict[str, Any] = {
        "status": "failing",
        "gone_at": None,
        "next_poll_at": sa.bindparam("at"),
        "next_poll_reason": "not gone: other hosts said so too",
    }
    with database.write() as connection:
        for ids in in_batches(source_ids):
            again = [
                {"source_id": row.id, "at": row.last_polled_at + timedelta(seconds=row.every_seconds)}
                for row in connection.execute(retired.where(_source.id.in_(ids), has_failed))
            ]
            if again:
                update = sa.update(tables.sources).where(_source.id == sa.bindparam("source_id"))
                connection.execute(update.values(unretired), again)
            connection.execute(sa.update(tables.sources).where(_source.id.in_(ids), has_failed).values(without_failure))


def spread_due_in(connection: sa.Connection, spread: Spread, now: datetime) -> None:
    """`spread_due` within a transaction."""
    query = sa.select(*_SPREAD).where(is_due(_source, now), _is_unclaimed(now)).limit(MAX_SPREAD + 1)
    due = connection.execute(query).all()
    if len(due) > MAX_SPREAD:
        return
    times = zip(due, _spread_times(due, spread, now), strict=True)
    delayed = [{"source_id": row.id, "at": at} for row, at in times if at > now]
    if delayed:
        update = sa.update(tables.sources).where(_source.id == sa.bindparam("source_id"))
        connection.execute(update.values(next_poll_at=sa.bindparam("at")), delayed)


def _is_unclaimed(now: datetime) -> sa.ColumnElement[bool]:
    return _source.id.not_in(sa.select(_claim.source_id).where(is_valid_claim(_claim.claimed_until, now)))


def _spread_times(rows: Sequence[Any], spread: Spread, now: datetime) -> list[datetime]:
    return [spread(row.name, timedelta(seconds=row.every_seconds), len(rows), now) for row in rows]


def move_schedule_back(database: Database, now: datetime, *, tolerance: timedelta) -> timedelta:
    """Move all planned times back by as much as the clock went back, and return by how much that is.

    The clock went back if a poll is recorded at a time later than `now`. Less than `tolerance` counts as nothing. If
    planned times stayed, every poll would come late by the length of the jump.
    """
    with database.write() as connection:
        latest = connection.execute(sa.select(sa.func.max(_source.last_polled_at))).scalar()
        by: timedelta = latest - now if latest else timedelta()
        if by <= tolerance:
            return timedelta()
        _move_back(connection, _source.id, ["next_poll_at", "not_before", "last_polled_at"], by)
        _move_back(connection, _claim.source_id, ["claimed_until"], by)
        _move_back(connection, tables.hosts.c.host, ["paused_until"], by)
        page = tables.page_fetches.c
        _move_back(connection, page.article_id, ["next_try_at"], by, page.next_try_at > now)
    return by


def _move_back(
    connection: sa.Connection, key: sa.Column[Any], names: Sequence[str], by: timedelta, *of: sa.ColumnElement[bool]
) -> None:
    table = key.table
    query = sa.select(key.label("row_key"), *(table.c[name] for name in names)).where(*of)
    rows = connection.execute(query).all()
    moved = [
        {"row_key": row.row_key} | {name: when and when - by for name, when in zip(names, row[1:], strict=True)}
        for row in rows
    ]
    if moved:
        connection.execute(sa.update(table).where(key == sa.bindparam("row_key")), moved)
