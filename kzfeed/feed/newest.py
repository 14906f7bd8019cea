"""Choice of the newest entries, for a document that has more than are read at a time."""

import heapq
from collections.abc import Callable

from kzfeed.feed.dates.parse import END_OF_TIME, instant
from kzfeed.model.articles import Entry

_Rank = tuple[bool, float, int]


class NewestEntries:
    """The newest entries of a document, at most `most` of them; those that are not archived yet come before all others.

    Entries without a date count as older than dated ones; among them, the later one counts as the older. Of the others,
    `dropped` counts those that are not archived, `skipped` those that are.
    """

    def __init__(self, most: int, is_archived: Callable[[Entry], bool] | None = None) -> None:
        self.dropped = 0
        self.skipped = 0
        self._most = most
        self._is_archived = is_archived
        self._in_order: list[Entry] = []
        self._by_rank: list[tuple[_Rank, Entry]] = []

    def add(self, dates: Callable[[], tuple[str, ...]], read: Callable[[], Entry]) -> None:
        """Add an entry: `dates` gives its dates, `read` the entry. It is read only if that is needed to choose."""
        if len(self._in_order) < self._most:
            self._in_order.append(read())
            return
        if not self._by_rank:
            self._by_rank = [
                (_rank(number, entry.dates, is_new=self._is_new(entry)), entry)
                for number, entry in enumerate(self._in_order)
            ]
            heapq.heapify(self._by_rank)
        number = self._most + self.dropped + self.skipped
        entry = read() if self._is_archived else None
        left_out = rank = _rank(number, dates(), is_new=entry is None or self._is_new(entry))
        if self._by_rank and rank > self._by_rank[0][0]:
            left_out, _ = heapq.heapreplace(self._by_rank, (rank, entry or read()))
        is_new = left_out[0]
        self.dropped += is_new
        self.skipped += not is_new

    def in_document_order(self) -> tuple[Entry, ...]:
        if not self._by_rank:
            return tuple(self._in_order)
        return tuple(entry for _, entry in sorted(self._by_rank, key=lambda each: -each[0][2]))

    def _is_new(self, entry: Entry) -> bool:
        return self._is_archived is None or not self._is_archived(entry)


def _rank(number: int, dates: tuple[str, ...], *, is_new: bool) -> _Rank:
    # Which dates lie in the future does not matter here.
    understood = (instant(raw, now=END_OF_TIME) for raw in dates)
    return is_new, next((date.timestamp() for date in understood if date), 0.0), -number
