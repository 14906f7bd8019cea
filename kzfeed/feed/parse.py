"""The text of a document comes in, a Feed goes out; feedparser is the judge of what RSS, RDF, Atom and CDF mean.

Every complete entry is kept, of a broken document too, and an entry in which the document breaks off is left out.
Nothing but the text itself is ever read, and what cannot be read is a DocumentError, never another exception.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from typing import Any

import feedparser

from kzfeed.errors import DocumentError
from kzfeed.feed import about
from kzfeed.feed.essentials import essentials
from kzfeed.feed.item import byte_count, with_void_tags
from kzfeed.feed.json import ANY_IMAGE, parse_json
from kzfeed.feed.repair import (
    FEEDISH,
    FIRST_TAG,
    NAMES_A_BASE,
    ROOT,
    mended,
    problem_of,
    take_apart,
    with_asides,
    without_surplus,
)
from kzfeed.model import Decoded, Enclosure, Entry, Feed, TextType

_MAX_NAMED = 5

_Parsed = Mapping[str, Any]

# --- feedparser, made to bear what is odd ----------------------------------------------------------------------------

_oddities: ContextVar[dict[str, None] | None] = ContextVar("oddities", default=None)
"""The elements that feedparser could make nothing of in the document of ours that it reads; None if it reads none."""


def _unread(_date: str) -> tuple[int, ...] | None:
    """Any date at all: dates.py reads them, and feedparser's readers fail a whole document over one odd date."""
    return None if _oddities.get() is None else (1970, 1, 1, 0, 0, 0, 3, 1, 0)


def _forgiving(handler: Callable[..., object]) -> Callable[..., object]:
    """feedparser's handler of an element, which leaves the element to feedparser where it would fail the document."""
    name = handler.__name__.partition("_start_")[2] or handler.__name__.partition("_end_")[2]

    @wraps(handler)
    def handled(*arguments: Any) -> object:
        try:
            return handler(*arguments)
        except (AttributeError, MemoryError, RecursionError):
            raise
        except Exception as error:
            oddities = _oddities.get()
            if oddities is None:
                raise
            oddities[f"{name} ({type(error).__name__})"] = None
            # feedparser takes this for an element that it does not know, and keeps it as it is.
            raise AttributeError(name) from error

    return handled


def _bear_what_is_odd(parser: Any) -> None:
    """Coordinates, chapters, sizes and what belongs together: a handler may trip over any content, or its absence."""
    for name in dir(parser):
        if name.startswith(("_start_", "_end_")):
            setattr(parser, name, _forgiving(getattr(parser, name)))
    context_of = parser._get_context

    @wraps(context_of)
    def context(self: Any) -> object:
        if self.intextinput and _oddities.get() is not None:
            # That of an entry is where feedparser does not look for it.
            self.feeddata.setdefault("textinput", feedparser.FeedParserDict())
        return context_of(self)

    parser._get_context = context


feedparser.registerDateHandler(_unread)
_bear_what_is_odd(feedparser.mixin._FeedParserMixin)


# --- what a document says --------------------------------------------------------------------------------------------


def parse(document: Decoded, *, url: str, max_entries: int = 5000) -> Feed:
    """Read a feed that came from `url`; entries beyond `max_entries` are counted in `dropped`.

    Raises DocumentError: "empty"; "not-a-feed" for HTML, other XML and other JSON; "parse" for what cannot be read, or
    must not be (entities that unfold or reach outside, nesting without end).
    """
    text = document.text.lstrip("\ufeff \t\r\n")
    if not text:
        raise DocumentError("empty", "the document is empty")
    try:
        if text[0] in "{[":
            feed = parse_json(text, max_entries=max_entries)
        else:
            feed = _parse_xml(text, url=url, max_entries=max_entries)
    except DocumentError:
        raise
    except Exception as error:
        raise DocumentError("parse", f"the document cannot be read: {type(error).__name__}: {error}"[:200]) from error
    if document.flawed:
        flaw = f"its encoding was guessed ({document.encoding}), or bytes were replaced"
        feed = replace(feed, flaw=f"{feed.flaw}; {flaw}" if feed.flaw else flaw)
    return feed


def _parse_xml(text: str, *, url: str, max_entries: int) -> Feed:
    doctype, body, entities = take_apart(text)
    root = FIRST_TAG.search(body)
    name = root[1].rpartition(":")[2].lower() if root else ""
    if name in {"html", "head", "body"} or not FEEDISH.search(body):
        raise DocumentError("not-a-feed", "the document is HTML" if name == "html" else "the document is no feed")
    flaws = []
    cut_off = False
    problem = problem_of(doctype + body)
    if problem:
        # A server's own warnings may stand before the feed.
        start = ROOT.search(body)
        body, cut_off = mended(body[start.start() :] if start else body, entities)
        flaws.append(f"the document {'breaks off' if cut_off else 'is broken'}: {problem}")
    body, dropped = without_surplus(body, max_entries)
    body = with_asides(body)
    headers = {"content-type": "application/xml; charset=utf-8"}
    if NAMES_A_BASE.search(body):
        headers["content-location"] = url
    parsed, oddities = _judged(doctype, body, headers)
    flaws += oddities
    raw_entries = parsed["entries"]
    # Where nothing is left to read, feedparser does not even say that it knows no version.
    version = str(parsed.get("version") or "") or ("cdf" if name == "channel" else "")
    if not version and not raw_entries:
        raise DocumentError("not-a-feed", f"the document is XML, but no feed (its root is {name[:40]!r})")
    has_full = _FULL_CONTENT.search(body) is not None
    entries = tuple(
        _entry(raw, atom=version.startswith("atom"), has_full=has_full) for raw in raw_entries[:max_entries]
    )
    dropped += len(raw_entries) - len(entries)
    if dropped:
        flaws.append(f"{dropped} entries beyond {max_entries} were dropped")
    channel = parsed["feed"]
    return Feed(
        format=version or "unknown",
        title=_text(channel, "title") or None,
        site_url=about.site_url(url, _text(channel, "link")),
        language=_text(channel, "language") or None,
        ttl=about.minutes(_text(channel, "ttl")),
        skip_hours=about.skip_hours(body),
        skip_days=about.skip_days(body),
        update_every=about.update_every(_text(channel, "sy_updateperiod"), _text(channel, "sy_updatefrequency")),
        entries=entries,
        dropped=dropped,
        cut_off=cut_off,
        flaw="; ".join(flaws) or None,
    )


def _judged(doctype: str, body: str, headers: Mapping[str, str]) -> tuple[_Parsed, list[str]]:
    """What feedparser says of the document, and what it could not bear in it: as little as possible is left out."""
    try:
        parsed, oddities = _read(doctype + body, headers)
    except MemoryError:
        raise
    except Exception as error:
        less = essentials(body)
        if less == body:
            raise
        parsed, oddities = _read(doctype + less, headers)
        oddities[f"all that no article is made of, because of a {type(error).__name__}"] = None
    return parsed, [f"left out as unreadable: {', '.join(list(oddities)[:_MAX_NAMED])}"] if oddities else []


def _read(text: str, headers: Mapping[str, str]) -> tuple[_Parsed, dict[str, None]]:
    oddities: dict[str, None] = {}
    ours = _oddities.set(oddities)
    try:
        # In memory, because feedparser opens strings and bytes that look like a path or an address.
        parsed: _Parsed = feedparser.parse(
            io.BytesIO(text.encode()), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    finally:
        _oddities.reset(ours)
    return parsed, oddities


# --- what an entry says ----------------------------------------------------------------------------------------------

_FULL_CONTENT = re.compile(r"<(?:[\w.-]+:encoded|(?:atom\d*:)?content|fullitem|(?:xhtml:)?body)\b", re.IGNORECASE)
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_DATES = ("published", "updated", "created", "dcterms_available", "prism_publicationdate")
_ASIDES = ("itunes_kzplain", "itunes_kzhtml", "media_kzplain", "media_kzhtml")


def _entry(raw: _Parsed, *, atom: bool, has_full: bool) -> Entry:
    content, content_type, language = _content(raw, atom=atom, has_full=has_full)
    title_detail = _mapping(raw, "title_detail")
    return Entry(
        title=_text(raw, "title"),
        title_type="html" if title_detail.get("type") in _HTML_TYPES else "text",
        link=_link(raw),
        guid=_text(raw, "id") or None,
        content=content,
        content_type=content_type,
        dates=tuple(dict.fromkeys(date for key in _DATES if (date := _text(raw, key)))),
        author=_author(raw),
        language=_text(raw, "language") or language or _text(title_detail, "language") or None,
        tags=tuple(dict.fromkeys(_tags(raw))),
        enclosures=tuple(_unique(_enclosures(raw))),
    )


def _link(raw: _Parsed) -> str | None:
    link = _text(raw, "link")
    # feedparser takes the guid of an entry without a link for one, whatever it is.
    if raw.get("guidislink") and link == _text(raw, "id") and not re.match("https?://", link, re.IGNORECASE):
        link = ""
    if link:
        return link
    # An alternate of another type than HTML (Atom) is still where the entry is to be found.
    alternates = [_text(each, "href") for each in _mappings(raw, "links") if each.get("rel") == "alternate"]
    return next(filter(None, alternates), None)


def _content(raw: _Parsed, *, atom: bool, has_full: bool) -> tuple[str, TextType, str]:
    """The fullest content, its type and language: content; else description or summary; else what stands aside."""
    parts = [part for part in _mappings(raw, "content") if _is_readable(_text(part, "value"), _text(part, "type"))]
    summary = {"type": "text/html", **_mapping(raw, "summary_detail"), "value": _text(raw, "summary")}
    if not parts or not has_full:
        # Without such an element anywhere, "content" is a second description: neither is the fuller one by its name.
        parts.append(summary)
    best = max(parts, key=lambda part: len(_text(part, "value")))
    content, kind, language = (_text(best, key) for key in ("value", "type", "language"))
    if not content:
        aside = next((key for key in _ASIDES if _text(raw, key)), "")
        content, kind = _text(raw, aside), "text/html" if aside.endswith("html") else "text/plain"
    if kind == "application/xhtml+xml":
        content = with_void_tags(content)
    return content, "text" if atom and kind == "text/plain" else "html", language


def _is_readable(value: str, mime_type: str) -> bool:
    """Whether there is a text; what feedparser could not decode from Base64 is none."""
    if mime_type.startswith("text/") or mime_type.endswith(("+xml", "/xml")):
        return bool(value)
    return not re.fullmatch(r"[A-Za-z0-9+/=\s]*", value)


def _author(raw: _Parsed) -> str | None:
    names = list(dict.fromkeys(name for each in _mappings(raw, "authors") if (name := _text(each, "name"))))
    return (", ".join(names) if len(names) > 1 else _text(raw, "author")) or None


def _tags(raw: _Parsed) -> Iterator[str]:
    for tag in _mappings(raw, "tags"):
        if name := _text(tag, "term").strip() or _text(tag, "label").strip():
            yield name


def _unique(enclosures: Iterable[Enclosure]) -> Iterable[Enclosure]:
    first: dict[str, Enclosure] = {}
    for enclosure in enclosures:
        first.setdefault(enclosure.url, enclosure)
    return first.values()


def _enclosures(raw: _Parsed) -> Iterator[Enclosure]:
    for link in _mappings(raw, "links"):
        if link.get("rel") == "enclosure" and (url := _text(link, "href").strip()):
            # feedparser says text/html where the link says nothing.
            mime_type = _text(link, "type").strip().replace("text/html", "")
            yield Enclosure(url, mime_type or None, byte_count(_text(link, "length")))
    for media in _mappings(raw, "media_content"):
        if url := _text(media, "url").strip():
            medium = _text(media, "medium").strip().lower()
            any_type = f"{medium}/*" if medium in {"image", "audio", "video"} else None
            yield Enclosure(url, _text(media, "type").strip() or any_type, byte_count(_text(media, "filesize")))
    for thumbnail in _mappings(raw, "media_thumbnail"):
        if url := _text(thumbnail, "url").strip():
            yield Enclosure(url, ANY_IMAGE)


# feedparser's dictionaries answer for other keys than are there, and hold what a hostile document puts into them.


def _text(parsed: _Parsed, key: str) -> str:
    value = dict.get(parsed, key) if isinstance(parsed, dict) else None
    return value if isinstance(value, str) else ""


def _mapping(parsed: _Parsed, key: str) -> _Parsed:
    value = dict.get(parsed, key) if isinstance(parsed, dict) else None
    return value if isinstance(value, dict) else {}


def _mappings(parsed: _Parsed, key: str) -> list[_Parsed]:
    value = dict.get(parsed, key) if isinstance(parsed, dict) else None
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
