"""Pauses of hosts (table `hosts`), and which hosts were visited recently."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.upsert import upsert

_host, _source = tables.hosts.c, tables.sources.c

_LATER_PAUSE = (
    "CASE WHEN excluded.paused_until > hosts.paused_until THEN excluded.paused_until ELSE hosts.paused_until END"
)
_PAUSE = upsert(tables.hosts, {"paused_until": _LATER_PAUSE})


def pause_hosts(connection: sa.Connection, pauses: Collection[tuple[str, datetime]]) -> None:
    """Record until when each host must not be visited. A longer pause that is already recorded stays."""
    if pauses:
        connection.execute(_PAUSE, [{"host": host, "paused_until": until} for host, until in pauses])


def paused_hosts(database: Database, now: datetime) -> dict[str, datetime]:
    """The hosts that are paused, and until when."""
    with database.read() as connection:
        rows = connection.execute(sa.select(_host.host, _host.paused_until).where(_host.paused_until > now))
        return {row.host: row.paused_until for row in rows}


def recently_visited_hosts(database: Database, since: datetime) -> dict[str, datetime]:
    """The hosts of sources that were polled after `since`, each with the time of its latest poll."""
    latest = sa.func.max(_source.last_polled_at).label("latest")
    query = sa.select(_source.host, latest).where(_source.last_polled_at > since, _source.host.is_not(None))
    with database.read() as connection:
        return {row.host: row.latest for row in connection.execute(query.group_by(_source.host))}
