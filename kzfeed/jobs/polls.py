"""The daemon's job that polls due sources."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from kzfeed.errors import ClaimExpired, DatabaseError
from kzfeed.hosts import host_of
from kzfeed.jobs.clock_jumps import ClockJumps
from kzfeed.jobs.network_status import NetworkStatus
from kzfeed.jobs.work_queue import WorkQueue
from kzfeed.model.polls import Poll, Source
from kzfeed.poll import Poller

CLAIM_PAUSE = timedelta(milliseconds=100)
"""The time from the end of a poll to the next claim while others go on: sources are claimed in batches."""
REGULAR_CLAIMS = timedelta(seconds=1)
"""The usual time between two claims that no poll asks for."""
MIN_HOST_PAUSE = timedelta(minutes=1)
"""The least pause of a host after a poll that could not be stored, unless the source's interval is shorter."""

log = structlog.get_logger()


@dataclass(slots=True)
class PollJob:
    """Polls the due sources that it claims of the queue, at most `slots` at a time."""

    poller: Poller
    queue: WorkQueue
    slots: int = 100
    on_poll: Callable[[Source, Poll | None], None] = lambda source, poll: None
    """Called with each poll and its source before it; None if the poll could not be stored."""
    run_within: Callable[[timedelta], None] = lambda time: None
    """Called so that the job runs again after this time, or earlier."""
    interval: timedelta = REGULAR_CLAIMS
    """The time between two runs that no poll asks for."""
    network: NetworkStatus = field(init=False)
    """Whether this machine has a connection."""
    clock_jumps: ClockJumps = field(init=False)
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    """The polls under way."""
    _is_claim_wanted: bool = False
    """Whether a poll has ended since the last claim began, after which more may be claimed."""
    _more_due: bool = True
    """Whether the last claim found as many sources as there were free slots, so that others may be due too."""
    _stopping: bool = False

    def __post_init__(self) -> None:
        self.network = NetworkStatus(self.poller)
        self.clock_jumps = ClockJumps(self.poller.database, self.poller.clock)

    @property
    def under_way(self) -> int:
        """How many polls are under way."""
        return len(self._running)

    async def run(self) -> None:
        """Claim due sources, as many as there are free slots, and begin to poll them."""
        async with self._claiming:
            self._is_claim_wanted = False
            await self.clock_jumps.follow()
            free = self.network.usable_slots(self.slots - len(self._running))
            due = await self.queue.due(free) if free > 0 else []
            self._more_due = len(due) >= free
            for source in due:
                if self._stopping:
                    await self.queue.give_back(source, timedelta())
                    continue
                task = asyncio.create_task(self._poll(source))
                self._running.add(task)
                task.add_done_callback(self._on_end)
        if self._is_claim_wanted:
            self._claim_soon()

    async def stop(self, grace: timedelta) -> None:
        """Begin no more polls. Those under way may go on for `grace`; then they are cancelled and stay due."""
        self._stopping = True
        claiming = asyncio.create_task(self._claiming.acquire())
        _, late = await asyncio.wait([claiming, *self._running], timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _poll(self, source: Source) -> None:
        try:
            # A process that was stopped for longer than the lease goes on where others have taken over.
            poll = await self.poller.poll(
                source, is_claimed=lambda: self.queue.is_claimed(source), judge=self.network.judge
            )
            await self.network.after(poll)
        except asyncio.CancelledError:
            await self.queue.give_back(source, timedelta())
            raise
        except ClaimExpired as error:
            log.warning("claim expired, poll left out", source=source.name, error=str(error))
            await self.queue.done(source)
            return
        except DatabaseError as error:
            log.error("poll not stored", source=source.name, error=str(error))
        except Exception:
            # A fault of kzfeed in one poll must not end the polling of all other sources.
            log.exception("internal error, poll not stored", source=source.name)
        else:
            await self.queue.done(source)
            self.on_poll(source, poll)
            self._is_claim_wanted |= self._may_be_more_due(host_of(source.url))
            return
        # The source stays due. Its host is left alone for a while, so that we do not repeat the request at once.
        await self.queue.give_back(source, min(source.every, max(self.poller.bounds.min_interval, MIN_HOST_PAUSE)))
        self.on_poll(source, None)

    def _may_be_more_due(self, host: str) -> bool:
        """Whether the slot of a poll at this host that has ended is to be filled before the next regular claim.

        It is not if all due sources have been claimed, and the host may not be visited again before. A claim of few
        sources costs more than their polls.
        """
        return self._more_due or self.poller.host_queues.delay(host) < self.interval

    def _on_end(self, poll: asyncio.Task[None]) -> None:
        self._running.discard(poll)
        # A claim that is running now must be followed by another one.
        if self._is_claim_wanted and not self._claiming.locked():
            self._claim_soon()

    def _claim_soon(self) -> None:
        self.run_within(CLAIM_PAUSE if self._running else timedelta())
