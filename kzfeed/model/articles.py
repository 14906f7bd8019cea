"""Documents, their entries, and the articles that entries become.

Every instant is an aware datetime in UTC.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

TextType = Literal["text", "html"]
MediaKind = Literal["image", "audio", "video", "enclosure"]
LinkField = Literal["link", "guid"]
Origin = Literal["feed", "page", "file"]
"""Where the text of an article is from: an entry of a feed, the article's page, or an archive file."""


@dataclass(frozen=True, slots=True)
class FeedReading:
    """How the operator wants an odd feed to be read.

    `link_from` names the field with the article's address, `content_from` those that are tried for its content before
    the usual ones. `encoding` is the encoding of the document, whatever the server and the document say.
    """

    link_from: LinkField = "link"
    content_from: tuple[str, ...] = ()
    encoding: str | None = None


USUAL_READING = FeedReading()


@dataclass(frozen=True, slots=True)
class Document:
    """A body and what is needed to understand it. `timezone` is for dates without one (IANA name).

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
    reading: FeedReading = USUAL_READING


@dataclass(frozen=True, slots=True)
class HtmlPage:
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
    """A body as text. `flaw` says that bytes were replaced by U+FFFD, or the encoding was guessed or is in doubt."""

    text: str
    encoding: str
    flaw: str = ""

    @property
    def flawed(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.flaw)


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that an entry carries beside its text, as the feed gives it (the address may be relative)."""

    url: str
    mime_type: str | None = None
    size_bytes: int | None = None
    duration_seconds: float | None = None


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
    encoding: str = ""
    """The encoding of its document, as `sandbox.document_reader` decoded it."""


@dataclass(frozen=True, slots=True)
class Media:
    """Something to see or hear. `url` is the publisher's own address, `proxy_url` the mirror's where it differs."""

    kind: MediaKind
    url: str
    proxy_url: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    duration_seconds: float | None = None


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
    # Hashing bodies would take long, and the fingerprint tells them apart.
    content: str = field(hash=False)
    text: str = field(hash=False)
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
    front_matter: str | None = None
    """The front matter of the archive file that the article comes from."""


class ParsedDocument(NamedTuple):
    """A feed and its articles. The feed's entries keep only their dates: everything else is in the articles."""

    feed: Feed
    articles: tuple[Article, ...]


@dataclass(frozen=True, slots=True)
class WindowEntry:
    """An article that a source's last document showed: its hash and date, the guid that the source gave it, the
    fingerprint of its newest version, and when the source showed it first. One that the source's filters left out is
    not `is_archived`.
    """

    url_hash: str
    published_at: datetime | None = None
    guid: str | None = None
    fingerprint: str | None = None
    first_seen_at: datetime | None = None
    is_archived: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time that fell between two windows: articles of it were probably missed."""

    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class WindowComparison:
    """Comparison of a source's window with the previous one."""

    entries: int = 0
    """Its articles without those that are pinned."""
    shared: int = 0
    """Those of them that the previous window held too."""
    span: timedelta | None = None
    """The time between its oldest and newest article; None if fewer than two have dates."""
    gap: Gap | None = None
    withdrawn: frozenset[str] = frozenset()
    """The url_hashes of articles that vanished while older ones stayed."""
    becomes_reference: bool = False
    """Whether the next window is compared with this one: not with a document without entries, nor with one that is cut
    off and shares nothing."""


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
    front_matter: str | None = None
    """The front matter of the archive file that this version comes from, if it had any."""


@dataclass(frozen=True, slots=True)
class VersionHead:
    """What is known of a version of an article beside its texts."""

    revision: int
    title: str
    seen_at: datetime
    source: str
    published_at: datetime | None


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
    front_matter: str | None = None
    content_from: Origin | None = None

    def of(self, article: StoredArticle) -> StoredArticle:
        """The article as it was in this version."""
        return replace(
            article,
            revision=self.revision,
            title=self.title,
            content=self.content,
            text=self.text,
            published_at=self.published_at,
            published_raw=self.published_raw,
            front_matter=self.front_matter,
        )
