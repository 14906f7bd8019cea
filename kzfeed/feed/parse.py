"""Parser of feeds: the text of a JSON, RSS, RDF, Atom or CDF document becomes a Feed.

Every complete entry is kept, of a broken document too; an entry in which the document breaks off is left out. It reads
no other file or address. `Feed.flaw` says what is wrong with the document.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from xml.parsers import expat

from kzfeed.errors import DocumentError
from kzfeed.feed.json import read_json_feed
from kzfeed.feed.newest import NewestEntries
from kzfeed.feed.repair import FEED_TAG, FIRST_TAG, repair, safe_document
from kzfeed.feed.rss_atom import read_feed
from kzfeed.model.articles import USUAL_READING, Decoded, Entry, Feed, FeedReading


def parse(
    document: Decoded,
    *,
    url: str,
    max_entries: int = 5000,
    is_archived: Callable[[Entry], bool] | None = None,
    reading: FeedReading = USUAL_READING,
) -> Feed:
    """Read a feed that came from `url`. Of more than `max_entries` entries the newest are kept.

    With `is_archived` those that are not archived yet come first.

    Raises DocumentError: "empty"; "not-a-feed" for HTML, other XML and other JSON; "parse" for what cannot be read, or
    must not be (entities that unfold or reach outside, nesting without end).
    """
    text = document.text.lstrip("\ufeff \t\r\n")
    if not text:
        raise DocumentError("empty", "the document is empty")
    try:
        choice = partial(NewestEntries, max_entries, is_archived)
        is_json = text[0] in "{["
        if is_json:
            feed = read_json_feed(text, url=url, newest=choice(), reading=reading)
        else:
            feed = _read_xml_feed(text, url, choice, reading)
    except DocumentError:
        raise
    except Exception as error:
        raise DocumentError("parse", f"the document cannot be read: {type(error).__name__}: {error}"[:200]) from error
    if feed.dropped:
        entries = "1 entry" if feed.dropped == 1 else f"{feed.dropped} entries"
        verb = "was" if feed.dropped == 1 else "were"
        feed = _with_flaw(feed, f"{entries} beyond {max_entries} {verb} dropped")
    if document.flaw:
        feed = _with_flaw(feed, document.flaw)
    return feed


def parse_well_formed(
    document: Decoded, *, url: str, max_entries: int = 5000, reading: FeedReading = USUAL_READING
) -> Feed | None:
    """What `parse` makes of well-formed XML without a document type and without flaw; None for any other document.

    It neither repairs nor calls feedparser. Raises DocumentError as `parse` does.
    """
    text = document.text.lstrip("\ufeff \t\r\n")
    if document.flawed or not text.startswith("<"):
        return None
    doctype, body = safe_document(text)
    try:
        newest = NewestEntries(max_entries)
        feed = read_feed(body, url=url, newest=newest, reading=reading) if doctype is None else None
    except expat.ExpatError:
        return None
    return None if feed is None or feed.dropped else feed


def _read_xml_feed(text: str, url: str, choice: Callable[[], NewestEntries], reading: FeedReading) -> Feed:
    doctype, body = safe_document(text)
    root = FIRST_TAG.search(body)
    name = root[1].rpartition(":")[2].lower() if root else ""
    if name in {"html", "head", "body"} or not FEED_TAG.search(body):
        raise DocumentError("not-a-feed", "the document is HTML" if name == "html" else "the document is no feed")
    declaration, entities = (doctype.declaration, doctype.entities) if doctype else ("", frozenset())
    try:
        feed = read_feed(declaration + body, url=url, newest=choice(), reading=reading)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        repaired, cut_off = repair(body, entities)
        feed = _read_repaired_feed(declaration + repaired, url, choice, reading)
        flaw = f"the document {'breaks off' if cut_off else 'is broken'}: {problem}"
        feed = replace(_with_flaw(feed, flaw), cut_off=cut_off)
    if doctype and doctype.is_netscape and feed.format == "rss091u":
        feed = replace(feed, format="rss091n")
    return feed


def _read_repaired_feed(text: str, url: str, choice: Callable[[], NewestEntries], reading: FeedReading) -> Feed:
    try:
        return read_feed(text, url=url, newest=choice(), reading=reading)
    except expat.ExpatError:
        # Hardly any document needs feedparser, which takes a while to import.
        from kzfeed.feed.feedparser_fallback import read_leniently

        return read_leniently(text, url=url, newest=choice(), reading=reading)


def _with_flaw(feed: Feed, flaw: str) -> Feed:
    return replace(feed, flaw=f"{feed.flaw}; {flaw}" if feed.flaw else flaw)
