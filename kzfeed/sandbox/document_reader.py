"""Reading a document: decoding, parsing and building its articles, in one function.

It is pure, so that it can run in any process; the document carries everything that it needs.
"""

from dataclasses import replace
from zoneinfo import ZoneInfo

from kzfeed.article.build import FeedContext, articles_of_feed, flaw_of_dates, key_of_entry
from kzfeed.errors import DocumentError
from kzfeed.feed.decode import decode, decode_as, decode_utf8
from kzfeed.feed.parse import parse, parse_well_formed
from kzfeed.model.articles import Document, Entry, Feed, ParsedDocument
from kzfeed.text import joined_flaws

MAX_MEDIA_AND_TAGS = 250_000
"""The most images, enclosures and tags that one document may have together: each is a row."""

_HARMLESS_BYTES = 512 * 1024
_HARMLESS_ENTRIES = 500
_HARMLESS_COUNTS = ((b"<", 12_000), (b"&", 25_000), (b"src", 1_000), (b"style", 1_000))
"""Limits for a document that is read in the poll's process: they bound the cost of deriving text and media."""


def read_document(document: Document) -> ParsedDocument:
    """Read a feed and its articles, in document order. Raises DocumentError."""
    encoding = document.reading.encoding
    decoded = decode_as(document.body, encoding) if encoding else decode(document.body, document.content_type)
    context = _context(document)

    def is_archived(entry: Entry) -> bool:
        return key_of_entry(entry, context) in document.archived

    known = is_archived if document.archived else None
    feed = parse(
        decoded, url=document.url, max_entries=document.max_entries, is_archived=known, reading=document.reading
    )
    return _articles(replace(feed, encoding=decoded.encoding), document)


def read_if_harmless(document: Document) -> ParsedDocument | None:
    """Read a document that is plainly harmless and of moderate size; None for any other. Raises nothing.

    The most expensive document that qualifies takes about 60 ms.
    """
    if len(document.body) > _HARMLESS_BYTES or document.reading.encoding or not _is_harmless(document.body):
        return None
    try:
        decoded = decode_utf8(document.body, document.content_type)
        most = min(document.max_entries, _HARMLESS_ENTRIES)
        if decoded is None:
            return None
        feed = parse_well_formed(decoded, url=document.url, max_entries=most, reading=document.reading)
        return _articles(replace(feed, encoding=decoded.encoding), document) if feed else None
    except Exception:  # noqa: BLE001 - `read_document` raises the right error, in a worker
        return None


def _is_harmless(body: bytes) -> bool:
    lower = body.lower()
    return all(lower.count(what) <= most for what, most in _HARMLESS_COUNTS)


def _context(document: Document) -> FeedContext:
    return FeedContext(base_url=document.url, zone=ZoneInfo(document.timezone or "UTC"), now=document.now)


def _articles(feed: Feed, document: Document) -> ParsedDocument:
    context = _context(document)
    articles = articles_of_feed(feed, context)
    flaw = joined_flaws(feed.flaw, flaw_of_dates(articles, context))
    if sum(len(article.media) + len(article.tags) for article in articles) > MAX_MEDIA_AND_TAGS:
        raise DocumentError("parse", f"it has more than {MAX_MEDIA_AND_TAGS:,} images, enclosures and tags")
    entries = tuple(Entry(dates=entry.dates) for entry in feed.entries)
    return ParsedDocument(replace(feed, entries=entries, flaw=flaw), articles)
