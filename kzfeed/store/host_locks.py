"""Locks on hosts in PostgreSQL: of all processes that share the database, one at a time may ask a host."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import sqlalchemy as sa

from kzfeed.store.engine import Database, driver_errors

LOCK_SPACE = 50_217
"""The first number of these advisory locks. Other programs in the same database must not use it."""


@dataclass(frozen=True, slots=True)
class LockRequest:
    """A request to lock a host or to unlock it."""

    host: str
    action: Literal["lock", "unlock"]


_STATEMENTS = {
    "lock": sa.text(
        "SELECT pg_try_advisory_lock(:space, hashtext(host)) FROM unnest(CAST(:hosts AS text[])) AS wanted (host)"
    ),
    "unlock": sa.text(
        "SELECT pg_advisory_unlock(:space, hashtext(host)) FROM unnest(CAST(:hosts AS text[])) AS wanted (host)"
    ),
}


class HostLocks:
    """The locks of one process, on a connection of their own: they end with it, also if the process is killed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sa.Connection | None = None

    def carry_out(self, requests: Sequence[LockRequest]) -> list[bool]:
        """Carry out the requests in order, and return for each whether the host was locked or unlocked.

        Raises DatabaseError; then all locks may be lost.
        """
        results: list[bool] = []
        with driver_errors("locking hosts in", None):
            try:
                if self._connection is None:
                    connection = self._database.engine.connect()
                    self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                    self._connection.detach()
                for action, group in groupby(requests, key=lambda request: request.action):
                    values = {"space": LOCK_SPACE, "hosts": [request.host for request in group]}
                    results += self._connection.execute(_STATEMENTS[action], values).scalars()
            except sa.exc.SQLAlchemyError:
                self.close()
                raise
        return results

    def close(self) -> None:
        """End all locks."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
