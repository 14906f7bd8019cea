"""Pauses of hosts that only this process keeps, because the database that keeps all others failed."""

import asyncio
from datetime import timedelta


class LocalPauses:
    """The hosts that this process leaves alone, each for a time by the event loop's clock."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def pause(self, host: str, length: timedelta) -> None:
        """Leave the host alone for so long from now on."""
        self._until[host] = asyncio.get_running_loop().time() + length.total_seconds()

    def hosts(self) -> set[str]:
        """The hosts that are left alone now."""
        now = asyncio.get_running_loop().time()
        self._until = {host: until for host, until in self._until.items() if until > now}
        return set(self._until)
