"""Pages of articles: what is to be fetched, what came of it, and what the sandbox is asked about a page.

Every instant is an aware datetime in UTC.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from kzfeed.model.articles import Article
from kzfeed.model.polls import FailureKind

PageOutcome = Literal[
    "stored",  # its text became the newest version of the article
    "same",  # its text is what the archive has already
    "refused",  # it does not hold the article, or must not be fetched: it is not tried again
    "failed",
]

REFUSALS: tuple[FailureKind, ...] = ("robots", "no-article")
"""The kinds of failures by which a page is refused."""


@dataclass(frozen=True, slots=True)
class DuePage:
    """The page of an article that is to be fetched now, with what is needed of its source.

    `first_seen_at` is the article's. `tries` counts the failed ones so far. `trusted_host` is the host of
    the feed as the operator configured it.
    """

    article_id: int
    url_hash: str
    url: str
    title: str
    source_id: int
    source_name: str
    full_text: str
    trusted_host: str
    every: timedelta
    first_seen_at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class PageFailure:
    """Why a page was not read, in words that are safe to log.

    `tries` counts the failed ones, this one included; `next_try_at` is None if it was the last.
    """

    kind: FailureKind
    error: str
    tries: int = 1
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadPage:
    """The article with the text of its page. `flaw` says that the encoding of the text is in doubt."""

    article: Article
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class PageVisit:
    """What a visit to a page brought: the article with the page's text, or a failure.

    Nobody may visit `paused_host` before `pause`. The next page of the host may be fetched after `crawl_delay`.
    """

    result: ReadPage | PageFailure
    status: int | None = None
    pause: datetime | None = None
    paused_host: str | None = None
    crawl_delay: timedelta | None = None


@dataclass(frozen=True, slots=True)
class PageRecord:
    """What became of a page. `next_try_at` is None if it is not fetched again, `flaw` that of its text."""

    outcome: PageOutcome
    error_kind: FailureKind | None = None
    error: str | None = None
    next_try_at: datetime | None = None
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class PageCounts:
    """The pages of a source by what became of them; `waiting` are those that are still to be fetched."""

    waiting: int = 0
    stored: int = 0
    same: int = 0
    refused: int = 0
    failed: int = 0
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PageProblem:
    """A page whose text was not taken or is in doubt: the article's id and title, and why.

    `error_kind` is None where the text was taken and has the flaw that `error` says.
    """

    article_id: int
    title: str
    outcome: PageOutcome
    error_kind: FailureKind | None
    error: str


@dataclass(frozen=True, slots=True)
class ArticlePage:
    """A page as a server sent it, of which the article's text is wanted.

    `full_text` says where that is: `css:SELECTOR` or `auto`. `url` is the address that answered; `article_url`,
    `url_hash` and `title` are those of the article.
    """

    body: bytes
    content_type: str | None
    url: str
    full_text: str
    article_url: str
    url_hash: str
    title: str


@dataclass(frozen=True, slots=True)
class RobotsQuestion:
    """Whether a robots.txt allows an agent to fetch a URL. `agent` is the product token of the User-Agent."""

    rules: str
    url: str
    agent: str


@dataclass(frozen=True, slots=True)
class RobotsAnswer:
    """What a robots.txt says: whether the page is allowed, and the pause in seconds that it asks for."""

    is_allowed: bool
    crawl_delay: float | None = None
