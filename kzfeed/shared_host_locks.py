"""Locks on hosts for all processes that share a PostgreSQL database, as the queues of hosts use them."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from kzfeed.batching import Batcher
from kzfeed.errors import DatabaseError
from kzfeed.store.engine import Database
from kzfeed.store.queue.host_locks import HostLocks, LockRequest
from kzfeed.store.queue.leases import LEASE

MAX_END_WAIT = timedelta(seconds=2)
"""How long a process that ends waits for the delays of the hosts that it has asked."""


class SharedHostLocks:
    """Locks on hosts that this process holds. Requests of the same moment take one round trip to the database."""

    def __init__(self, requests: Batcher[LockRequest, bool]) -> None:
        self._requests = requests
        self._held = 0

    async def try_lock(self, host: str) -> bool:
        """Lock the host, unless another process has locked it; tells whether it is locked now."""
        try:
            locked = await self._requests.ask(LockRequest(host, "lock"))
        except asyncio.CancelledError:
            self._request_unlock(host)  # the request may succeed after all
            raise
        self._held += locked
        return locked

    def unlock(self, host: str) -> None:
        """Give one lock on the host up, soon."""
        self._held -= 1
        self._request_unlock(host)

    def _request_unlock(self, host: str) -> None:
        # If this fails, the connection has ended, and all locks with it.
        self._requests.ask(LockRequest(host, "unlock")).add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )

    async def keep(self) -> None:
        """Keep the locks, until this is cancelled."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            with suppress(DatabaseError):  # The next attempt to lock a host meets the same error, and raises it.
                await self._requests.ask(LockRequest("", "keep"))

    async def wait_until_unlocked(self) -> None:
        """Wait until no host is locked any more, for `MAX_END_WAIT` at most: all locks end with the process."""
        until = time.monotonic() + MAX_END_WAIT.total_seconds()
        while self._held and time.monotonic() < until:  # noqa: ASYNC110 - ends at a time too
            await asyncio.sleep(0.02)


@asynccontextmanager
async def shared_host_locks(database: Database) -> AsyncIterator[SharedHostLocks | None]:
    """The locks of this process; None for SQLite, which has only one daemon."""
    if database.dialect != "postgresql":
        yield None
        return
    locks = HostLocks(database)
    with ThreadPoolExecutor(1, thread_name_prefix="hosts") as thread:
        try:
            async with Batcher[LockRequest, bool](locks.carry_out, thread, most=500) as requests:
                own = SharedHostLocks(requests)
                keeping = asyncio.create_task(own.keep())
                try:
                    yield own
                    await own.wait_until_unlocked()
                finally:
                    keeping.cancel()
        finally:
            locks.close()
