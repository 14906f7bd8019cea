"""The interface of a search index, which SQLite and PostgreSQL implement. `opening.open_index` opens one."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.search.hits import ArticlePosition
from kzfeed.search.query import Term

BUILD_BATCH = 2_000
"""Articles in one transaction of a rebuild."""
BUSY_SECONDS = 5
"""How long after its last transaction a process still counts as indexing."""
NO_INDEX = "this archive has no search index yet"
OTHER_VERSION = "another version of kzfeed made the search index"
OTHER_ARCHIVE = "the search index belongs to another archive, or to a later state of this one"
PAUSE_S = 0.05
"""The time between two long transactions, in which other processes may write to the index."""

OnProgress = Callable[[int, int], None]
"""A callback with the number of indexed articles and the number of all articles."""


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


class SearchHits(NamedTuple):
    """The positions of articles that a search found, and a connection that sees the archive as of the same moment."""

    hits: Sequence[ArticlePosition]
    archive: sa.Connection


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the index is behind the archive."""

    articles: int
    """How many articles are not indexed yet, or were changed after they were indexed."""
    since: datetime | None
    """When the first article that is not indexed was stored; None if only changes are missing."""
    is_shrinking: bool
    """Whether a process has indexed articles within the last few seconds."""
    has_old_functions: bool = False
    """Whether the functions of SQL that search are those of another version of kzfeed."""

    @property
    def is_behind(self) -> bool:
        """Whether there is anything to bring up to date."""
        return self.articles > 0 or self.has_old_functions


class Index(Protocol):
    """A search index. Each method may raise DatabaseError, and each but `rebuild` IndexUnusable."""

    def may_write(self) -> bool:
        """Whether this user may write the index."""

    def articles(self) -> int:
        """About how many articles the archive has."""

    def lag(self) -> Lag:
        """How far the index is behind."""

    def index_some(self, most: int) -> int:
        """Index at most `most` new articles and `most` changes in one transaction, and return how many there were.

        Several processes may call it at the same time. An archive without an index gets one.
        """

    def search(
        self, wanted: IndexQuery, after: ArticlePosition | None, limit: int
    ) -> AbstractContextManager[SearchHits]:
        """The first matching articles after a position, the newest first, the undated last."""

    def rebuild(self, on_progress: OnProgress) -> None:
        """Build a new index while searches use the present one, and replace that in one transaction."""

    def close(self) -> None:
        """Close its connections."""
