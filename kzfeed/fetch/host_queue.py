"""Queues of visits, one for each host: a few visits at a time, and a pause between two of them.

A visit that is redirected goes from host to host and holds a slot at one of them at a time, so that visits never wait
for each other in a circle.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

LOCK_RETRY_S = 0.1
"""The time between two attempts to lock a host that another process has locked."""
_TIDY_FROM = 1000
_NO_RULES: Mapping[str, "HostRule"] = {}
_NO_VISITS: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class HostRule:
    """What a host allows: at most `connections` visits at a time, and `delay` after the start and the end of each."""

    delay: timedelta
    connections: int = 1


class SharedLocks(Protocol):
    """Locks on hosts that several processes share."""

    def try_lock(self, host: str) -> Awaitable[bool]:
        """Lock the host, unless another process has locked it; tells whether it is locked now."""

    def unlock(self, host: str) -> None:
        """Give one lock on the host up, soon."""


@dataclass(slots=True)
class _Host:
    name: str
    delay: float
    allows_several: bool
    """Whether it allows several visits at a time."""
    slots: asyncio.Semaphore
    free_at: float = 0.0
    """When its delay is over, in the monotonic clock's seconds."""
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    visits: int = 0
    """How many visits wait for a slot or have one."""


class HostQueues:
    """The queues of one process. `rules` are those of single hosts, `delay` is that of all others.

    With `locks`, a host is locked during each request and for the delay after it, so that the delays hold for all
    processes that share the locks. A host that allows several visits at a time is locked for the delay after each start
    only.

    `visited` says how many seconds ago another process visited which hosts: their delays began then. Hosts are written
    as `kzfeed.hosts` writes them.
    """

    def __init__(
        self,
        delay: timedelta,
        rules: Mapping[str, HostRule] = _NO_RULES,
        visited: Mapping[str, float] = _NO_VISITS,
        locks: SharedLocks | None = None,
    ) -> None:
        self._locks = locks
        self._rule = HostRule(delay)
        self._rules = rules
        self._hosts: dict[str, _Host] = {}
        self._tidy_from = _TIDY_FROM
        for host, seconds in visited.items():
            self._remember(host, seconds)

    def connections(self, host: str) -> int:
        """How many visits the host allows at a time."""
        return self._rules.get(host, self._rule).connections

    def delay(self, host: str) -> timedelta:
        """The shortest time from the end of a visit to the host until the next one."""
        return self._rules.get(host, self._rule).delay

    @property
    def hosts_with_several_connections(self) -> dict[str, int]:
        """The hosts that allow more than one visit at a time, and how many they allow."""
        return {host: rule.connections for host, rule in self._rules.items() if rule.connections > 1}

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator["HostSlot"]:
        """A slot at `host` until the block ends or the slot moves to another host; first come, first served."""
        slot = HostSlot(self)
        await slot.move_to(host)
        try:
            yield slot
        finally:
            slot.release()

    async def _enter(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = self._host(name)
        host.visits += 1
        try:
            async with host.queue:
                await host.slots.acquire()
                try:
                    await self._wait_for_turn(host)
                except BaseException:
                    host.slots.release()
                    raise
                host.free_at = time.monotonic() + host.delay
        except BaseException:
            host.visits -= 1
            raise
        return host

    async def _wait_for_turn(self, host: _Host) -> None:
        has_waited = False
        # Another visit may end meanwhile, and then the delay begins anew.
        while (wait := host.free_at - time.monotonic()) > 0:
            has_waited = True
            await asyncio.sleep(wait)
        if self._locks is None:
            return
        if has_waited:
            # This process has just unlocked the host. Others, who look from time to time, must have a chance too.
            await asyncio.sleep(2 * LOCK_RETRY_S * random.random())  # noqa: S311 - no secret
        while not await self._locks.try_lock(host.name):  # noqa: ASYNC110 - the other process sends no event
            await asyncio.sleep(LOCK_RETRY_S)
        if host.allows_several:
            self._unlock_after_delay(host)

    def _unlock_after_delay(self, host: _Host) -> None:
        if self._locks is not None:
            asyncio.get_running_loop().call_later(host.delay, self._locks.unlock, host.name)

    def _host(self, name: str) -> _Host:
        rule = self._rules.get(name, self._rule)
        return _Host(name, rule.delay.total_seconds(), rule.connections > 1, asyncio.Semaphore(rule.connections))

    def _remember(self, name: str, seconds: float) -> None:
        """Begin the delay of a host that was visited `seconds` ago; a visit in the future counts as one now."""
        host = self._host(name)
        left = host.delay - max(seconds, 0.0)
        if left > 0:
            host.free_at = time.monotonic() + left
            self._hosts[name] = host

    def _leave(self, host: _Host) -> None:
        now = time.monotonic()
        host.free_at = now + host.delay
        host.slots.release()
        host.visits -= 1
        if not host.allows_several:
            self._unlock_after_delay(host)
        if len(self._hosts) > self._tidy_from:
            self._hosts = {name: each for name, each in self._hosts.items() if each.visits or each.free_at > now}
            self._tidy_from = max(_TIDY_FROM, 2 * len(self._hosts))


class HostSlot:
    """The right to visit one host at a time."""

    def __init__(self, queues: HostQueues) -> None:
        self._queues = queues
        self._host: _Host | None = None

    async def move_to(self, host: str) -> None:
        """Release the slot and wait for one at this host, also if it is the same: each request has its delay."""
        self.release()
        self._host = await self._queues._enter(host)  # noqa: SLF001 - a slot is part of its queues

    def release(self) -> None:
        """Let the next visit have the slot."""
        host, self._host = self._host, None
        if host:
            self._queues._leave(host)  # noqa: SLF001 - the same
