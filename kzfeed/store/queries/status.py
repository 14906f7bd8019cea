"""Status of the service: whether a daemon keeps this archive up to date, and what is late or fails."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.instants import time_text
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queue.heartbeats import heartbeats, offline_since
from kzfeed.store.queue.source_conditions import is_not_asked_to_wait, is_not_paused, is_polled
from kzfeed.store.search.opening import open_index

LATE_AFTER = timedelta(minutes=15)
"""A source that has been due for longer is late."""

_source, _poll = tables.sources.c, tables.polls.c


def status(database: Database, now: datetime) -> dict[str, Any]:
    """The status as `kzfeed status --json` prints it. `healthy` is whether `problems` is empty."""
    with database.read() as connection:
        beats = heartbeats(connection)
        found: dict[str, Any] = {
            "daemons": [beat for beat in beats if not beat.is_silent(now)],
            "silent_daemons": [beat for beat in beats if beat.is_silent(now)],
            "offline_since": offline_since(beats, now),
            **schedule(connection, now),
            "last_poll": _last_poll(connection),
            **_sources(connection),
        }
    found["search"] = search_lag(database)
    problems = _problems(found, now)
    return {"healthy": not problems, "problems": problems, **found}


def short_status(database: Database) -> dict[str, Any]:
    """The last poll, how many sources are polled, and which of them fail: the parts of `status` that cost little."""
    with database.read() as connection:
        return {"last_poll": _last_poll(connection), **_sources(connection)}


def _problems(found: dict[str, Any], now: datetime) -> list[str]:
    """What keeps the archive from being up to date, in sentences."""
    problems = []
    if not found["daemons"]:
        problems.append("no daemon runs on this database: start `kzfeed run`")
    if found["offline_since"]:
        since = f"{time_text(found['offline_since'])} UTC"
        problems.append(f"no connection since {since}: only a few sources are tried, no failure counts")
    elif found["due_since"] and now - found["due_since"] > LATE_AFTER:
        minutes = round(LATE_AFTER.total_seconds() / 60)
        problems.append(f"polls are late: {found['longest_due']} has been due for more than {minutes} minutes")
    return problems


def schedule(connection: sa.Connection, now: datetime) -> dict[str, Any]:
    """What is due and may be polled: how many sources, which one for longest, since when; and what comes next."""
    may_be_polled = sa.and_(is_polled(_source), is_not_asked_to_wait(_source, now), is_not_paused(_source.host, now))
    # Not `is_due` of source_conditions, for which the engine would read all sources.
    is_due = sa.and_(_source.next_poll_at <= now, may_be_polled)
    number = connection.execute(sa.select(sa.func.count()).select_from(tables.sources).where(is_due)).scalar_one()
    by_time = sa.select(_source.name, _source.next_poll_at).order_by(_source.next_poll_at, _source.id).limit(1)
    longest = connection.execute(by_time.where(is_due)).first()
    following = connection.execute(by_time.where(is_polled(_source), _source.next_poll_at > now)).first()
    return {
        "due": number,
        "longest_due": longest and longest.name,
        "due_since": longest and longest.next_poll_at,
        "lag_seconds": round((now - longest.next_poll_at).total_seconds(), 3) if longest else 0,
        "next_poll_at": following and following.next_poll_at,
    }


def _last_poll(connection: sa.Connection) -> dict[str, Any] | None:
    query = sa.select(_source.name.label("source"), _poll.started_at, _poll.outcome, _poll.error_kind)
    joined = query.join_from(tables.polls, tables.sources, _source.id == _poll.source_id)
    row = connection.execute(joined.order_by(_poll.id.desc()).limit(1)).first()
    return None if row is None else dict(row._mapping)


def _sources(connection: sa.Connection) -> dict[str, Any]:
    """How many sources are polled, and those of them that fail, the longest failing first."""
    columns = (_source.failing_since, _source.failure_count, _source.last_error_kind, _source.last_error)
    failing = sa.select(_source.name.label("source"), *columns).where(is_polled(_source), _source.status == "failing")
    rows = connection.execute(failing.order_by(_source.failing_since, _source.name))
    number = sa.select(sa.func.count()).select_from(tables.sources).where(is_polled(_source))
    return {"sources": connection.execute(number).scalar_one(), "failing": [dict(row._mapping) for row in rows]}


def search_lag(database: Database) -> dict[str, Any]:
    """How far the search index is behind, or why it cannot be used."""
    try:
        with open_index(database) as index:
            lag = index.lag()
    except DatabaseError as error:
        return {"articles": None, "since": None, "error": str(error)}
    return {"articles": lag.articles, "since": lag.since, "error": None}
