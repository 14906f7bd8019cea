"""Heartbeats of daemons (table `daemons`): each daemon writes every few seconds that it runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.upsert import upsert

INTERVAL = timedelta(seconds=10)
"""The time from one heartbeat of a daemon to the next."""
SILENT_AFTER = timedelta(minutes=1)
"""A daemon without a heartbeat for so long runs no more, or does nothing."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""The row of a daemon that was killed stays for so long while others run."""

_daemon = tables.daemons.c

_BEAT = upsert(tables.daemons, {name: f"excluded.{name}" for name in ("seen_at", "offline_since")})


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Heartbeat of a daemon: its name, which no other one has, its version, since when it runs, and when it said so.

    `offline_since` says since when its machine has no connection.
    """

    name: str
    version: str
    started_at: datetime
    seen_at: datetime
    offline_since: datetime | None = None

    def is_silent(self, now: datetime) -> bool:
        """Whether the heartbeat is too old, or made before the clock was set back."""
        return abs(now - self.seen_at) > SILENT_AFTER


def offline_since(beats: Sequence[Heartbeat], now: datetime) -> datetime | None:
    """Since when no daemon has a connection; None if one has, or if none runs."""
    since = [beat.offline_since for beat in beats if not beat.is_silent(now)]
    return min(filter(None, since)) if since and all(since) else None


def beat(database: Database, heartbeat: Heartbeat) -> None:
    """Record that a daemon runs, and forget those that were killed long ago."""
    is_over = _daemon.seen_at < heartbeat.seen_at - FORGOTTEN_AFTER
    # An SQLite database has one daemon.
    is_forgotten = sa.true() if database.dialect == "sqlite" else is_over
    forgotten = sa.delete(tables.daemons).where(_daemon.name != heartbeat.name, is_forgotten)

    def record(connection: sa.Connection) -> None:
        connection.execute(forgotten)
        connection.execute(_BEAT, asdict(heartbeat))

    database.write_concurrently((), record)


def end(database: Database, name: str) -> None:
    """Record that the daemon runs no more."""
    with database.write() as connection:
        connection.execute(sa.delete(tables.daemons).where(_daemon.name == name))


def heartbeats(connection: sa.Connection) -> Sequence[Heartbeat]:
    """The last heartbeat of each daemon, the daemon that was started first before the others."""
    rows = connection.execute(sa.select(tables.daemons).order_by(_daemon.started_at, _daemon.name))
    return [Heartbeat(**row._mapping) for row in rows]
