"""One visit to a host at a time, with a pause between two: whoever wants to visit waits for its turn here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(slots=True)
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    waiting: int = 0


class HostTurns:
    """The turns of one process. `gap` is the least time from the end of one visit to the start of the next."""

    def __init__(self, gap: timedelta) -> None:
        self._gap = gap.total_seconds()
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """The only visit to `host` while the block runs; first come, first served."""
        clock = asyncio.get_running_loop().time
        state = self._hosts.setdefault(host, _Host())
        state.waiting += 1
        try:
            async with state.lock:
                await asyncio.sleep(max(state.free_at - clock(), 0))
                try:
                    yield
                finally:
                    state.free_at = clock() + self._gap
        finally:
            state.waiting -= 1
            self._forget_rested(clock())

    def _forget_rested(self, now: float) -> None:
        if len(self._hosts) > 1000:
            self._hosts = {host: state for host, state in self._hosts.items() if state.waiting or state.free_at > now}
