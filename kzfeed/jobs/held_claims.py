"""Claims that this process holds on sources or on pages of articles, and their renewal."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from datetime import datetime


class HeldClaims:
    """The claims of this process, by the ids of what it has claimed, and when each expires.

    A process that was stopped for long may have lost some of them to others.
    """

    def __init__(self) -> None:
        self._until: dict[int, datetime] = {}

    def add(self, ids: Iterable[int], until: datetime) -> None:
        """Remember claims that were made in the database."""
        self._until |= dict.fromkeys(ids, until)

    def end(self, id_: int) -> None:
        """Forget a claim, which is not renewed any more."""
        del self._until[id_]

    def is_valid(self, id_: int, now: datetime) -> bool:
        """Whether this claim lasts."""
        return self._until[id_] > now

    def expire_before(self, time: datetime) -> bool:
        """Whether one of the claims expires before this time."""
        return any(until < time for until in self._until.values())

    async def renew(self, write: Callable[[Collection[int], datetime], Collection[int]], until: datetime) -> None:
        """Renew all claims by `write`, in a thread: it returns the ids of those that it could renew in the database."""
        if ids := list(self._until):
            renewed = await asyncio.to_thread(write, ids, until)
            # Those that have ended meanwhile stay ended.
            self.add(self._until.keys() & renewed, until)
