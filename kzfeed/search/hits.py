"""Positions of articles in lists and searches, the newest first, the undated last; and what a search gives."""

import re
from dataclasses import dataclass
from datetime import datetime

from kzfeed.errors import UsageError
from kzfeed.instants import instant_of
from kzfeed.search.snippet import Snippet


@dataclass(frozen=True, slots=True)
class ArticlePosition:
    """The position of an article in a list or among the hits of a search, by its time and its id."""

    published_ms: int | None
    """Milliseconds since 1970 (UTC); None if the time of publication is unknown."""
    article_id: int

    @property
    def key(self) -> str:
        """The text that `--after` takes to go on after this article."""
        return f"{'undated' if self.published_ms is None else self.published_ms}:{self.article_id}"

    def is_after(self, other: "ArticlePosition") -> bool:
        """Whether this position is later in the list than the other one."""
        return sort_key(self) < sort_key(other)


def sort_key(position: ArticlePosition) -> tuple[bool, int, int]:
    """The key by which positions are sorted: the greatest comes first."""
    return position.published_ms is not None, position.published_ms or 0, position.article_id


def parse_key(key: str) -> ArticlePosition:
    """The position with this key. Raises UsageError if it is no key."""
    match = re.fullmatch(r"(undated|-?\d{1,15}):(\d{1,18})", key.strip(), re.ASCII)
    if not match:
        raise UsageError(f"{key!r} is not the key of an article: give one that `list` or `search` has printed")
    position = ArticlePosition(None if match[1] == "undated" else int(match[1]), int(match[2]))
    try:
        instant_of(position.published_ms or 0)
    except OverflowError:
        raise UsageError(f"{key!r} is not the key of an article: no calendar has its date") from None
    return position


@dataclass(frozen=True, slots=True)
class SearchResult:
    """An article that a search found, with the parts of it that are shown."""

    url: str | None
    title: Snippet
    source: str
    published_at: datetime | None
    snippet: Snippet
    key: str
