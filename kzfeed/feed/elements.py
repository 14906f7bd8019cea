"""An element that begins, or ends with its text, comes in; what it means to feedparser goes into the reader's item.

Each `open_…` belongs to one or several elements (see grammar.py). It names the place that is inside of the element, and
says who is to have its text.
"""

import re
from html.entities import entitydefs

from kzfeed.feed.item import HTML, PLAIN, XHTML, Item, Part, Person, unusual
from kzfeed.feed.xml import Element, Reader, absolute

_VERSIONS = {"0.91": "rss091u", "0.92": "rss092", "0.93": "rss093", "0.94": "rss094"}
_TYPES = {"text": PLAIN, "plain": PLAIN, "html": HTML, "xhtml": XHTML}
_TITLES = frozenset({"title", "dc:title", "media:title"})
_CONTENTS = frozenset({"content", "content:encoded"})
_HTML_PARTS = frozenset({"content:encoded", "description", "dc:description"})
_KEYS = {
    "pubdate": "published",
    "issued": "published",
    "dcterms:issued": "published",
    "modified": "updated",
    "lastbuilddate": "updated",
    "dc:date": "updated",
    "dcterms:modified": "updated",
    "dcterms:created": "created",
    "dc:language": "language",
}
"""Under which name feedparser keeps a value, where it is not the element's own."""
_ITUNES_SCHEME = "http://www.itunes.com/"
_MEDIA_SCHEME = "http://search.yahoo.com/mrss/category_schema"
_FULL_CONTENT = re.compile(r"<(?:[\w.-]+:encoded|(?:atom\d*:)?content)\b", re.IGNORECASE)
_REFERENCE = re.compile("&([A-Za-z0-9_]+);")
_MAX_TITLE = 16_384
_TAGS_IN_TITLES = frozenset(
    {"a", "abbr", "b", "big", "br", "cite", "code", "del", "em", "font", "h1", "h2", "h3", "i", "img", "ins", "p", "q"}
    | {"s", "small", "span", "strong", "sub", "sup", "u"}
)

# --- the document ----------------------------------------------------------------------------------------------------


def open_rss(reader: Reader, element: Element) -> None:
    version = element.attributes.get("version", "")
    if not reader.version.startswith("rss"):
        reader.version = _VERSIONS.get(version, "rss20" if version.startswith("2.") else "rss")
    element.inside = "rss"
    _be_of_its_language(reader, element)


def open_feed(reader: Reader, element: Element) -> None:
    if not reader.version and element.attributes.get("version") == "0.3":
        reader.version = "atom03"
    if reader.version not in {"atom03", "atom10"}:
        unusual()
    element.inside, element.any_children = "feed", True
    _be_of_its_language(reader, element)


def _be_of_its_language(reader: Reader, element: Element) -> None:
    if element.language:
        reader.channel["language"] = element.language.replace("_", "-")


def open_rdf(reader: Reader, element: Element) -> None:
    if reader.version not in {"rss10", "rss090"}:
        unusual()
    element.inside = "rdf"


def open_channel(reader: Reader, element: Element) -> None:
    if reader.has_channel or "lastmod" in element.attributes or "href" in element.attributes:
        unusual()
    reader.has_channel = True
    element.inside, element.any_children = "channel", True


def open_said(reader: Reader, element: Element) -> None:
    if element.attributes:
        unusual()
    element.hear(_close_said)


def _close_said(reader: Reader, element: Element, text: str) -> None:
    reader.channel[element.name] = reader.fixed(text)


def open_image(reader: Reader, element: Element) -> None:
    reader.title_depth = -1
    element.inside = "" if reader.item else "image"


def open_text_input(reader: Reader, element: Element) -> None:
    reader.title_depth = -1
    element.inside = "textinput"


# --- an entry --------------------------------------------------------------------------------------------------------


def open_item(reader: Reader, element: Element) -> None:
    if "lastmod" in element.attributes or "href" in element.attributes:
        unusual()
    reader.title_depth = -1
    reader.item = Item()
    if about := reader.attribute(element, "rdf:about"):
        reader.item.values["id"] = about
    element.inside, element.any_children, element.finish = "item", True, _close_item


def _close_item(reader: Reader, _element: Element, _text: str) -> None:
    item, reader.item = reader.item, None
    if item:
        if item.content and not reader.has_full_content:
            # `parse` takes an element for the full content by how it is written, with some prefixes and not others.
            reader.has_full_content = bool(_FULL_CONTENT.search(reader.body)) or unusual()
        reader.entries.append(item.entry(atom=reader.is_atom))


def open_value(_reader: Reader, element: Element) -> None:
    element.hear(_close_value)


def open_bare_value(_reader: Reader, element: Element) -> None:
    if element.attributes:
        unusual()
    element.hear(_close_value)


def _close_value(reader: Reader, element: Element, text: str) -> None:
    _survives(text)
    key = _KEYS.get(element.name, element.name)
    if reader.item:
        reader.item.keep(key, reader.fixed(text), reader.depth)
    elif key == "language":
        reader.channel[key] = reader.fixed(text)


def open_side_time(_reader: Reader, element: Element) -> None:
    element.hear(lambda _reader, _element, text: _survives(text))


def _survives(date: str) -> None:
    # Of some dates that are written like this, feedparser dies, and the document with it.
    if "/" in date and "," in date:
        unusual()


# --- titles and contents ---------------------------------------------------------------------------------------------


def open_part(reader: Reader, element: Element) -> None:
    kind = element.attributes.get("type", HTML if element.name in _HTML_PARTS else PLAIN)
    element.type = _TYPES.get(kind, kind)
    if element.type not in {PLAIN, HTML, XHTML} or element.attributes.get("mode") == "base64":
        unusual()
    if element.type == XHTML:
        if reader.version != "atom10":
            unusual()
        element.is_markup = True
    element.hear(_close_part)


def _close_part(reader: Reader, element: Element, text: str) -> None:
    part = Part(reader.fixed(text), element.type, (element.language or "").replace("_", "-"))
    item = reader.item
    if element.name in _TITLES:
        if part.type == PLAIN and not reader.is_atom and _looks_like_html(text):
            part.type = HTML
        _close_title(reader, element, part)
    elif item and element.name in _CONTENTS:
        item.content = part if item.content is None else unusual()
    elif item:
        item.summary = part if item.summary is None else unusual()


def _close_title(reader: Reader, element: Element, part: Part) -> None:
    if not -1 < reader.title_depth <= reader.depth:
        if reader.item:
            reader.item.keep("title", part.value, reader.depth)
            reader.item.title = part
        else:
            reader.channel["title"] = part.value
    if part.value and element.name != "media:title":
        reader.title_depth = reader.depth


def open_side_title(_reader: Reader, element: Element) -> None:
    element.hear(_close_side_title)


def _close_side_title(reader: Reader, _element: Element, text: str) -> None:
    if text:
        reader.title_depth = reader.depth


def _looks_like_html(text: str) -> bool:
    """feedparser's guess at the titles of RSS: end tags or references, and none that HTML does not have."""
    if len(text) > _MAX_TITLE:
        unusual()
    if not re.search(r"</\w+>|&#?\w+;", text):
        return False
    if any(tag.lower() not in _TAGS_IN_TITLES for tag in re.findall(r"</?(\w+)", text)):
        unusual()
    return all(name in entitydefs for name in re.findall(r"&(\w+);", text))


# --- links -----------------------------------------------------------------------------------------------------------


def open_link(reader: Reader, element: Element) -> None:
    link = element.attributes
    link.setdefault("rel", "alternate")
    link.setdefault("type", "application/atom+xml" if link["rel"] == "self" else HTML)
    _take_address(link)
    if "href" in link:
        link["href"] = absolute(element, link["href"])
        if link["rel"] == "alternate" and _TYPES.get(link["type"], link["type"]) in {HTML, XHTML}:
            _keep_link(reader, link["href"])
    else:
        element.hear(_close_link)
    if reader.item:
        reader.item.links.append(link)


def _close_link(reader: Reader, element: Element, text: str) -> None:
    address = reader.fixed(absolute(element, text) if text else "")
    if reader.item:
        address = address.replace("&amp;", "&")
    address = _REFERENCE.sub(r"&\1", address)
    _keep_link(reader, address)
    if address:
        element.attributes["href"] = address


def _keep_link(reader: Reader, address: str) -> None:
    if reader.item:
        reader.item.link = address
    else:
        reader.channel["link"] = address


def open_guid(reader: Reader, element: Element) -> None:
    if reader.item and reader.item.has_guid:
        unusual()
    element.hear(_close_guid)


def _close_guid(reader: Reader, element: Element, text: str) -> None:
    is_link = element.attributes.get("ispermalink", "true") == "true"
    guid = reader.fixed(absolute(element, text) if is_link and text else text)
    item = reader.item
    if item:
        item.has_guid = True
        item.keep("id", guid, reader.depth)
        if is_link and item.link is None:
            item.link, item.guid_is_link = guid, True
    elif is_link:
        reader.channel.setdefault("link", guid)


def open_enclosure(reader: Reader, element: Element) -> None:
    _take_address(element.attributes)
    element.attributes["rel"] = "enclosure"
    if reader.item:
        reader.item.links.append(element.attributes)


def _take_address(attributes: dict[str, str]) -> None:
    if address := attributes.get("url", attributes.get("uri", attributes.get("href"))):
        attributes.pop("url", None)
        attributes.pop("uri", None)
        attributes["href"] = address


# --- persons, tags, media --------------------------------------------------------------------------------------------


def open_author(reader: Reader, element: Element) -> None:
    open_other_person(reader, element)
    element.hear(_close_author)


def _close_author(reader: Reader, _element: Element, text: str) -> None:
    reader.person.text = reader.fixed(text)
    if reader.item:
        reader.item.persons.append(reader.person)


def open_other_person(reader: Reader, element: Element) -> None:
    element.inside, element.any_children = "person", True
    reader.person = Person()


def open_part_of_person(reader: Reader, element: Element) -> None:
    reader.person.has_parts = True
    element.hear(_close_part_of_person)


def _close_part_of_person(reader: Reader, element: Element, text: str) -> None:
    if element.name.endswith("name"):
        reader.person.name = text
    elif element.name.endswith("email"):
        reader.person.email = text


def open_category(reader: Reader, element: Element) -> None:
    said = element.attributes.get
    if reader.item is None:
        element.inside = "itunes:category" if element.name == "itunes:category" else ""
        return
    if element.name == "itunes:category":
        reader.item.add_tag(said("text"), _ITUNES_SCHEME)
    else:
        scheme = said("scheme", _MEDIA_SCHEME if element.name == "media:category" else said("domain"))
        reader.item.add_tag(said("term"), scheme, said("label"))
    element.hear(_close_category)


def _close_category(reader: Reader, _element: Element, text: str) -> None:
    if reader.item and text:
        reader.item.name_tag(reader.fixed(text))


def open_keywords(reader: Reader, element: Element) -> None:
    if reader.item and not element.attributes:
        element.hear(_close_keywords)


def _close_keywords(reader: Reader, element: Element, text: str) -> None:
    if len(text) > _MAX_TITLE:
        unusual()
    for term in reader.fixed(text).split(","):
        if reader.item and term.strip():
            reader.item.add_tag(term.strip(), _ITUNES_SCHEME if element.name == "itunes:keywords" else None)


def open_media(reader: Reader, element: Element) -> None:
    element.inside, element.any_children = "media", True
    if reader.item and element.name == "media:content":
        reader.item.media.append(element.attributes)


def open_thumbnail(reader: Reader, element: Element) -> None:
    if reader.item:
        reader.item.thumbnails.append(element.attributes)
    element.hear(_close_thumbnail)


def _close_thumbnail(reader: Reader, element: Element, text: str) -> None:
    if text:
        element.attributes.setdefault("url", reader.fixed(absolute(element, text)))


# --- what is passed over ---------------------------------------------------------------------------------------------


def open_source(reader: Reader, element: Element) -> None:
    reader.title_depth = -1
    element.inside, element.any_children = "source", True


def open_place(_reader: Reader, element: Element) -> None:
    if element.attributes:
        unusual()
    element.inside = "place"


def open_chapters(_reader: Reader, element: Element) -> None:
    element.inside = "chapters"


def open_chapter(_reader: Reader, element: Element) -> None:
    if "start" not in element.attributes:
        unusual()


def pass_over(_reader: Reader, _element: Element) -> None:
    """What it says is not needed; there must be no elements in it."""
