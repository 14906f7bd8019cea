"""One document, read: bytes as a server sent them in, the feed and its articles out.

Pure, so that it can run where it is safest; everything it needs to know comes with the document.
"""

import sys
from dataclasses import replace
from zoneinfo import ZoneInfo

from kzfeed.article.build import Reading, from_feed
from kzfeed.errors import DocumentError
from kzfeed.feed.decode import decode, decode_plain
from kzfeed.feed.fast import parse_fast, parse_plain
from kzfeed.model import Document, Entry, Feed, Read

MOST_MEDIA_AND_TAGS = 250_000
"""How many one document may have: each is a row, and 5,000 entries with 50 each are no feed that anybody reads."""

_HARMLESS_BYTES = 512 * 1024
_HARMLESS_ENTRIES = 500
_HARMLESS_COUNTS = ((b"<", 12_000), (b"&", 25_000), (b"src", 1_000), (b"style", 1_000))
"""How much may be in a document that is read beside other work: this is what its articles' text and media cost."""


def read(document: Document) -> Read:
    """The feed and its articles, in document order. Raises DocumentError."""
    return _articles(_parse_plain(document) or _parse(document), document)


def read_harmless(document: Document) -> Read | None:
    """What `read` says of a document that is plainly harmless and of moderate size; None for any other. Never raises.

    An ordinary feed of 375 KB takes some 10 ms, the most laborious document that is let in some 60 ms.
    """
    if len(document.body) > _HARMLESS_BYTES or not _is_harmless(document.body):
        return None
    try:
        feed = _parse_plain(document, most_entries=_HARMLESS_ENTRIES)
        return _articles(feed, document) if feed else None
    except Exception:  # noqa: BLE001 - `read` will say what is wrong with it
        return None


def _is_harmless(body: bytes) -> bool:
    lower = body.lower()
    return all(lower.count(what) <= most for what, most in _HARMLESS_COUNTS)


def _parse_plain(document: Document, most_entries: int = sys.maxsize) -> Feed | None:
    plain = decode_plain(document.body, document.content_type)
    return plain and parse_plain(*plain, url=document.url, max_entries=min(document.max_entries, most_entries))


def _parse(document: Document) -> Feed:
    decoded = decode(document.body, document.content_type)
    feed = parse_fast(decoded, url=document.url, max_entries=document.max_entries)
    if feed is None:
        # Most documents never need feedparser, which takes a while to import.
        from kzfeed.feed.parse import parse

        feed = parse(decoded, url=document.url, max_entries=document.max_entries)
    return feed


def _articles(feed: Feed, document: Document) -> Read:
    reading = Reading(base_url=document.url, zone=ZoneInfo(document.timezone or "UTC"), now=document.now)
    articles = from_feed(feed, reading)
    if sum(len(article.media) + len(article.tags) for article in articles) > MOST_MEDIA_AND_TAGS:
        raise DocumentError("parse", f"it has more than {MOST_MEDIA_AND_TAGS:,} images, enclosures and tags")
    return replace(feed, entries=tuple(Entry(dates=entry.dates) for entry in feed.entries)), articles
