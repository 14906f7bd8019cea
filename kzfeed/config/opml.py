"""OPML, the format in which feed readers exchange lists of feeds (http://opml.org/spec2.opml), read and written.

A feed is an outline with `xmlUrl`. The outlines around it are folders, which become a tag: `News/Asia` for a folder in
a folder.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import quoteattr
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml import sax as safe_sax
from pydantic import ValidationError

from kzfeed.config import addresses, values
from kzfeed.config.mistakes import explained
from kzfeed.config.settings import SourceSettings
from kzfeed.config.source_lists import LeftOut, ListedSource, SourceList
from kzfeed.config.toml_values import text_from, value_from
from kzfeed.feed.encoding_label import codecs_of
from kzfeed.source_names import is_source_name
from kzfeed.text import redacted, without_userinfo

NAMESPACE: Final = "urn:kzfeed:opml"
PREFIX: Final = "kzfeed:"
SETTINGS: Final = (
    *("every", "cron", "timezone", "enabled"),
    *("full_text", "link_from", "content_from", "encoding", "include", "exclude"),
)
"""The settings of a source that an export keeps and an import takes. None of them names a file or a server: a list from
a stranger must not send what a file holds to a server."""


class OpmlError(Exception):
    """The text is not OPML: the line, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


# --- reading ---------------------------------------------------------------------------------------------------------


def read_opml(document: bytes) -> SourceList:
    """The feeds of an OPML document. A feed that is in several folders is one source with a tag for each.

    Raises OpmlError.
    """
    reader = _Outlines()
    try:
        safe_sax.parse(io.BytesIO(_in_utf8(document)), reader)
    except SAXParseException as error:
        raise OpmlError(error.getLineNumber() or 1, f"not well-formed XML: {error.getMessage()}") from None
    except DefusedXmlException:
        raise OpmlError(1, "it declares entities, which a list of feeds does not need") from None
    except (ValueError, LookupError) as error:
        raise OpmlError(1, f"its encoding cannot be read, save it as UTF-8 ({error})") from None
    return SourceList(tuple(_merged(reader.sources)), tuple(reader.left_out))


_DECLARATION = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"'][^>]*\?>")


def _in_utf8(document: bytes) -> bytes:
    """The document in UTF-8: expat reads no multi-byte encoding such as GB18030. Raises ValueError."""
    declared = _DECLARATION.match(document)
    if declared is None or declared[1].lower() in (b"utf-8", b"utf8"):
        return document
    name = declared[1].decode("ascii")
    for codec in codecs_of(name):
        with suppress(UnicodeDecodeError):
            return document[declared.end() :].decode(codec).encode()
    raise ValueError(name)


class _Outlines(ContentHandler):
    """Collects the outlines of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[ListedSource] = []
        self.left_out: list[LeftOut] = []
        self._locator: Any = None
        self._has_root = False
        self._folders: list[str] = []
        """The names of the outlines around this place, empty for those that are no folder."""
        self._without_address: LeftOut | None = None
        """The outline that has just begun, if it has no address: a feed that lacks it, unless outlines are in it."""

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802 - the interface of SAX
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the same
        line = self._locator.getLineNumber()
        if not self._has_root and name.lower() != "opml":
            raise OpmlError(line, f"not OPML: its outermost element is <{name}>")
        self._has_root = True
        if name.lower() != "outline":
            return
        # Some readers write `xmlurl`. White space at the ends is never meant.
        found = {key.lower(): value.strip() for key, value in attrs.items()}
        title = found.get("text") or found.get("title") or ""
        is_folder = not (found.get("xmlurl") or found.get("url"))
        self._folders.append(title if is_folder else "")
        self._without_address = None
        if not is_folder:
            self._add(line, title, found)
        elif "xmlurl" in found or found.get("type", "folder").lower() != "folder":
            self._without_address = LeftOut(line, f"{redacted(title) or 'an outline'}: it has no address in xmlUrl")

    def endElement(self, name: str) -> None:  # noqa: N802 - the same
        if name.lower() == "outline":
            self._folders.pop()
            if self._without_address:
                self.left_out.append(self._without_address)
                self._without_address = None

    def _add(self, line: int, title: str, found: Mapping[str, str]) -> None:
        url = found.get("xmlurl", "")
        kind = found.get("type", "")
        try:
            if not url:
                raise ValueError(f"an outline of the type {kind or 'link'} and not a feed")
            if "+" in kind:
                raise ValueError(f"{kind}: the page is not a feed, another reader takes articles out of it")
            _check_address(url)
            settings = {key: value_from(found[PREFIX + key]) for key in SETTINGS if found.get(PREFIX + key)}
            _check_settings(url, settings)
        except ValueError as error:
            shown = redacted(title or url or found.get("url", ""))
            self.left_out.append(LeftOut(line, f"{shown}: {error}"))
            return
        name = found.get(f"{PREFIX}name", "")
        is_titled = not name or "title" in found
        self.sources.append(
            ListedSource(
                line=line,
                url=url,
                title=title if is_titled and title else None,
                tags=tuple(self._tags(found.get("category", ""))),
                name=name if is_source_name(name) else None,
                settings=settings,
            )
        )

    def _tags(self, categories: str) -> Iterator[str]:
        """The folder, and the categories that the feed names itself, such as `/News/Asia,/Daily`."""
        folder = "/".join(filter(None, self._folders))
        for tag in (folder, *categories.split(",")):
            yield from values.tags([tag]) if tag.strip(" /") else ()


def _check_address(url: str) -> None:
    """Raise ValueError unless a source may have this address."""
    try:
        addresses.address(url)
    except ValueError as error:
        raise ValueError(f"expected {error}") from None


def _check_settings(url: str, settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless a source may have these settings."""
    if not settings:
        return
    if "every" in settings and "cron" in settings:
        raise ValueError(f"{PREFIX}cron beside {PREFIX}every: a source has one of them")
    try:
        SourceSettings.model_validate({"name": "outline", "url": url, **settings})
    except ValidationError as error:
        place, value, expected = explained(error.errors()[0])
        key = str(place[0]) if place else "settings"
        raise ValueError(f"{PREFIX}{key} = {values.shown(value)!r}: expected {expected}") from None


def _merged(sources: Iterable[ListedSource]) -> Iterator[ListedSource]:
    """The sources, each once where only its folders differ: readers repeat a feed in every folder that it is in."""
    by_address: dict[object, list[ListedSource]] = {}
    for source in sources:
        alike = by_address.setdefault(addresses.address(source.url), [])
        if alike and not set(alike[0].tags) & set(source.tags) and source.tags and alike[0].tags:
            alike[0] = replace(alike[0], tags=alike[0].tags + source.tags)
        else:
            alike.append(source)
    for alike in by_address.values():
        yield from alike


# --- writing ---------------------------------------------------------------------------------------------------------


class _OutlineFolder:
    """A folder of an OPML document: its sources, and the folders in it by name."""

    def __init__(self) -> None:
        self.sources: list[Mapping[str, Any]] = []
        self.folders: dict[str, _OutlineFolder] = {}

    def lines(self, indent: str) -> Iterator[str]:
        for source in self.sources:
            attributes = "".join(f" {key}={_quoted(value)}" for key, value in _attributes(source))
            yield f"{indent}<outline{attributes}/>"
        for name, folder in self.folders.items():
            yield f"{indent}<outline text={_quoted(name)}>"
            yield from folder.lines(indent + "  ")
            yield f"{indent}</outline>"


def write_opml(sources: Iterable[Mapping[str, Any]]) -> str:
    """The sources, given as tables of kzfeed.toml, as an OPML document without passwords.

    A source with several tags is repeated in every folder. Attributes `kzfeed:…` hold its name and the settings that
    are in SETTINGS.
    """
    root = _OutlineFolder()
    for source in sources:
        for tag in values.tags(source.get("tags", [])) or [""]:
            folder = root
            for name in filter(None, tag.split("/")):
                folder = folder.folders.setdefault(name, _OutlineFolder())
            folder.sources.append(source)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<opml version="2.0" xmlns:kzfeed="{NAMESPACE}">',
        "  <head>",
        "    <title>Sources of kzfeed</title>",
        "  </head>",
        "  <body>",
        *root.lines("    "),
        "  </body>",
        "</opml>",
    ]
    return "".join(f"{line}\n" for line in lines)


def _attributes(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    title = source.get("title")
    yield "type", "rss"
    yield "text", title or source["name"]
    if title:
        yield "title", title
    yield "xmlUrl", without_userinfo(source["url"])
    yield f"{PREFIX}name", source["name"]
    for key in SETTINGS:
        if key in source:
            yield PREFIX + key, text_from(source[key])


# XML 1.0 §2.2 has no other characters.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _quoted(text: str) -> str:
    return quoteattr(_NO_XML.sub("", text))
