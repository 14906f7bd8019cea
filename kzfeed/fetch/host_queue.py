"""One visit to a host at a time, with a pause between two: whoever wants to send a request waits for its turn here.

A visit that is redirected goes from host to host, and has a turn at one of them at a time: nobody waits in a circle.
"""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from kzfeed.fetch.target import host_of

_TIDY_FROM = 1000
_NO_RULES: Mapping[str, "HostRule"] = {}
_NO_VISITS: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class HostRule:
    """What a host gets: at most `connections` visits at a time, and `gap` after the start and the end of each."""

    gap: timedelta
    connections: int = 1


@dataclass(slots=True)
class _Host:
    gap: float
    places: asyncio.Semaphore
    free_at: float = 0.0
    """When its gap is over, in the monotonic clock's seconds."""
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    concerned: int = 0
    """How many wait for a turn or have one."""


class HostTurns:
    """The turns of one process. `rules` are those of single hosts, `gap` is that of all others.

    `visited` says how many seconds ago another process visited which hosts: their gaps began then.
    """

    def __init__(
        self, gap: timedelta, rules: Mapping[str, HostRule] = _NO_RULES, visited: Mapping[str, float] = _NO_VISITS
    ) -> None:
        self._rule = HostRule(gap)
        self._rules = {_key(host): rule for host, rule in rules.items()}
        self._hosts: dict[str, _Host] = {}
        self._tidy_from = _TIDY_FROM
        for host, seconds in visited.items():
            self._remember(_key(host), seconds)

    def connections(self, host: str) -> int:
        """How many visits the host gets at a time."""
        return self._rules.get(_key(host), self._rule).connections

    def has_gap(self, host: str) -> bool:
        """Whether there is to be a pause between two visits to the host."""
        return bool(self._rules.get(_key(host), self._rule).gap)

    @property
    def wide_hosts(self) -> dict[str, int]:
        """The hosts that get more than one visit at a time, and how many."""
        return {host: rule.connections for host, rule in self._rules.items() if rule.connections > 1}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator["Turn"]:
        """A turn at `host`, while the block runs or until it moves on to another host; first come, first served."""
        turn = Turn(self)
        await turn.move_to(host)
        try:
            yield turn
        finally:
            turn.end()

    async def _enter(self, key: str) -> _Host:
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = self._host(key)
        host.concerned += 1
        try:
            async with host.queue:
                await host.places.acquire()
                try:
                    # Another visit may end meanwhile, and then the gap begins anew.
                    while (wait := host.free_at - time.monotonic()) > 0:  # noqa: ASYNC110 - a time that moves, no event
                        await asyncio.sleep(wait)
                except asyncio.CancelledError:
                    host.places.release()
                    raise
                host.free_at = time.monotonic() + host.gap
        except asyncio.CancelledError:
            host.concerned -= 1
            raise
        return host

    def _host(self, key: str) -> _Host:
        rule = self._rules.get(key, self._rule)
        return _Host(rule.gap.total_seconds(), asyncio.Semaphore(rule.connections))

    def _remember(self, key: str, seconds: float) -> None:
        """The host was visited so many seconds ago; a time to come, of a clock that was put back, counts as now."""
        host = self._hosts.get(key) or self._host(key)
        left = host.gap - max(seconds, 0.0)
        if left > 0:
            host.free_at = max(host.free_at, time.monotonic() + left)
            self._hosts[key] = host

    def _leave(self, host: _Host) -> None:
        now = time.monotonic()
        host.free_at = now + host.gap
        host.places.release()
        host.concerned -= 1
        if len(self._hosts) > self._tidy_from:
            self._hosts = {key: each for key, each in self._hosts.items() if each.concerned or each.free_at > now}
            self._tidy_from = max(_TIDY_FROM, 2 * len(self._hosts))


class Turn:
    """A place at one host at a time."""

    def __init__(self, turns: HostTurns) -> None:
        self._turns = turns
        self._host: _Host | None = None

    async def move_to(self, host: str) -> None:
        """Give up the place and wait for one at this host, also where it is the same one: that is another request."""
        self.end()
        self._host = await self._turns._enter(_key(host))

    def end(self) -> None:
        """Give up the place, if there is one."""
        host, self._host = self._host, None
        if host:
            self._turns._leave(host)


@functools.lru_cache(maxsize=1000)
def _key(host: str) -> str:
    """One spelling for each host, that of redirects: WHATWG's, with names in ASCII."""
    return host_of(host) or host.lower()
