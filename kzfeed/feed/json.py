"""Reader of JSON Feed 1 and 1.1 (jsonfeed.org).

A fault in one item costs that field or that item, never another one.
"""

import json
import math
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from kzfeed.errors import DocumentError
from kzfeed.feed.channel import plain_title, site_url
from kzfeed.feed.decode import clean
from kzfeed.feed.newest import NewestEntries
from kzfeed.model.articles import USUAL_READING, Enclosure, Entry, Feed, FeedReading

ANY_IMAGE = "image/*"
"""The type of a file that is known to be an image, and nothing more."""

_DURATION = re.compile(r"(?:(?:([0-9]{1,4}):)?([0-9]{1,4}):)?([0-9]{1,8}(?:\.[0-9]{1,9})?)")
_Object = dict[str, Any]


def read_json_feed(text: str, *, url: str, newest: NewestEntries, reading: FeedReading = USUAL_READING) -> Feed:
    """Read a JSON Feed that came from `url`; `newest` chooses of its entries.

    Raises DocumentError "parse" for broken JSON, "not-a-feed" for any other JSON.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError("parse", f"the JSON is broken: {str(error)[:120]}") from error
    version = _string(document, "version") if isinstance(document, dict) else ""
    if "jsonfeed.org/version/" not in version:
        raise DocumentError("not-a-feed", "the document is JSON, but no JSON Feed")
    items = document.get("items")
    if not isinstance(items, list):
        raise DocumentError("parse", "the JSON Feed has no list of items")
    objects = [item for item in items if isinstance(item, dict)]
    wrong = len(items) - len(objects)
    authors = list(_authors(document))
    for item in objects:
        newest.add(partial(_dates, item), partial(_entry, item, authors, reading))
    return Feed(
        format="json11" if version.rstrip("/").endswith("/1.1") else "json1",
        title=plain_title(_string(document, "title"), is_html=False),
        site_url=site_url(url, _string(document, "home_page_url")),
        language=_string(document, "language") or None,
        entries=newest.in_document_order(),
        dropped=newest.dropped,
        skipped=newest.skipped,
        flaw=f"{wrong} {'item is no object' if wrong == 1 else 'items are no objects'}" if wrong else None,
    )


def _entry(item: _Object, authors_of_feed: list[str], reading: FeedReading) -> Entry:
    html = _string(item, "content_html")
    text = _string(item, "content_text") or _string(item, "summary")
    if chosen := next((name for name in reading.content_from if _string(item, name)), None):
        html, text = (_string(item, chosen), "") if chosen == "content_html" else ("", _string(item, chosen))
    address = _string(item, "url") or _string(item, "external_url") or None
    if reading.link_from == "guid" and _string(item, "id").lower().startswith(("http://", "https://")):
        address = _string(item, "id")
    return Entry(
        title=_string(item, "title"),
        link=address,
        guid=_string(item, "id") or None,
        content=html or text,
        content_type="html" if html or not text else "text",
        dates=_dates(item),
        author=", ".join(dict.fromkeys(list(_authors(item)) or authors_of_feed)) or None,
        language=_string(item, "language") or None,
        tags=tuple(dict.fromkeys(tag for value in _list(item, "tags") if (tag := _scalar(value)))),
        enclosures=tuple(_enclosures(item)),
    )


def _dates(item: _Object) -> tuple[str, ...]:
    return tuple(filter(None, [_string(item, "date_published") or _string(item, "date_modified")]))


def _authors(item_or_feed: _Object) -> Iterator[str]:
    # Version 1 had one author, 1.1 has several; a feed may give both.
    for author in _list(item_or_feed, "authors") or [item_or_feed.get("author")]:
        name = _string(author, "name") if isinstance(author, dict) else _scalar(author)
        if name:
            yield name


def _enclosures(item: _Object) -> Iterator[Enclosure]:
    for attachment in _list(item, "attachments"):
        if isinstance(attachment, dict) and (url := _string(attachment, "url")):
            size = attachment.get("size_in_bytes")
            known = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 10**18
            duration = seconds(_string(attachment, "duration_in_seconds"))
            yield Enclosure(url, _string(attachment, "mime_type") or None, size if known else None, duration)
    for key in ("image", "banner_image"):
        if url := _string(item, key):
            yield Enclosure(url, ANY_IMAGE)


def seconds(written: str) -> float | None:
    """The duration that a feed writes as seconds or as `1:02:03`; None where it is no duration, or 0."""
    match = _DURATION.fullmatch(written.strip())
    if match is None:
        return None
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest or None


def _list(mapping: _Object, key: str) -> list[Any]:
    value = mapping.get(key)
    return value if isinstance(value, list) else []


def _string(mapping: _Object, key: str) -> str:
    return _scalar(mapping.get(key))


def _scalar(value: object) -> str:
    """A string, or a number as one (ids are often numbers); "" for anything else."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    # An escape such as \ud83d or \u0000 can name what no text may hold.
    return clean(str(value)).strip() if isinstance(value, str | int | float) else ""
