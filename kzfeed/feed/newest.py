"""Choice of the newest entries, for a document that has more than are read at a time."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from kzfeed.feed.dates.parse import AHEAD, instant
from kzfeed.model import Entry

# Which dates lie in the future does not matter here.
_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC) - AHEAD - timedelta(days=1)


class NewestEntries:
    """The newest entries of a document, at most `most` of them; `dropped` counts the others.

    Entries without a date count as older than dated ones; among them, the later one counts as the older.
    """

    def __init__(self, most: int) -> None:
        self.dropped = 0
        self._most = most
        self._in_order: list[Entry] = []
        self._by_age: list[tuple[float, int, Entry]] = []

    def add(self, dates: Callable[[], tuple[str, ...]], read: Callable[[], Entry]) -> None:
        """Add an entry: `dates` gives its dates, `read` the entry, which is read only if it is one of the newest."""
        if len(self._in_order) < self._most:
            self._in_order.append(read())
            return
        if not self._by_age:
            self._by_age = [(_age(entry.dates), -number, entry) for number, entry in enumerate(self._in_order)]
            heapq.heapify(self._by_age)
        number = self._most + self.dropped
        self.dropped += 1
        age = _age(dates())
        if self._by_age and (age, -number) > self._by_age[0][:2]:
            heapq.heapreplace(self._by_age, (age, -number, read()))

    def in_document_order(self) -> tuple[Entry, ...]:
        """The newest entries, in the order of the document."""
        if not self.dropped:
            return tuple(self._in_order)
        return tuple(entry for _, _, entry in sorted(self._by_age, key=lambda each: -each[1]))


def _age(dates: tuple[str, ...]) -> float:
    understood = (instant(raw, now=_END_OF_TIME) for raw in dates)
    return next((date.timestamp() for date in understood if date), 0.0)
