"""XML reader on expat: a well-formed document becomes elements, one entry at a time.

It reads nothing outside the document, and takes time in proportion to it. The meaning of a
feed's elements is in rss_atom.py and entry.py.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urljoin
from xml.parsers import expat
from xml.sax.saxutils import escape

from kzfeed.errors import DocumentError
from kzfeed.feed.namespaces import prefix_of

MAX_DEPTH = 5_000
_MAX_ATTRIBUTES = 1_000
_MAX_PREFIXES = 1_000
_MAX_ADDRESS = 8_192

VOID_ELEMENTS = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
"""The HTML elements that have no content and no end tag."""

_ENTRY_NAMES = frozenset({"item", "entry"})
_QUOTES = {'"': "&quot;"}

# What people write in windows-1252 and label as Latin-1 or as a character reference: U+0080 to U+009F are no text.
_WINDOWS_1252 = {
    byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_C1_BYTES = re.compile(rb"\xc2[\x80-\x9f]")
_C1_REFERENCE = re.compile(rb"&#(?:0*1[2-5][0-9]|[xX]0*[89][0-9a-fA-F]);")


class Element:
    """XML element with its children, elements and text in turn.

    `name` has the prefix of namespaces.py or else the document's own, in lower case; `tag` is the local name as
    written. `base` is the address that xml:base names, "" where the document names none.
    """

    __slots__ = ("attributes", "base", "children", "language", "name", "namespace", "tag")

    def __init__(self, names: tuple[str, str, str], attributes: dict[str, str], language: str, base: str) -> None:
        self.name, self.tag, self.namespace = names
        self.attributes = attributes
        self.language = language
        self.base = base
        self.children: list[Element | str] = []

    def attribute(self, name: str) -> str | None:
        """The value of an attribute by its name in lower case, without white space around it."""
        for each, value in self.attributes.items():
            if each.lower() == name:
                return value.strip()
        return None

    def elements(self) -> Iterator["Element"]:
        """The child elements."""
        return (child for child in self.children if isinstance(child, Element))

    def named(self, *names: str) -> Iterator["Element"]:
        """The child elements of these names, in document order."""
        return (child for child in self.elements() if child.name in names)

    @property
    def has_markup(self) -> bool:
        """Whether there are elements inside."""
        return any(isinstance(child, Element) for child in self.children)

    def text(self) -> str:
        """The text of the element, without that of elements inside and without white space around it."""
        return "".join(child for child in self.children if isinstance(child, str)).strip()

    def absolute(self, address: str) -> str:
        """The address, resolved where the document names a base; "" for one that is not an address."""
        return join_addresses(self.base, address) if self.base and address else address

    def only_div(self) -> "Element | None":
        """The single `div` that contains all other content; None without one."""
        inside = [child for child in self.children if isinstance(child, Element) or child.strip()]
        only = inside[0] if len(inside) == 1 else None
        return only if isinstance(only, Element) and only.tag.lower() == "div" else None

    def markup(self, *, is_xhtml: bool) -> str:
        """The inside of the element as HTML. Unless it is XHTML, the text around tags is HTML that was escaped once."""
        pieces: list[str] = []
        # A list instead of recursion, since elements may be nested deeper than Python's stack.
        open_elements = [("", iter(self.children))]
        while open_elements:
            end, children = open_elements[-1]
            for child in children:
                if isinstance(child, str):
                    pieces.append(escape(child) if is_xhtml or end else child)
                elif not child.children and child.tag.lower() in VOID_ELEMENTS:
                    pieces.append(f"<{_start_tag(child)}/>")
                else:
                    pieces.append(f"<{_start_tag(child)}>")
                    open_elements.append((f"</{child.tag}>", iter(child.children)))
                    break
            else:
                pieces.append(end)
                open_elements.pop()
        return "".join(pieces).strip()


def _start_tag(element: Element) -> str:
    return element.tag + "".join(f' {name}="{escape(value, _QUOTES)}"' for name, value in element.attributes.items())


def join_addresses(base: str, address: str) -> str:
    """The address as it reads from `base`; "" where it is not an address or longer than any that is in use."""
    if len(address) > _MAX_ADDRESS:
        return ""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def read_xml(text: str, *, url: str, on_entry: Callable[[Element, Element], None]) -> tuple[Element, int]:
    """Read a document from `url`: its root without the entries, and the number of elements named `item` or `entry`.

    `on_entry` is given the root and an entry, `item` or `entry` of RSS, Atom or a namespace of its own, as soon as
    the entry ends. Raises ExpatError for what is not well-formed, DocumentError for nesting and attributes without end.
    """
    builder = _TreeBuilder(url, on_entry)
    data = text.encode()
    parser = expat.ParserCreate("utf-8", " ")
    parser.namespace_prefixes = True
    parser.buffer_text = True
    parser.buffer_size = 65_536
    parser.StartNamespaceDeclHandler = builder.declare
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    has_c1 = (0xC2 in data and _C1_BYTES.search(data)) or _C1_REFERENCE.search(data)
    parser.CharacterDataHandler = builder.text_with_c1 if has_c1 else builder.text
    parser.Parse(data, True)
    if builder.root is None:
        raise DocumentError("not-a-feed", "the document has no elements")
    return builder.root, builder.named_like_entries


class _TreeBuilder:
    """Handlers of expat's events, which build the tree of elements and hand out every entry."""

    def __init__(self, url: str, on_entry: Callable[[Element, Element], None]) -> None:
        self.root: Element | None = None
        self.named_like_entries = 0
        self._url = url
        self._on_entry = on_entry
        self._open: list[Element] = []
        self._entries: list[Element] = []
        self._prefixes: set[str | None] = set()
        self._names: dict[str, tuple[str, str, str]] = {}

    def declare(self, prefix: str | None, _namespace: str | None) -> None:
        self._prefixes.add(prefix)
        if len(self._prefixes) > _MAX_PREFIXES:
            raise DocumentError("parse", f"the document declares more than {_MAX_PREFIXES} prefixes")

    def start(self, name: str, given: dict[str, str]) -> None:
        names = self._names.get(name) or self._split(name)
        parent = self._open[-1] if self._open else None
        element = Element(names, {}, parent.language if parent else "", parent.base if parent else "")
        if given:
            self._set_attributes(element, given)
        if len(self._open) >= MAX_DEPTH:
            raise DocumentError("parse", f"elements are nested more than {MAX_DEPTH} deep")
        if parent:
            parent.children.append(element)
        else:
            self.root = element
        self._open.append(element)
        if names[1].lower() in _ENTRY_NAMES:
            self.named_like_entries += 1
            # Directly inside an entry is one whose end tag was forgotten; deeper it belongs to a content.
            is_apart = not self._entries or (self._entries[-1] is parent and parent.name == element.name)
            if is_apart and (prefix_of(names[2]) in ("", None)):
                self._entries.append(element)

    def end(self, _name: str) -> None:
        element = self._open.pop()
        if self._entries and self._entries[-1] is element:
            self._entries.pop()
            if self._open:
                self._open[-1].children.pop()
            if self.root is not None:
                self._on_entry(self.root, element)

    def text(self, text: str) -> None:
        self._open[-1].children.append(text)

    def text_with_c1(self, text: str) -> None:
        self._open[-1].children.append(text.translate(_WINDOWS_1252))

    def _split(self, name: str) -> tuple[str, str, str]:
        """A name as expat writes it ("namespace local prefix"): its name here, the local name, the namespace."""
        parts = name.split(" ")
        namespace, local = (parts[0], parts[1]) if len(parts) > 1 else ("", name)
        known = prefix_of(namespace)
        prefix = known if known is not None else parts[2] if len(parts) > 2 else ""
        own = f"{prefix}:{local}".removeprefix(":").lower()
        self._names[name] = own, local, namespace
        return self._names[name]

    def _set_attributes(self, element: Element, given: dict[str, str]) -> None:
        if len(given) > _MAX_ATTRIBUTES:
            raise DocumentError("parse", f"a tag has more than {_MAX_ATTRIBUTES} attributes")
        for name, value in given.items():
            own, local, _ = self._names.get(name) or self._split(name)
            element.attributes[own[: len(own) - len(local)] + local] = value
            if own in ("xml:lang", "lang"):
                element.language = value.strip().replace("_", "-")
            elif own in ("xml:base", "base") and value:
                element.base = join_addresses(element.base or self._url, value.strip())
