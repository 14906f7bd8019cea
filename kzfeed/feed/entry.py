"""Rules for what the elements of one `item` or `entry` say, in RSS, Atom, RDF and the usual modules."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.entities import html5

from kzfeed.feed.json import ANY_IMAGE, seconds
from kzfeed.feed.namespaces import ATOM_03
from kzfeed.feed.xml import Element
from kzfeed.model.articles import Enclosure, Entry, FeedReading, LinkField, TextType

_PUBLICATION_DATES = (
    *("pubdate", "published", "issued", "dc:date", "dcterms:issued", "dcterms:available", "prism:publicationdate"),
    *("created", "dcterms:created"),
)
_UPDATE_DATES = ("updated", "modified", "lastbuilddate", "dcterms:modified")

_CONTENTS = ("content:encoded", "content", "fullitem", "body", "xhtml:body", "rdf:value")
_SUMMARIES = ("description", "summary", "abstract", "dc:description")
_HTML_BY_DEFAULT = frozenset({"content:encoded", "description", "dc:description", "fullitem", "body", "rdf:value"})
_XHTML_BY_DEFAULT = frozenset({"xhtml:body"})
_AUTHORS = frozenset({"author", "dc:creator", "dc:author", "itunes:author", "managingeditor"})
_MEDIA_GROUPS = frozenset({"media:group", "media:content"})

_PLAIN, _HTML, _XHTML = "text/plain", "text/html", "application/xhtml+xml"
_TYPES = {"text": _PLAIN, "plain": _PLAIN, "html": _HTML, "xhtml": _XHTML, "": _PLAIN}
_MAILBOX = re.compile(r"[^\s@]+@[^\s@]+ \(([^()]+)\)")
_HTTP = re.compile("https?://", re.IGNORECASE)

_TITLE_TAGS = re.compile(
    "a|abbr|acronym|b|big|blink|blockquote|br|center|cite|code|dd|dfn|dl|dt|del|div|em|font|h[1-6r]|i|img|ins|kbd|li|ol|p|pre|q"
    "|s|samp|small|span|strike|strong|sub|sup|table|tbody|t[dhrt]|u|ul|var",
    re.IGNORECASE,
)


def entry_of(item: Element, reading: FeedReading, *, is_atom: bool) -> Entry:
    """The entry that the elements of `item` make up."""
    fields = _Fields(item, is_atom=is_atom)
    title = fields.title()
    content = fields.content(reading.content_from)
    links = fields.links()
    guid = fields.guid()
    languages = (fields.last("language", "dc:language"), content.language, title.language)
    return Entry(
        title=title.value,
        title_type=title.type,
        link=fields.link(links, guid, reading.link_from),
        guid=guid or None,
        content=content.value,
        content_type=content.type,
        dates=fields.dates(),
        author=fields.author(),
        language=next(filter(None, languages), None),
        tags=tuple(dict.fromkeys(fields.tags())),
        enclosures=_unique(fields.enclosures(links)),
    )


def dates_of(item: Element) -> tuple[str, ...]:
    """Only the dates of an entry."""
    return _Fields(item, is_atom=False).dates()


@dataclass(frozen=True, slots=True)
class Text:
    """Title or content: plain text or HTML, and its language."""

    value: str = ""
    type: TextType = "text"
    language: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Link of an entry or a feed as Atom describes it (RFC 4287 §4.2.7)."""

    href: str
    rel: str
    type: str
    length: str


class _Fields:
    """The child elements of an entry by their names, with those of Media RSS in groups and those of mod_content."""

    def __init__(self, item: Element, *, is_atom: bool) -> None:
        self._item = item
        self._is_atom = is_atom
        # An entry in a namespace of its own has its fields there too.
        own, colon, _ = item.name.rpartition(":")
        self._by_name: dict[str, list[Element]] = {}
        for child in _fields_of(item):
            self._by_name.setdefault(child.name.removeprefix(own + colon), []).append(child)

    def named(self, *names: str) -> list[Element]:
        """The elements of these names, name by name."""
        return [element for name in names if name in self._by_name for element in self._by_name[name]]

    def last(self, *names: str) -> str:
        """The last text under the first of these names that has a text; "" if none has."""
        return next((text for name in names for each in self._by_name.get(name, [])[::-1] if (text := each.text())), "")

    def title(self) -> Text:
        for element in reversed(self.named("media:title", "itunes:title", "dc:title", "title")):
            if (title := title_of(element, is_atom=self._is_atom)).value:
                return title
        return Text()

    def content(self, first: Iterable[str] = ()) -> Text:
        """The fullest content; without one the fullest summary, else itunes:summary, else media:description.

        The fields that `first` names are tried before these, one after the other.
        """
        chosen = ((name,) for name in first)
        for names in (*chosen, _CONTENTS, _SUMMARIES, ("itunes:summary",), ("media:description",)):
            texts = [text_of(each, is_atom=self._is_atom) for each in self.named(*names)]
            if texts and (best := max(texts, key=lambda text: len(text.value))).value:
                return best if self._is_atom else Text(best.value, "html", best.language)
        return Text("", "html")

    def dates(self) -> tuple[str, ...]:
        """The publication dates; the dates of updates only where no publication date is given."""
        published = [self.last(name) for name in _PUBLICATION_DATES if name in self._by_name]
        updated = [self.last(name) for name in _UPDATE_DATES if name in self._by_name]
        updated.append(self._item.attribute("lastmod") or "")  # CDF
        return tuple(dict.fromkeys(filter(None, published))) or tuple(dict.fromkeys(filter(None, updated)))

    def links(self) -> list[Link]:
        return [link for element in self.named("link", "enclosure") if (link := link_of(element))]

    def link(self, links: list[Link], guid: str, link_from: LinkField = "link") -> str | None:
        if link_from == "guid" and _HTTP.match(guid):
            return guid
        if link := page_of(links) or self._item.absolute(self._item.attribute("href") or ""):
            return link
        says_no = any(each.attribute("ispermalink") == "false" for each in self.named("guid"))
        if _HTTP.match(guid) and self.named("guid", "id") and not says_no:
            return guid
        alternates = (link.href for link in links if link.rel == "alternate")
        pages = (link.href for link in self._linked_contents() if link.type in (_HTML, _XHTML))
        return next(alternates, None) or next(pages, None)

    def guid(self) -> str:
        for element in reversed(self.named("guid", "id")):
            if text := element.text():
                return text if element.attribute("ispermalink") == "false" else element.absolute(text)
        return self._item.attribute("rdf:about") or ""

    def author(self) -> str | None:
        persons = [_person(each) for each in self.named(*_AUTHORS)]
        names = list(dict.fromkeys(name for name, _ in persons if name))
        return (", ".join(names) if len(names) > 1 else persons[-1][1] if persons else "") or None

    def tags(self) -> Iterator[str]:
        for element in self.named("category", "dc:subject", "keywords", "media:category"):
            said = (element.attribute("term"), element.text(), element.attribute("label"))
            yield from [tag for tag in said if tag][:1]
        for element in self.named("itunes:category"):
            yield from _itunes_categories(element)
        for element in self.named("itunes:keywords", "media:keywords"):
            yield from filter(None, (word.strip() for word in element.text().split(",")))

    def enclosures(self, links: list[Link]) -> Iterator[Enclosure]:
        # The duration is that of the episode, which is what an enclosure holds unless it is an image.
        duration = seconds(self.last("itunes:duration"))
        for link in links:
            if link.rel == "enclosure":
                own = None if link.type.startswith("image/") else duration
                yield Enclosure(link.href, link.type or None, byte_count(link.length), own)
        for link in self._linked_contents():
            yield Enclosure(link.href, link.type or None, byte_count(link.length))
        for element in self.named("media:content"):
            if address := element.absolute(element.attribute("url") or ""):
                medium = (element.attribute("medium") or "").lower()
                any_type = f"{medium}/*" if medium in {"image", "audio", "video"} else None
                size = byte_count(element.attribute("filesize") or "")
                own = seconds(element.attribute("duration") or "")
                yield Enclosure(address, element.attribute("type") or any_type, size, own)
        for element in self.named("media:thumbnail"):
            if address := element.absolute(element.attribute("url") or element.text()):
                yield Enclosure(address, ANY_IMAGE)
        for element in self.named("itunes:image"):
            if address := element.absolute(element.attribute("href") or element.attribute("url") or element.text()):
                yield Enclosure(address, ANY_IMAGE)

    def _linked_contents(self) -> Iterator[Link]:
        """Atom contents that stand at an address of their own (RFC 4287 §4.1.3.2)."""
        for element in self.named("content"):
            if address := element.absolute(element.attribute("src") or ""):
                kind = (element.attribute("type") or "").lower()
                yield Link(address, "content", _HTML if kind in ("html", "xhtml") else kind, "")


def _fields_of(item: Element) -> Iterator[Element]:
    for child in item.elements():
        yield child
        if child.name in _MEDIA_GROUPS:
            yield from (each for each in _fields_of(child) if each.name.startswith("media:"))
        elif child.name == "content:items":
            yield from _rdf_values(child)


def _rdf_values(element: Element) -> Iterator[Element]:
    """The values in content:items (RSS 1.0, mod_content)."""
    for child in element.elements():
        if child.name == "rdf:value":
            yield child
        else:
            yield from _rdf_values(child)


def _itunes_categories(element: Element) -> Iterator[str]:
    if name := element.attribute("text") or element.text():
        yield name
    for child in element.named("itunes:category"):
        yield from _itunes_categories(child)


def _person(element: Element) -> tuple[str, str]:
    """An author's name, and the full text of the element."""
    name = next((text for each in element.named("name", "itunes:name") if (text := each.text())), "")
    email = next((text for each in element.named("email", "itunes:email") if (text := each.text())), "")
    if name or email:
        return name, f"{name} ({email})" if name and email else name or email
    text = element.text()
    mailbox = _MAILBOX.fullmatch(text)
    return mailbox[1].strip() if mailbox else text, text


# --- texts -----------------------------------------------------------------------------------------------------------


def text_of(element: Element, *, is_atom: bool) -> Text:
    """The text of a title, summary or content (RFC 4287 §3.1, §4.1.3); empty where it is not text."""
    by_default = _HTML if element.name in _HTML_BY_DEFAULT else _XHTML if element.name in _XHTML_BY_DEFAULT else _PLAIN
    given = (element.attribute("type") or by_default).lower()
    kind = _TYPES.get(given, given)
    is_xhtml = kind == _XHTML or kind.endswith(("+xml", "/xml"))
    if _is_base64(element, kind):
        value = _from_base64(element.text())
    elif element.has_markup or is_xhtml:
        div = element.only_div()
        if div and kind == _XHTML and element.namespace != ATOM_03:
            element = div  # It is not part of the content (RFC 4287 §3.1.1.3).
        if div and kind == _HTML and not div.has_markup:
            value = div.text()  # Some software wraps escaped HTML in a div.
        else:
            value, kind = element.markup(is_xhtml=is_xhtml), _XHTML
    else:
        value = element.text()
    return Text(value, "text" if kind == _PLAIN or (is_atom and kind == "") else "html", element.language)


def title_of(element: Element, *, is_atom: bool) -> Text:
    """The title; that of RSS does not say whether it is HTML, and is taken for it where it looks like it."""
    title = text_of(element, is_atom=is_atom)
    if title.type == "text" and not is_atom and _looks_like_html(title.value):
        return Text(title.value, "html", title.language)
    return title


def _looks_like_html(text: str) -> bool:
    """Whether there are end tags or references, and none that HTML does not have."""
    return (
        re.search(r"</\w+>|&#?\w+;", text) is not None
        and all(_TITLE_TAGS.fullmatch(tag) for tag in re.findall(r"</?(\w+)", text))
        and all(name in html5 for name in re.findall(r"&(\w+;)", text))
    )


def _is_base64(element: Element, kind: str) -> bool:
    is_text = kind.startswith("text/") or kind.endswith(("+xml", "/xml", "/json"))
    return element.attribute("mode") == "base64" or (not is_text and not element.has_markup)


def _from_base64(text: str) -> str:
    """The text that is encoded; as it stands where it is no Base64, "" for a picture and the like."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        return ""


# --- links and files -------------------------------------------------------------------------------------------------


def link_of(element: Element) -> Link | None:
    """What a `link` or an `enclosure` points to; None if it points nowhere."""
    address = next(filter(None, map(element.attribute, ("href", "url", "uri"))), "")
    text = element.text()
    if text and (not address or (element.attribute("href") is None and _HTTP.match(text))):
        address = text
    rel = "enclosure" if element.name == "enclosure" else (element.attribute("rel") or "alternate").lower()
    mime_type = (element.attribute("type") or "").lower()
    href = element.absolute(address)
    return Link(href, rel, mime_type, element.attribute("length") or "") if href else None


def page_of(links: list[Link]) -> str | None:
    """The address of the HTML page: the last of several, because feeds put the better one last."""
    pages = [link.href for link in links if link.rel == "alternate" and link.type in ("", "html", _HTML, _XHTML)]
    return pages[-1] if pages else None


def byte_count(length: str) -> int | None:
    """The size that an enclosure names, where it is one."""
    return int(length) if re.fullmatch("[0-9]{1,18}", length.strip()) else None


def _unique(enclosures: Iterable[Enclosure]) -> tuple[Enclosure, ...]:
    """Each file once: what the first mention of it does not say is taken from the later ones."""
    found: dict[str, Enclosure] = {}
    for each in enclosures:
        first = found.setdefault(each.url, each)
        if first is not each:
            found[each.url] = Enclosure(
                first.url,
                first.mime_type or each.mime_type,
                first.size_bytes or each.size_bytes,
                first.duration_seconds or each.duration_seconds,
            )
    return tuple(found.values())
