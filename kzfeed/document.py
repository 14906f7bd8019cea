"""One document, read: bytes as a server sent them in, the feed and its articles out.

Pure, so that it can run where it is safest; everything it needs to know comes with the document.
"""

import sys
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from kzfeed.article.normalise import Reading, from_feed
from kzfeed.errors import DocumentError
from kzfeed.feed.decode import decode, decode_utf8
from kzfeed.feed.fast import parse_fast
from kzfeed.model import Article, Decoded, Feed

MOST_MEDIA_AND_TAGS = 250_000
"""How many one document may have: each is a row, and 5,000 entries with 50 each are no feed that anybody reads."""

Read = tuple[Feed, tuple[Article, ...]]
"""What a document said of itself, and its articles. The contents are theirs: the feed's entries come without."""


@dataclass(frozen=True, slots=True)
class Document:
    """A body and what is needed to understand it. `timezone` is for dates that name none (IANA name)."""

    body: bytes
    content_type: str | None
    url: str
    timezone: str | None
    now: datetime
    max_entries: int = 5000


_HARMLESS_BYTES = 512 * 1024
_HARMLESS_ENTRIES = 500
_HARMLESS_COUNTS = ((b"<", 12_000), (b"&", 25_000), (b"src", 1_000), (b"style", 1_000))
"""How much may be in a document that is read beside other work: this is what its articles' text and media cost."""


def read(document: Document) -> Read:
    """The feed and its articles, in document order. Raises DocumentError."""
    decoded = decode(document.body, document.content_type)
    feed = _parse_fast(decoded, document) or _parse(decoded, document)
    del decoded  # with one emoji in it, 15 MB of text take 60
    return _articles(feed, document)


def read_harmless(document: Document) -> Read | None:
    """What `read` says of a document that is plainly harmless and of moderate size; None for any other. Never raises.

    An ordinary feed of 375 KB takes some 13 ms, the most laborious document that is let in some 60 ms.
    """
    if len(document.body) > _HARMLESS_BYTES:
        return None
    try:
        decoded = decode_utf8(document.body, document.content_type)
        if decoded is None or not _is_harmless(decoded.text):
            return None
        feed = _parse_fast(decoded, document, most_entries=_HARMLESS_ENTRIES)
        return _articles(feed, document) if feed else None
    except Exception:  # noqa: BLE001 - `read` will say what is wrong with it
        return None


def _is_harmless(text: str) -> bool:
    ascii_only = text.encode("ascii", "ignore").lower()
    return all(ascii_only.count(what) <= most for what, most in _HARMLESS_COUNTS)


def _parse_fast(decoded: Decoded, document: Document, most_entries: int = sys.maxsize) -> Feed | None:
    return parse_fast(decoded, url=document.url, max_entries=min(document.max_entries, most_entries))


def _parse(decoded: Decoded, document: Document) -> Feed:
    # Most documents never need feedparser, which takes a while to import.
    from kzfeed.feed.parse import parse

    return parse(decoded, url=document.url, max_entries=document.max_entries)


def _articles(feed: Feed, document: Document) -> Read:
    reading = Reading(base_url=document.url, zone=ZoneInfo(document.timezone or "UTC"), now=document.now)
    articles = from_feed(feed, reading)
    if sum(len(article.media) + len(article.tags) for article in articles) > MOST_MEDIA_AND_TAGS:
        raise DocumentError("parse", f"it has more than {MOST_MEDIA_AND_TAGS:,} images, enclosures and tags")
    return replace(feed, entries=tuple(replace(entry, content="") for entry in feed.entries)), articles
