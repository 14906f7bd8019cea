"""Sources, visits to them with their outcomes, and the records of polls.

Every instant is an aware datetime in UTC. Header text is latin-1: `.encode("latin-1")` gives the server's bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from kzfeed.model.articles import USUAL_READING, FeedReading
from kzfeed.model.filters import Filters

FailureKind = Literal[
    "timeout",  # the whole visit took longer than allowed
    "dns",  # the host's name did not resolve
    "offline",  # this machine has no resolver or no route: no fault of the host
    "connect",  # no connection: refused, unreachable, broken off
    "tls",
    "forbidden-address",  # the host resolves to an address that only the operator may name
    "bad-redirect",
    "bad-response",  # HTTP framing: conflicting lengths, broken chunks, headers over the limit
    "too-large",
    "bad-encoding",  # Content-Encoding that is unknown, false or cut off
    "http-status",  # a 4xx or 5xx
    "gone",  # 410
    "unexpected-status",  # 206, 226, a 304 nobody asked for
    "challenge",  # a bot challenge where a feed was
    "empty",
    "not-a-feed",
    "parse",
    "robots",  # robots.txt forbids an article's page, or cannot be read
    "no-article",  # a page without the article: a log-in page, an error page, too short
    "database",
    "internal",
]
SourceStatus = Literal["active", "failing", "gone", "removed"]
POLLED_STATUSES: tuple[SourceStatus, ...] = ("active", "failing")
PollOutcome = Literal["new", "unchanged", "not-modified", "failed"]


@dataclass(frozen=True, slots=True)
class Validators:
    """ETag and Last-Modified of the last stored document (RFC 9110 §8.8), byte for byte as the server wrote them.

    `url` is the address that answered with them: they say nothing about another one.
    """

    url: str
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """A feed as the operator configured it.

    It is polled by `cron`, or at the interval `every`. With `auto` the interval adapts to the feed, and `every` is the
    first one.
    """

    name: str
    url: str
    title: str | None = None
    every: timedelta = timedelta(hours=1)
    auto: bool = False
    cron: str | None = None
    timezone: str | None = None
    filters: Filters = Filters()  # noqa: RUF009 - frozen
    enabled: bool = True
    """Whether it is polled. A source that is not keeps its state and its articles."""
    full_text: str | None = None
    """Where the text of articles is on their pages: `css:SELECTOR` or `auto`; None for the text of the feed."""
    reading: FeedReading = USUAL_READING


@dataclass(frozen=True, slots=True)
class Source:
    """A source as the database knows it: its configuration and its state after the last poll."""

    id: int
    name: str
    url: str
    configured_url: str | None = None
    """What the operator wrote; `url` is another one once the server has moved the feed for good."""
    title: str | None = None
    every: timedelta = timedelta(hours=1)
    auto: bool = False
    cron: str | None = None
    timezone: str | None = None
    filters: Filters = Filters()  # noqa: RUF009 - frozen
    full_text: str | None = None
    reading: FeedReading = USUAL_READING
    enabled: bool = True
    site_url: str | None = None
    status: SourceStatus = "active"
    validators: Validators | None = None
    ask_in_full: bool = False
    """The next request is unconditional, because the stored validators are in doubt."""
    not_modified_since: datetime | None = None
    """Since when the server has answered 304 and nothing else but failures."""
    body_hash: str | None = None
    auto_interval: timedelta | None = None
    """The interval that `auto` has learned from the source's documents."""
    hurried_interval: timedelta | None = None
    """After a gap: the interval until windows overlap by half again."""
    own_wait: timedelta | None = None
    """The pause between two visits that the feed itself asks for (ttl, sy:updatePeriod)."""
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    moved_to: str | None = None
    """The target of permanent redirects on the last `moved_polls` polls, since `moved_since`."""
    moved_since: datetime | None = None
    moved_polls: int = 0
    gone_at: datetime | None = None
    next_poll_at: datetime | None = None
    next_poll_reason: str | None = None
    """The rule that set `next_poll_at`, as a short phrase."""
    not_before: datetime | None = None
    """The server said so (Retry-After): not even a poll by hand comes earlier."""
    last_polled_at: datetime | None = None
    last_success_at: datetime | None = None
    last_document_at: datetime | None = None
    window_at: datetime | None = None
    """The time of the document with which the next one is compared: the last one that had entries."""
    flaw: str | None = None
    """What was wrong with the last document that could be read."""
    refused_validators: str | None = None
    """The validators that the server gave and kzfeed does not keep, and why."""
    failing_since: datetime | None = None
    failure_count: int = 0
    last_error_kind: FailureKind | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for one URL: the URL, the validators to echo, and the host that may have a private address.

    `source_name` decides which proxy the visit uses. `accept` is the header of that name, None for that of feeds.
    """

    url: str
    validators: Validators | None = None
    trusted_host: str | None = None
    source_name: str = ""
    accept: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The head of a response as it was received, byte for byte: status line and fields, to the empty line."""

    raw: bytes

    @property
    def status(self) -> int:
        return int(self.raw.split(None, 2)[1])

    @property
    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """Names and values in their order; a folded line is part of the value before it."""
        unfolded = re.sub(rb"\r?\n[ \t]+", b" ", self.raw)
        lines = [line.partition(b":") for line in unfolded.splitlines()[1:] if line]
        return tuple((name, value.strip(b" \t")) for name, _, value in lines)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole document. `url` is the address that answered, `body` is decoded, header names are lower-case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    permanent_url: str | None = None
    """Where an unbroken chain of 301/308 from the asked address led, if there was one."""
    redirect_retry_after: str | None = None
    """The Retry-After of a redirect on the way, as it was written."""
    head: ResponseHead | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NotModified:
    """A 304 to a conditional request. `permanent_url`, `redirect_retry_after` and `head` are as in Fetched."""

    url: str
    headers: Mapping[str, str]
    status: int = 304
    permanent_url: str | None = None
    redirect_retry_after: str | None = None
    head: ResponseHead | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed visit: its kind, and a message that is safe to log.

    `url` is the address that answered so or did not answer, None for the one that was asked for first.
    """

    kind: FailureKind
    error: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    redirect_retry_after: str | None = None
    url: str | None = None
    head: ResponseHead | None = field(default=None, compare=False, repr=False)


Outcome = Fetched | NotModified | Failed


@dataclass(frozen=True, slots=True)
class Poll:
    """The record of one visit to a source, from request to commit. `body_bytes` counts the decoded body, `filtered` the
    articles that its filters left out.
    """

    source_id: int
    started_at: datetime
    duration: timedelta
    outcome: PollOutcome
    http_status: int | None = None
    body_bytes: int = 0
    entries: int = 0
    new_articles: int = 0
    revised_articles: int = 0
    filtered: int = 0
    flaw: str | None = None
    error_kind: FailureKind | None = None
    error: str | None = None

    @property
    def duration_ms(self) -> int:
        """The duration, as it is stored: limited to what a 32-bit column holds, in case the clock jumps."""
        return min(round(self.duration.total_seconds() * 1000), 2**31 - 1)
