"""Leader of a fleet: the member that puts due sources into the stream of host jobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from kzfeed.errors import DatabaseError
from kzfeed.fleet.broker import Broker, BrokerAway, NoStream, StreamState
from kzfeed.fleet.host_jobs import HostJob, jobs_of
from kzfeed.jobs.work_queue import WorkQueue
from kzfeed.store.queue import claims
from kzfeed.store.queue.leadership import Leadership

MAX_WAITING = 500
"""How many host jobs wait in the stream at most. The leader looks for more when half of them have been taken."""
TICK = timedelta(seconds=0.5)
"""The time from one look for due sources to the next, and from one attempt to lead to the next."""
BUSY_TICK = timedelta(seconds=0.1)
"""The time from one look for due sources to the next while many host jobs wait."""

log = structlog.get_logger()


class Leader:
    """The part of a member that leads the fleet. It does nothing while another member leads."""

    def __init__(self, queue: WorkQueue, broker: Broker) -> None:
        self._queue = queue
        self._broker = broker
        self._leadership = Leadership(queue.poller.database, queue.owner)
        self.stream: StreamState | None = None
        """The host jobs in the stream as of the last look; None unless this member leads."""

    async def put_due(self) -> bool:
        """Put due sources into the stream, if this member leads or can lead now. Returns whether many host jobs wait.

        A leader that has no connection to the broker gives up the lead, so that a member that has one can lead. Raises
        DatabaseError.
        """
        if not self._broker.is_connected:
            await self.give_up()
            return False
        if not await asyncio.to_thread(self._leadership.hold):
            self._stop_leading()
            return False
        try:
            stream = await self._stream_state()
            jobs = await self._due_jobs(stream)
            await self._broker.put(jobs)
        except BrokerAway as error:
            log.debug("leader without broker", error=str(error))
            await self.give_up()
            return False
        if self.stream is None:
            log.info("leading the fleet", owner=self._queue.owner)
        self.stream = stream
        return stream.waiting + len(jobs) > MAX_WAITING // 2

    async def give_up(self) -> None:
        """Let another member lead."""
        self._stop_leading()
        await asyncio.to_thread(self._leadership.give_up)

    def _stop_leading(self) -> None:
        if self.stream:
            log.info("no longer leading the fleet", owner=self._queue.owner)
        self.stream = None

    async def _stream_state(self) -> StreamState:
        try:
            return await self._broker.state()
        except NoStream:
            await self._broker.make_stream()
            return await self._broker.state()

    async def _due_jobs(self, stream: StreamState) -> list[HostJob]:
        """Host jobs for due sources of hosts without one in the stream, as many as may still wait there."""
        if stream.waiting > MAX_WAITING // 2:
            return []
        poller, hosts = self._queue.poller, await self._broker.hosts()
        free_by_host = {
            host: 0 if host in hosts else most
            for host, most in poller.host_queues.hosts_with_several_connections.items()
        }
        due = await asyncio.to_thread(
            claims.unclaimed_due_sources,
            poller.database,
            now=poller.clock(),
            limit=MAX_WAITING - stream.waiting,
            busy=claims.Busy(hosts=hosts, free_by_host=free_by_host),
        )
        return jobs_of(due)

    async def run(self) -> None:
        """Look for due sources again and again, until this is cancelled."""
        while True:
            is_busy = False
            try:
                is_busy = await self.put_due()
            except DatabaseError:
                # The jobs of the daemon meet the same error, and report it.
                await self.give_up()
            await asyncio.sleep((BUSY_TICK if is_busy else TICK).total_seconds())


@asynccontextmanager
async def leading(queue: WorkQueue, broker: Broker) -> AsyncIterator[Leader]:
    """A leader that runs for the length of the block."""
    leader = Leader(queue, broker)
    running = asyncio.create_task(leader.run())
    try:
        yield leader
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await leader.give_up()
