"""Parser of feeds: the text of a JSON, RSS, RDF, Atom or CDF document becomes a Feed.

Every complete entry is kept, of a broken document too; an entry in which the document breaks off is left out. Nothing
but the text itself is read. Whatever is not right with the document is said in `Feed.flaw`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.parsers import expat

from kzfeed.errors import DocumentError
from kzfeed.feed.dates.parse import AHEAD, instant
from kzfeed.feed.json import read_json_feed
from kzfeed.feed.repair import FEED_TAG, FIRST_TAG, repair, safe_document
from kzfeed.feed.rss_atom import read_feed
from kzfeed.model import Decoded, Entry, Feed

_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC) - AHEAD - timedelta(days=1)


def parse(document: Decoded, *, url: str, max_entries: int = 5000) -> Feed:
    """Read a feed that came from `url`. Of more than `max_entries` entries the newest are kept.

    Raises DocumentError: "empty"; "not-a-feed" for HTML, other XML and other JSON; "parse" for what cannot be read, or
    must not be (entities that unfold or reach outside, nesting without end).
    """
    text = document.text.lstrip("\ufeff \t\r\n")
    if not text:
        raise DocumentError("empty", "the document is empty")
    try:
        feed = read_json_feed(text) if text[0] in "{[" else _parse_xml(text, url)
    except DocumentError:
        raise
    except Exception as error:
        raise DocumentError("parse", f"the document cannot be read: {type(error).__name__}: {error}"[:200]) from error
    feed = _without_surplus(feed, max_entries)
    if document.flawed:
        feed = _with_flaw(feed, f"its encoding was guessed ({document.encoding}), or bytes were replaced")
    return feed


def parse_well_formed(document: Decoded, *, url: str, max_entries: int = 5000) -> Feed | None:
    """The same for a document that holds no surprises: well-formed XML of valid bytes, without a document type.

    None for any other document. Raises DocumentError as `parse` does.
    """
    text = document.text.lstrip("\ufeff \t\r\n")
    if document.flawed or not text.startswith("<"):
        return None
    doctype, body = safe_document(text)
    try:
        return None if doctype is not None else _without_surplus(read_feed(body, url=url), max_entries)
    except expat.ExpatError:
        return None


def _parse_xml(text: str, url: str) -> Feed:
    doctype, body = safe_document(text)
    root = FIRST_TAG.search(body)
    name = root[1].rpartition(":")[2].lower() if root else ""
    if name in {"html", "head", "body"} or not FEED_TAG.search(body):
        raise DocumentError("not-a-feed", "the document is HTML" if name == "html" else "the document is no feed")
    declaration, entities = (doctype.declaration, doctype.entities) if doctype else ("", frozenset())
    try:
        feed = read_feed(declaration + body, url=url)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        repaired, cut_off = repair(body, entities)
        feed = _read_repaired(declaration + repaired, url)
        flaw = f"the document {'breaks off' if cut_off else 'is broken'}: {problem}"
        feed = replace(_with_flaw(feed, flaw), cut_off=cut_off)
    if doctype and doctype.is_netscape and feed.format == "rss091u":
        feed = replace(feed, format="rss091n")
    return feed


def _read_repaired(text: str, url: str) -> Feed:
    try:
        return read_feed(text, url=url)
    except expat.ExpatError:
        # Hardly any document needs feedparser, which takes a while to import.
        from kzfeed.feed.feedparser_fallback import read_leniently

        return read_leniently(text, url=url)


def _with_flaw(feed: Feed, flaw: str) -> Feed:
    return replace(feed, flaw=f"{feed.flaw}; {flaw}" if feed.flaw else flaw)


def _without_surplus(feed: Feed, most: int) -> Feed:
    dropped = len(feed.entries) - most
    if dropped <= 0:
        return feed
    newest = sorted(range(len(feed.entries)), key=_age(feed.entries))[:most]
    feed = replace(feed, entries=tuple(feed.entries[number] for number in sorted(newest)), dropped=dropped)
    return _with_flaw(feed, f"{dropped} entries beyond {most} were dropped")


def _age(entries: tuple[Entry, ...]) -> Callable[[int], tuple[float, int]]:
    """Sort key of the entry of a number: the newest first, those without a date after them in document order."""

    def age(number: int) -> tuple[float, int]:
        dates = (instant(raw, now=_END_OF_TIME) for raw in entries[number].dates)
        return next((-date.timestamp() for date in dates if date), 0.0), number

    return age
