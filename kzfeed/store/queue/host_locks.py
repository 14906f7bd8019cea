"""Locks on hosts in PostgreSQL: of all processes that share the database, one at a time may visit a host."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import sqlalchemy as sa

from kzfeed.store.engine import Database, driver_errors
from kzfeed.store.queue.leases import LEASE

LOCK_SPACE = 50_217
"""The first number of these advisory locks. Other programs in the same database must not use it."""


@dataclass(frozen=True, slots=True)
class LockRequest:
    """A request to lock a host, to unlock it, or to keep all locks."""

    host: str
    action: Literal["lock", "unlock", "keep"]


# The server ends an idle session, and so its locks.
_LIMIT_IDLE_SESSION = sa.text(
    "SELECT set_config(name, :milliseconds, false) FROM pg_settings WHERE name = 'idle_session_timeout'"
)
_STATEMENTS = {
    "keep": sa.text("SELECT true FROM unnest(CAST(:hosts AS text[])) WHERE :space > 0"),
    "lock": sa.text(
        "SELECT pg_try_advisory_lock(:space, hashtext(host)) FROM unnest(CAST(:hosts AS text[])) AS wanted (host)"
    ),
    "unlock": sa.text(
        "SELECT pg_advisory_unlock(:space, hashtext(host)) FROM unnest(CAST(:hosts AS text[])) AS wanted (host)"
    ),
}


class HostLocks:
    """The locks of one process, on a connection of their own.

    They end with the connection: when the process is killed, and when no request has come for `LEASE`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sa.Connection | None = None

    def carry_out(self, requests: Sequence[LockRequest]) -> list[bool]:
        """Carry out the requests in order, and return for each whether the host was locked or unlocked.

        A connection that has ended is opened again, without the locks that it had. Raises DatabaseError.
        """
        with driver_errors("locking hosts in", None):
            if self._connection is not None:
                try:
                    return self._carried_out(self._connection, requests)
                except sa.exc.DBAPIError as error:
                    self.close()
                    if not error.connection_invalidated:
                        raise
            self._connection = self._connected()
            try:
                return self._carried_out(self._connection, requests)
            except sa.exc.SQLAlchemyError:
                self.close()
                raise

    def _connected(self) -> sa.Connection:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        connection.execute(_LIMIT_IDLE_SESSION, {"milliseconds": str(round(LEASE.total_seconds() * 1000))})
        return connection

    def _carried_out(self, connection: sa.Connection, requests: Sequence[LockRequest]) -> list[bool]:
        results: list[bool] = []
        for action, group in groupby(requests, key=lambda request: request.action):
            values = {"space": LOCK_SPACE, "hosts": [request.host for request in group]}
            results += connection.execute(_STATEMENTS[action], values).scalars()
        return results

    def close(self) -> None:
        """End all locks."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
