"""What an entry's elements say comes in by and by, as feedparser would understand it; the Entry goes out.

Where feedparser would need to know more than the elements say one by one, `Unusual` is raised: that entry is for it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from kzfeed.feed.json import ANY_IMAGE
from kzfeed.model import Enclosure, Entry, TextType

PLAIN, HTML, XHTML = "text/plain", "text/html", "application/xhtml+xml"
ASIDES = ("itunes:kzplain", "itunes:kzhtml", "media:kzplain", "media:kzhtml")
"""What `mend.with_asides` names the texts that stand beside an entry, the better first."""

_Tag = tuple[str | None, str | None, str | None]

_DATES = ("published", "updated", "created", "dcterms:available", "prism:publicationdate")
_MAILBOX = re.compile(r"[A-Za-z0-9_.+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,4}(?: \(([^()@<>&;]+)\))?")
_CLOSED_VOID = re.compile(
    r"<(area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)((?:\s[^<>]*)?)></\1>"
)


class Unusual(Exception):  # noqa: N818 - nothing is wrong with the document
    """The document is one for `parse`."""


def unusual(*_: object) -> NoReturn:
    """Leave the document to `parse`."""
    raise Unusual


@dataclass(slots=True)
class Person:
    """An author: in elements of its own for name and address (`has_parts`), or as a text."""

    name: str = ""
    email: str = ""
    text: str = ""
    has_parts: bool = False

    def __str__(self) -> str:
        if self.name and self.email:
            return f"{self.name} ({self.email})"
        return self.name or self.email or self.text


@dataclass(slots=True)
class Part:
    """A text, its MIME type and its language."""

    value: str = ""
    type: str = HTML
    language: str = ""


@dataclass(slots=True)
class Item:
    """An entry as far as it is read. Links and media have feedparser's attributes, tags are (term, scheme, label)."""

    values: dict[str, str] = field(default_factory=dict)
    depths: dict[str, int] = field(default_factory=dict)
    title: Part = field(default_factory=lambda: Part(type=PLAIN))
    link: str | None = None
    has_guid: bool = False
    guid_is_link: bool = False
    content: Part | None = None
    summary: Part | None = None
    links: list[dict[str, str]] = field(default_factory=list)
    media: list[dict[str, str]] = field(default_factory=list)
    thumbnails: list[dict[str, str]] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    tags: list[_Tag] = field(default_factory=list)
    known_tags: set[_Tag] = field(default_factory=set)

    def keep(self, key: str, value: str, depth: int) -> None:
        """Of several elements the last counts, unless one before it stood nearer to the root."""
        if depth <= self.depths.get(key, depth):
            self.depths[key] = depth
            self.values[key] = value

    def add_tag(self, term: str | None, scheme: str | None = None, label: str | None = None) -> None:
        """A tag, unless it is there."""
        tag = (term, scheme, label)
        if any(tag) and tag not in self.known_tags:
            self.tags.append(tag)
            self.known_tags.add(tag)

    def name_tag(self, term: str) -> None:
        """What the text of a category says: the term of the last tag, or another tag."""
        if self.tags and not self.tags[-1][0]:
            nameless = self.tags.pop()
            named = (term, nameless[1], nameless[2])
            self.known_tags.discard(nameless)
            self.known_tags.add(named)
            self.tags.append(named)
        else:
            self.add_tag(term)

    def entry(self, *, atom: bool) -> Entry:
        """The entry, when all of it is read. Raises Unusual."""
        content, content_type = self._content(atom=atom)
        languages = (self.values.get("language"), content.language, self.title.language)
        return Entry(
            title=self.values.get("title", ""),
            title_type="text" if self.title.type == PLAIN else "html",
            link=self._link(),
            guid=self.values.get("id") or None,
            content=content.value,
            content_type=content_type,
            dates=tuple(dict.fromkeys(date for key in _DATES if (date := self.values.get(key)))),
            author=self._author(),
            language=next(filter(None, languages), None),
            tags=tuple(dict.fromkeys(name for tag in self.tags if (name := _name(*tag)))),
            enclosures=self._enclosures(),
        )

    def _content(self, *, atom: bool) -> tuple[Part, TextType]:
        part = self.content if self.content and self.content.value else self.summary or Part()
        kind = part.type
        if not part.value:
            aside = next((key for key in ASIDES if self.values.get(key)), "")
            kind = HTML if aside.endswith("html") else PLAIN
            part = Part(self.values.get(aside, ""), kind, part.language)
        elif kind == XHTML:
            part = Part(with_void_tags(part.value), kind, part.language)
        return part, "text" if atom and kind == PLAIN else "html"

    def _link(self) -> str | None:
        link = self.link or ""
        if self.guid_is_link and link == self.values.get("id", "") and not re.match("https?://", link, re.IGNORECASE):
            link = ""
        alternates = (each.get("href") for each in self.links if each.get("rel") == "alternate")
        return link or next(filter(None, alternates), None)

    def _author(self) -> str | None:
        names = dict.fromkeys(filter(None, self._names())) if len(self.persons) > 1 else ()
        return (", ".join(names) if len(names) > 1 else str(self.persons[-1]) if self.persons else "") or None

    def _names(self) -> Iterator[str]:
        """What feedparser calls the authors: it takes addresses out, and may give what one is called to another."""
        if len({person.has_parts for person in self.persons}) > 1:
            unusual()
        for person in self.persons:
            mailbox = None if person.has_parts else _MAILBOX.fullmatch(person.text)
            if (person.has_parts and not person.name) or ("@" in str(person) and not mailbox):
                unusual()
            yield (mailbox[1] or "").strip() if mailbox else person.name or person.text

    def _enclosures(self) -> tuple[Enclosure, ...]:
        first: dict[str, Enclosure] = {}
        for enclosure in self._files():
            first.setdefault(enclosure.url, enclosure)
        return tuple(first.values())

    def _files(self) -> Iterator[Enclosure]:
        for link in self.links:
            if link.get("rel") == "enclosure" and (url := link.get("href", "").strip()):
                # feedparser says text/html where the link says nothing.
                mime_type = link.get("type", "").strip().replace("text/html", "")
                yield Enclosure(url, mime_type or None, byte_count(link.get("length", "")))
        for media in self.media:
            if url := media.get("url", "").strip():
                medium = media.get("medium", "").strip().lower()
                any_type = f"{medium}/*" if medium in {"image", "audio", "video"} else None
                yield Enclosure(url, media.get("type", "").strip() or any_type, byte_count(media.get("filesize", "")))
        for thumbnail in self.thumbnails:
            if url := thumbnail.get("url", "").strip():
                yield Enclosure(url, ANY_IMAGE)


def _name(term: str | None, _scheme: str | None, label: str | None) -> str:
    return (term or "").strip() or (label or "").strip()


def with_void_tags(xhtml: str) -> str:
    """feedparser writes <br/> as <br></br>, which HTML takes for two: as it was."""
    return _CLOSED_VOID.sub(r"<\1\2/>", xhtml)


def byte_count(length: str) -> int | None:
    """The size that an enclosure names, where it is one."""
    return int(length) if re.fullmatch("[0-9]{1,18}", length.strip()) else None
