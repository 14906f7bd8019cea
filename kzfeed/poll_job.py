"""The daemon's job that claims due sources and polls them."""

import asyncio
import os
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from kzfeed.clock_jumps import ClockJumps
from kzfeed.connection import Connection
from kzfeed.errors import ClaimExpired, DatabaseError
from kzfeed.hosts import host_of
from kzfeed.model.polls import Poll, Source
from kzfeed.poll import Poller
from kzfeed.store import claims
from kzfeed.store.host_locks import LEASE

CLAIM_PAUSE = timedelta(milliseconds=100)
"""The time between two claims while polls end: sources are claimed in batches, not one by one."""
MIN_HOST_PAUSE = timedelta(minutes=1)
"""The least pause of a host after a poll that could not be stored, unless the source's interval is shorter."""

log = structlog.get_logger()


@dataclass(slots=True)
class PollJob:
    """Claims due sources and polls them, at most `slots` at a time.

    `owner` names the daemon in claims, and `lease` is how long a claim lasts without renewal.
    """

    poller: Poller
    slots: int = 100
    lease: timedelta = LEASE
    # A process id alone would not do: in each container they begin with the same.
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}")
    on_poll: Callable[[Source, Poll | None], None] = lambda source, poll: None
    """Called with each poll and its source before it; None if the poll could not be stored."""
    on_claim: Callable[[], None] = lambda: None
    """Called whenever the database has answered which sources are due."""
    run_within: Callable[[timedelta], None] = lambda time: None
    """Called so that the job runs again after this time, or earlier."""
    connection: Connection = field(init=False)
    """Whether this machine has one."""
    clock_jumps: ClockJumps = field(init=False)
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    _polls: dict[asyncio.Task[None], Source] = field(default_factory=dict)
    """The polls under way."""
    _claimed_until: dict[int, datetime] = field(default_factory=dict)
    """When the claims on the sources of these polls expire, by source id."""
    _poll_ended: bool = False
    """Whether a poll has ended since the last claim began."""
    _paused_hosts: dict[str, float] = field(default_factory=dict)
    """Hosts whose poll could not be stored, and until when (by the event loop's clock) they are left alone."""
    _stopping: bool = False

    def __post_init__(self) -> None:
        self.connection = Connection(self.poller)
        self.clock_jumps = ClockJumps(self.poller.database, self.poller.clock)

    @property
    def under_way(self) -> int:
        """How many polls are under way."""
        return len(self._polls)

    async def run(self) -> None:
        """Claim due sources, as many as there are free slots, and begin to poll them."""
        async with self._claiming:
            self._poll_ended = False
            await self.clock_jumps.follow()
            free = self.connection.slots(self.slots - len(self._polls))
            for source in await self._claim(free) if free > 0 else ():
                task = asyncio.create_task(self._poll(source))
                self._polls[task] = source
                task.add_done_callback(self._on_poll_end)
        if self._poll_ended:
            self._claim_soon()

    async def renew_claims(self) -> None:
        """Prolong the claims of all polls under way, however slow they are."""
        if self._polls:
            held = [source.id for source in self._polls.values()]
            until = self.poller.clock() + self.lease
            renewed = await asyncio.to_thread(claims.renew, self.poller.database, self.owner, held, until)
            # Those whose polls have ended meanwhile are under way no more.
            self._claimed_until |= dict.fromkeys(renewed & self._claimed_until.keys(), until)

    async def stop(self, grace: timedelta) -> None:
        """Begin no more polls. Those under way may go on for `grace`; then they are cancelled and stay due."""
        self._stopping = True
        claiming = asyncio.create_task(self._claiming.acquire())
        _, late = await asyncio.wait([claiming, *self._polls], timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _on_poll_end(self, task: asyncio.Task[None]) -> None:
        self._claimed_until.pop(self._polls.pop(task).id, None)

    async def _claim(self, limit: int) -> list[Source]:
        now = self.poller.clock()
        visits = Counter(host_of(source.url) for source in self._polls.values())
        due = await asyncio.to_thread(
            claims.claim_due,
            self.poller.database,
            now=now,
            owner=self.owner,
            lease=self.lease,
            limit=limit,
            busy=claims.Busy(
                source_ids=[source.id for source in self._polls.values()],
                hosts=self._busy_hosts(visits),
                slots={host: most - visits[host] for host, most in self.poller.host_queues.wide_hosts.items()},
            ),
        )
        self.on_claim()
        self._claimed_until |= {source.id: now + self.lease for source in due}
        return [] if self._stopping else due

    def _busy_hosts(self, visits: Mapping[str, int]) -> set[str]:
        now = asyncio.get_running_loop().time()
        self._paused_hosts = {host: until for host, until in self._paused_hosts.items() if until > now}
        most = self.poller.host_queues.connections
        return {*self._paused_hosts, *(host for host, count in visits.items() if count >= most(host))}

    async def _poll(self, source: Source) -> None:
        try:
            # A process that was stopped for longer than the lease goes on where others have taken over.
            poll = await self.poller.poll(
                source,
                is_claimed=lambda: self._claimed_until[source.id] > self.poller.clock(),
                judge=self.connection.judge,
            )
            await self.connection.after(poll)
        except ClaimExpired as error:
            log.warning("claim expired before the visit, poll left out", source=source.name, error=str(error))
            return
        except DatabaseError as error:
            log.error("poll not stored", source=source.name, error=str(error))
        except Exception:
            # A fault of kzfeed in one poll must not end the polling of all other sources.
            log.exception("internal error, poll not stored", source=source.name)
        else:
            self.on_poll(source, poll)
            self._claim_soon()
            return
        self.on_poll(source, None)
        # The source stays due. No server must suffer for a fault of ours: its host is left alone for a while.
        pause = min(source.every, max(self.poller.bounds.min_interval, MIN_HOST_PAUSE))
        self._paused_hosts[host_of(source.url)] = asyncio.get_running_loop().time() + pause.total_seconds()

    def _claim_soon(self) -> None:
        """Fill the slot that has become free. A claim that is running now must be followed by another one."""
        self._poll_ended = True
        if not self._claiming.locked():
            self.run_within(CLAIM_PAUSE)
