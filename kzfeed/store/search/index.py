"""What a search index is on either engine, and how one is opened."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kzfeed.errors import DatabaseError
from kzfeed.search.hits import Hit, Lag
from kzfeed.search.query import Term

PAUSE_S = 0.05
"""The time between two long transactions, in which other processes may write to the index."""

OnProgress = Callable[[int, int], None]
"""Called with how many articles are indexed, and how many there are."""


class IndexUnusable(DatabaseError):  # noqa: N818 - it says what the index is
    """There is no index, or it belongs to another version of kzfeed or to another archive: it must be built."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: `kzfeed search --rebuild` builds one, run by a user who may write the archive")


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """A query with the sources' ids in place of their names."""

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...] = ()
    source_ids: tuple[int, ...] = ()
    excluded_source_ids: tuple[int, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


class Index(Protocol):
    """A search index. Each method raises DatabaseError, all but `rebuild` also IndexUnusable."""

    def may_write(self) -> bool:
        """Whether this user may write the index."""

    def articles(self) -> int:
        """About how many articles the archive has."""

    def lag(self) -> Lag:
        """How far the index is behind."""

    def index_some(self, most: int) -> int:
        """Index at most so many new articles and so many changes in one transaction; returns how many it did.

        Several processes may call it at the same time. An archive without an index gets one.
        """

    def newest(self, wanted: IndexQuery, after: Hit | None, limit: int) -> Sequence[Hit]:
        """The first matching articles after a hit, the newest first, the undated last."""

    def rebuild(self, on_progress: OnProgress) -> None:
        """Build the index again while the present one is used, and put it in its place in one transaction."""

    def close(self) -> None:
        """Close its connections."""
