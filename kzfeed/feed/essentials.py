"""The text of an XML document comes in; the same without the elements that no article is made of goes out.

For the document in which one of those is more than feedparser bears. Every entry stays, wherever it stands, and so does
every tag inside of a text.
"""

from dataclasses import dataclass

from kzfeed.feed.namespaces import prefix_of
from kzfeed.feed.repair import DECLARES, pieces

_OF_TEXT = """
    abstract body content content:encoded description dc:description dc:title fullitem itunes:kzhtml itunes:kzplain
    media:kzhtml media:kzplain media:title summary title xhtml:body
"""
_OF_ALL_ELSE = """
    author category channel created dc:author dc:creator dc:date dc:language dc:subject dcterms:available
    dcterms:created dcterms:issued dcterms:modified email enclosure entry feed guid id issued item itunes:author
    itunes:category itunes:email itunes:keywords itunes:name keywords language lastbuilddate link managingeditor
    media:category media:content media:group media:keywords media:thumbnail modified name prism:publicationdate pubdate
    published rdf:rdf rss sy:updatefrequency sy:updateperiod ttl updated
"""
_TEXTS = frozenset(_OF_TEXT.split())
_ESSENTIAL = _TEXTS | frozenset(_OF_ALL_ELSE.split())
_ENTRIES = frozenset({"item", "entry"})


@dataclass(slots=True)
class _Open:
    """An element that is open: its tag's name, where in the output it begins, and what it is and holds."""

    tag: str
    start: int
    is_essential: bool
    is_text: bool
    has_entries: bool


def essentials(body: str) -> str:
    """The document with what an entry or a feed is read from; what stands in its tags' attributes stays."""
    prefixes = {prefix.lower(): prefix_of(space) for prefix, space in DECLARES.findall(body)}
    out: list[str] = []
    open_elements: list[_Open] = []
    for piece, tag in pieces(body):
        start = len(out)
        out.append(piece)
        if tag is None:
            continue
        if not tag["close"]:
            parent = open_elements[-1] if open_elements else None
            name = _own_name(tag["name"].lower(), prefixes)
            in_text = parent is not None and parent.is_text
            open_elements.append(
                _Open(tag["name"], start, in_text or name in _ESSENTIAL, in_text or name in _TEXTS, name in _ENTRIES)
            )
        if (tag["close"] or tag["rest"].endswith("/")) and open_elements and open_elements[-1].tag == tag["name"]:
            closed = open_elements.pop()
            if not closed.is_essential and not closed.has_entries:
                del out[closed.start :]
            if open_elements:
                open_elements[-1].has_entries |= closed.has_entries
    return "".join(out)


def _own_name(name: str, prefixes: dict[str, str | None]) -> str:
    """feedparser's name of an element, as names.py has it."""
    prefix, colon, local = name.rpartition(":")
    own = prefixes.get(prefix)
    return f"{own or ''}:{local}".removeprefix(":") if own is not None else f"{prefix}{colon}{local}"
