"""Reader of XML that is still not well-formed after repair: feedparser's lenient parser, through its public API."""

import io
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import feedparser

from kzfeed.errors import DocumentError
from kzfeed.feed import channel
from kzfeed.feed.entry import byte_count
from kzfeed.feed.json import ANY_IMAGE, seconds
from kzfeed.feed.newest import NewestEntries
from kzfeed.model.articles import USUAL_READING, Enclosure, Entry, Feed, FeedReading

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})

_SUMMARIES = (("description",), ("summary",))
"""The fields that feedparser calls `summary`, as the first of `FeedReading.content_from`."""

_Parsed = Mapping[str, Any]


def _any_date(_raw: str) -> tuple[int, ...]:
    return 1970, 1, 1, 0, 0, 0, 3, 1, 0


# Dates are read elsewhere, and feedparser's own date handlers fail a whole document over one odd date.
feedparser.registerDateHandler(_any_date)


def read_leniently(text: str, *, url: str, newest: NewestEntries, reading: FeedReading = USUAL_READING) -> Feed:
    """Read a broken document that came from `url`; `newest` chooses of its entries.

    Raises DocumentError "not-a-feed".
    """
    # In memory, because feedparser opens strings and bytes that look like a path or an address.
    parsed: _Parsed = feedparser.parse(
        io.BytesIO(text.encode()),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    version = str(parsed.get("version") or "")
    if not version and not parsed["entries"]:
        raise DocumentError("not-a-feed", "the document is broken, and no feed can be made out in it")
    for raw in parsed["entries"]:
        newest.add(partial(_dates, raw), partial(_entry, raw, reading, is_atom=version.startswith("atom")))
    head = parsed["feed"]
    return Feed(
        format=version or "unknown",
        title=channel.plain_title(
            _text(head, "title"), is_html=_mapping(head, "title_detail").get("type") in _HTML_TYPES
        ),
        site_url=channel.site_url(url, _text(head, "link")),
        language=_text(head, "language") or None,
        ttl=channel.minutes(_text(head, "ttl")),
        update_every=channel.update_interval(_text(head, "sy_updateperiod"), _text(head, "sy_updatefrequency")),
        entries=newest.in_document_order(),
        dropped=newest.dropped,
        skipped=newest.skipped,
    )


def _entry(raw: _Parsed, reading: FeedReading, *, is_atom: bool) -> Entry:
    content = max(_mappings(raw, "content"), key=lambda part: len(_text(part, "value")), default={})
    if _text(raw, "summary") and reading.content_from[:1] in _SUMMARIES:
        content = {}
    if not _text(content, "value"):
        content = {"type": "text/html", **_mapping(raw, "summary_detail"), "value": _text(raw, "summary")}
    link = _text(raw, "link")
    if raw.get("guidislink") and not link.lower().startswith(("http://", "https://")):
        # feedparser takes the guid of an entry without a link for one, whatever it is.
        link = ""
    if reading.link_from == "guid" and _text(raw, "id").lower().startswith(("http://", "https://")):
        link = _text(raw, "id")
    return Entry(
        title=_text(raw, "title"),
        title_type="html" if _mapping(raw, "title_detail").get("type") in _HTML_TYPES else "text",
        link=link or None,
        guid=_text(raw, "id") or None,
        content=_text(content, "value"),
        content_type="text" if is_atom and content.get("type") == "text/plain" else "html",
        dates=_dates(raw),
        author=_text(raw, "author") or None,
        language=_text(raw, "language") or _text(content, "language") or None,
        tags=tuple(dict.fromkeys(tag for each in _mappings(raw, "tags") if (tag := _text(each, "term").strip()))),
        enclosures=tuple(_enclosures(raw)),
    )


def _dates(raw: _Parsed) -> tuple[str, ...]:
    published = [_text(raw, key) for key in ("published", "created")]
    return tuple(dict.fromkeys(filter(None, published))) or tuple(filter(None, [_text(raw, "updated")]))


def _enclosures(raw: _Parsed) -> Iterator[Enclosure]:
    duration = seconds(_text(raw, "itunes_duration"))
    for link in _mappings(raw, "links"):
        if link.get("rel") == "enclosure" and (address := _text(link, "href").strip()):
            kind = _text(link, "type").strip() or None
            own = None if kind and kind.startswith("image/") else duration
            yield Enclosure(address, kind, byte_count(_text(link, "length")), own)
    for media in _mappings(raw, "media_content"):
        if address := _text(media, "url").strip():
            own = seconds(_text(media, "duration"))
            yield Enclosure(address, _text(media, "type").strip() or None, byte_count(_text(media, "filesize")), own)
    for thumbnail in _mappings(raw, "media_thumbnail"):
        if address := _text(thumbnail, "url").strip():
            yield Enclosure(address, ANY_IMAGE)


# feedparser's dictionaries answer for other keys than they hold, and hold whatever a hostile document puts into them.


def _text(parsed: _Parsed, key: str) -> str:
    value = dict.get(parsed, key) if isinstance(parsed, dict) else None
    return value if isinstance(value, str) else ""


def _mapping(parsed: _Parsed, key: str) -> _Parsed:
    value = dict.get(parsed, key) if isinstance(parsed, dict) else None
    return value if isinstance(value, dict) else {}


def _mappings(parsed: _Parsed, key: str) -> list[_Parsed]:
    value = dict.get(parsed, key) if isinstance(parsed, dict) else None
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
