"""The values that flow from stage to stage: frozen, slotted, made of the standard library only.

Every instant is an aware datetime in UTC. Header text is latin-1: `.encode("latin-1")` gives the server's bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

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
    "database",
    "internal",
]

SourceStatus = Literal["active", "failing", "gone", "removed"]
PollOutcome = Literal["new", "unchanged", "not-modified", "failed"]
TextType = Literal["text", "html"]
MediaKind = Literal["image", "audio", "video", "enclosure"]


# --- a source and what is known of it --------------------------------------------------------------------------------


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
    last_error: str | None = None


# --- a visit and what came of it -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visit:
    """What to ask of a server: the URL, the validators to echo, and the host that may have a private address.

    `source_name` decides which proxy the visit uses.
    """

    url: str
    validators: Validators | None = None
    trusted_host: str | None = None
    source_name: str = ""


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


# --- a document and its entries --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """A body and what is needed to understand it. `timezone` is for dates that name none (IANA name).

    `archived` are the keys of entries that are archived already (`article.build.entry_key`): of more than `max_entries`
    entries those come last.
    """

    body: bytes
    content_type: str | None
    url: str
    timezone: str | None
    now: datetime
    max_entries: int = 5000
    archived: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page as a server sent it, to be searched for feeds."""

    body: bytes
    content_type: str | None
    url: str


@dataclass(frozen=True, slots=True)
class FeedLink:
    """A link to a feed: its absolute URL, and its title or text."""

    url: str
    title: str


@dataclass(frozen=True, slots=True)
class FeedLinks:
    """The feeds that a page names in `<link>` elements, and its other links that may be feeds."""

    named: tuple[FeedLink, ...] = ()
    possible: tuple[FeedLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as text. `flawed` says that bytes were replaced by U+FFFD or that the encoding was guessed."""

    text: str
    encoding: str
    flawed: bool = False


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that an entry carries beside its text, as the feed gives it (the address may be relative)."""

    url: str
    mime_type: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An item as a feed gives it, before any rule of the archive format is applied.

    `link` is absolute wherever the document names a base. `dates` holds the raw date strings, the publication date
    first. `content` is the fullest content the entry has.
    """

    title: str = ""
    title_type: TextType = "text"
    link: str | None = None
    guid: str | None = None
    content: str = ""
    content_type: TextType = "html"
    dates: tuple[str, ...] = ()
    author: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """A parsed feed: what it says about itself, and its entries in document order.

    Of the entries beyond the limit, `dropped` counts those that are not archived yet, `skipped` those that are.
    `cut_off` says that its end is missing; `flaw` says what was wrong with a document that could still be read.
    """

    format: str
    title: str | None = None
    site_url: str | None = None
    language: str | None = None
    ttl: timedelta | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    """Days on which not to come, Monday = 0."""
    update_every: timedelta | None = None
    """From sy:updatePeriod and sy:updateFrequency."""
    entries: tuple[Entry, ...] = ()
    dropped: int = 0
    skipped: int = 0
    cut_off: bool = False
    flaw: str | None = None


# --- an article ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Media:
    """Something to see or hear. `url` is the publisher's own address, `proxy_url` the mirror's where it differs."""

    kind: MediaKind
    url: str
    proxy_url: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Article:
    """What is archived, one per `url_hash`. `url` is None where the entry had no link.

    `content` is the archive file's body, `text` its plain text, one paragraph a line. `fingerprint` is the hash of
    what a reader sees: two articles with one fingerprint are the same version. `link_hash` is the hash of the link
    alone, `own_hashes` are those of the link together with what tells the entry from others with that link:
    its guid, or else title, enclosures and words. `url_hash` is one of them.
    """

    url_hash: str
    url: str | None
    title: str
    content: str
    text: str
    fingerprint: str
    published_at: datetime | None = None
    published_raw: str | None = None
    guid: str | None = None
    author: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    link_hash: str | None = None
    own_hashes: tuple[str, ...] = ()


class ParsedDocument(NamedTuple):
    """A feed and its articles. The feed's entries keep only their dates: everything else is in the articles."""

    feed: Feed
    articles: tuple[Article, ...]


@dataclass(frozen=True, slots=True)
class WindowEntry:
    """An article that a source's last document showed: its hash and publication date."""

    url_hash: str
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time that fell between two windows: articles of it were probably missed."""

    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Overlap:
    """A source's window compared with the one before it.

    `entries` counts its articles without those that are pinned, `shared` those of them that the window before held too.
    `span` is the time between its oldest and newest article, None if fewer than two have dates. `withdrawn` holds the
    url_hashes of articles that vanished while older ones stayed. `is_next_window` says whether the next window is
    compared with this one: a document without entries is none, nor is one that is cut off and shares nothing.
    """

    entries: int = 0
    shared: int = 0
    span: timedelta | None = None
    gap: Gap | None = None
    withdrawn: frozenset[str] = frozenset()
    is_next_window: bool = False


# --- what is written down --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Poll:
    """The record of one visit to a source, from request to commit. `body_bytes` counts the decoded body."""

    source_id: int
    started_at: datetime
    duration: timedelta
    outcome: PollOutcome
    http_status: int | None = None
    body_bytes: int = 0
    entries: int = 0
    new_articles: int = 0
    revised_articles: int = 0
    flaw: str | None = None
    error_kind: FailureKind | None = None
    error: str | None = None

    @property
    def duration_ms(self) -> int:
        """The duration, as it is stored: limited to what a 32-bit column holds, in case the clock jumps."""
        return min(round(self.duration.total_seconds() * 1000), 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many articles of a batch were new to the archive, became a new revision, or were there already."""

    new: int = 0
    revised: int = 0
    unchanged: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.new + other.new, self.revised + other.revised, self.unchanged + other.unchanged)


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """An article as the database holds it, its newest revision."""

    id: int
    url_hash: str
    url: str | None
    title: str
    content: str
    text: str
    published_at: datetime | None
    published_raw: str | None
    author: str | None
    language: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    source: str
    revision: int


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of an article as the database holds it: `source` showed it first, at `seen_at`."""

    revision: int
    title: str
    content: str
    text: str
    seen_at: datetime
    source: str
    published_at: datetime | None = None
    published_raw: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of the database found. It is damage, or a note: something that may be right.

    `row` names what it is about, `found` says what is there and what was expected, `advice` what to do.
    """

    kind: str
    is_damage: bool
    row: str
    found: str
    advice: str


@dataclass(frozen=True, slots=True)
class Checked:
    """How much a check of the database looked at, and how many findings of either sort it made."""

    articles: int
    revisions: int
    damage: int
    notes: int
