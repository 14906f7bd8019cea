"""The report of `kzfeed sources check`: everything that one visit shows of a feed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kzfeed.model.articles import FeedLinks


@dataclass(frozen=True, slots=True)
class FollowedRedirect:
    """A redirect that was followed: its status, and the address that it led to."""

    status: int
    url: str


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """Facts about the document. `own_wait_seconds` is the pause between polls that it asks for (ttl, sy:updatePeriod).

    `articles` are fewer than `entries` where some entries appear twice. `skip_days` counts from Monday = 0. `flaws`
    may cost articles, `remarks` do not.
    """

    bytes: int
    encoding: str
    format: str
    title: str | None
    site_url: str | None
    language: str | None
    own_wait_seconds: int
    skip_hours: tuple[int, ...]
    skip_days: tuple[int, ...]
    entries: int
    articles: int
    flaws: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DateFacts:
    """How many entries have a date that kzfeed understands, one that it does not, and none.

    `without_zone` of those understood name no time zone, so the source's is taken. `raw_not_understood` are the strings
    not understood, each once, the first MAX_RAW_DATES. `example` is a string that was understood, with its instant.
    """

    understood: int
    not_understood: int
    missing: int
    without_zone: int
    raw_not_understood: tuple[str, ...]
    example: tuple[str, datetime] | None


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """The stretch of time that the document covers."""

    oldest: datetime
    newest: datetime
    seconds: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The interval that suits the feed, and why; `seconds` is None where its dates do not show one."""

    seconds: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class BodyFacts:
    """Whether the entries seem to hold whole texts, and the median number of characters."""

    look: Literal["full", "mixed", "summaries", "none"]
    median_characters: int


@dataclass(frozen=True, slots=True)
class FirstArticle:
    """The first article as it would be stored."""

    title: str
    url: str | None
    url_hash: str
    published_at: datetime | None
    author: str | None
    characters: int


@dataclass(frozen=True, slots=True)
class FeedReport:
    """The result of one visit. Where it failed, `error` says how, and the facts that it could not give are None.

    `moved_to` is the address that only permanent redirects led to. `fresh_seconds` is the freshness that the server
    gave the response. `timezone` is the zone of dates without one. `source` is the configured source of this
    address, whose filters would leave `filtered` articles out; both are None for any other address. `feeds` are the
    feeds that an HTML page names.
    """

    url: str
    final_url: str
    timezone: str
    source: str | None = None
    filtered: int | None = None
    redirects: tuple[FollowedRedirect, ...] = ()
    moved_to: str | None = None
    http_status: int | None = None
    error_kind: str | None = None
    error: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    fresh_seconds: int = 0
    document: DocumentFacts | None = None
    dates: DateFacts | None = None
    window: WindowFacts | None = None
    suggestion: Suggestion | None = None
    bodies: BodyFacts | None = None
    first: FirstArticle | None = None
    feeds: FeedLinks = FeedLinks()  # noqa: RUF009 - frozen

    @property
    def is_healthy(self) -> bool:
        """Whether the visit succeeded and its document has no flaw."""
        return self.error is None and not (self.document and self.document.flaws)
