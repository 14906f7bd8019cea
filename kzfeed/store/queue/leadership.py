"""Lock of PostgreSQL by which one member of a fleet leads, and which members run."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database, driver_errors
from kzfeed.store.queue.heartbeats import Heartbeat, heartbeats

LEADER_LOCK = 5_021_747_903
"""Number of the advisory lock of the leader. Other programs in the same database must not use it."""
SILENCE = timedelta(seconds=5)
"""PostgreSQL ends the session of a leader that sends nothing for this time, as when its machine has vanished."""

_LEAD = sa.text(f"SELECT pg_try_advisory_lock({LEADER_LOCK})")
_STILL_LEAD = sa.text("SELECT true")
_NAME_SESSION = sa.text(
    "SELECT set_config('application_name', :name, false), (SELECT set_config(name, :milliseconds, false)"
    " FROM pg_settings WHERE name = 'idle_session_timeout')"
)
# pg_locks shows the number of such a lock as two unsigned halves.
_LEADER = sa.text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
    " AND objsubid = 1 AND classid = :high AND objid = :low"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
).bindparams(high=LEADER_LOCK >> 32, low=LEADER_LOCK & 0xFFFFFFFF)
_MAX_NAME_LENGTH = 63
"""Bytes of the name of a session in PostgreSQL."""
_IDENTITY = sa.text(
    "SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
)


class Leadership:
    """The lock of the leader, on a connection of its own: it ends with the connection."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        self._connection: sa.Connection | None = None
        self._is_held = False
        # A member that stops may give up in one thread while another one still waits for the lock.
        self._thread = threading.Lock()

    def hold(self) -> bool:
        """Take the lock or keep it, and return whether this member leads. Raises DatabaseError."""
        with self._thread, driver_errors("choosing the leader of the fleet in", None):
            try:
                if self._connection is None:
                    self._connection = self._connected()
                question = _STILL_LEAD if self._is_held else _LEAD
                self._is_held = bool(self._connection.execute(question).scalar())
            except sa.exc.SQLAlchemyError:
                self._close()
                raise
            return self._is_held

    def give_up(self) -> None:
        """Let another member lead."""
        with self._thread:
            self._close()

    def _close(self) -> None:
        connection, self._connection, self._is_held = self._connection, None, False
        if connection is not None:
            connection.close()

    def _connected(self) -> sa.Connection:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        milliseconds = str(round(SILENCE.total_seconds() * 1000))
        connection.execute(_NAME_SESSION, {"name": self._owner[-_MAX_NAME_LENGTH:], "milliseconds": milliseconds})
        return connection


@dataclass(frozen=True, slots=True)
class Member:
    """A daemon that runs: its heartbeat, how many sources it has claimed, and whether it leads."""

    heartbeat: Heartbeat
    polls: int
    leads: bool


def members(connection: sa.Connection, now: datetime) -> list[Member]:
    """The daemons that run, the one that was started first before the others."""
    # The name of a session has room only for the end of the name of the leader.
    leader = connection.execute(_LEADER).scalar()
    claim = tables.claims.c
    number = sa.select(claim.claimed_by, sa.func.count()).where(claim.claimed_until > now).group_by(claim.claimed_by)
    polls = {row[0]: row[1] for row in connection.execute(number)}
    return [
        Member(beat, polls.get(beat.name, 0), leader is not None and beat.name.endswith(leader))
        for beat in heartbeats(connection)
        if not beat.is_silent(now)
    ]


def database_identity(database: Database) -> str:
    """The identity of this database, unique among all servers."""
    with database.read() as connection:
        server, oid = connection.execute(_IDENTITY).one()
        return f"{server}/{oid}"
