"""What expat reports of a document comes in; what the feed and its entries have said is there at the end of it.

Nothing is mended, and little is allowed: at the first thing out of the ordinary, `Unusual` is raised. What the elements
mean is not known here (see elements.py), only what holds for all of them: names, languages, bases, texts, XHTML.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urljoin
from xml.parsers import expat
from xml.sax.saxutils import escape

from kzfeed.feed.item import Item, Person, unusual
from kzfeed.feed.namespaces import Names, is_just_kept
from kzfeed.feed.repair import NAMES_A_BASE
from kzfeed.model import Entry

_MAX_ELEMENTS = 8_000
_MAX_DEPTH = 64
_MAX_ATTRIBUTES = 64
_MAX_PREFIXES = 64
_MAX_ADDRESS = 8_192

_CONTROLS = re.compile("[\x80-\x9f]")
_CONTROL_BYTES = re.compile(rb"\xc2[\x80-\x9f]")
_CONTROL_REFERENCE = re.compile(rb"&#(?:0*1[2-5][0-9]|x0*[89][0-9a-f]);")
_MAY_NAME_A_BASE = re.compile(rb"base\s*=")
_SLASHES = re.compile(r"^([A-Za-z][A-Za-z0-9+,.-]*://)/+")
_ASIDE_SPACES = {"description": "search.yahoo.com/mrss", "summary": "www.itunes.com/dtds/podcast-1.0.dtd"}
_ASIDE_TAG = re.compile(rb"""<[^\s<>/=]+(?:\s+type\s*=\s*["'](\w*)["'])?\s*/?>""")
_XLINK = "http://www.w3.org/1999/xlink"
_QUOTES = {'"': "&quot;"}


class Element:
    """An open element. `name` is feedparser's name of it.

    `inside` names the place that is in it (see grammar.py). With `any_children`, elements that feedparser only keeps by
    their names may stand there too. Text is collected in `pieces`, for `finish`; where `is_markup`, as XHTML.
    """

    __slots__ = (
        "any_children",
        "attributes",
        "base",
        "finish",
        "inside",
        "is_markup",
        "known_as",
        "language",
        "name",
        "pieces",
        "type",
    )

    def __init__(self, name: str, attributes: dict[str, str], language: str | None, base: str) -> None:
        self.name = self.known_as = name
        self.attributes = attributes
        self.language = language
        self.base = base
        self.inside = ""
        self.any_children = False
        self.pieces: list[str] | None = None
        self.finish: Closer | None = None
        self.type = ""
        self.is_markup = False

    def hear(self, finish: "Closer") -> None:
        """Collect the text; `finish` has it without white space around it."""
        self.pieces = []
        self.finish = finish


class Reader:
    """One document on its way through expat. `grammar` has, for every place, the openers of what may stand there.

    `body` is the document from its root on, `data` the same in UTF-8. `read` raises Unusual, and ExpatError for what
    is not well-formed.
    """

    def __init__(self, body: str, data: bytes, *, url: str, max_entries: int, grammar: "Grammar") -> None:
        self.body = body
        self.version = ""
        self.channel: dict[str, str] = {}
        self.entries: list[Entry] = []
        self.item: Item | None = None
        self.person = Person()
        self.title_depth = -1
        """How deep the title stood that counts: feedparser ignores the next one, unless it is nearer to the root."""
        self.has_channel = self.has_full_content = self.has_asides = False
        self._url = url
        self._max_entries = max_entries
        self._grammar = grammar
        self._data = data
        self._names = Names()
        self._open: list[Element] = []
        self._pieces: list[str] | None = None
        self._declared_once: set[str] = set()
        self._count = self._items = 0
        self._parser = expat.ParserCreate("utf-8", " ")
        self._look_ahead()

    def _look_ahead(self) -> None:
        """What has to be known of the text as a whole."""
        ascii_only = self.body.encode("ascii", "ignore").lower()
        too_much = (
            ascii_only.count(b"=") > 10_000 + len(self._data) // 20 or ascii_only.count(b"<item") > self._max_entries
        )
        # Where case is ignored, these are an "s" and a "k" too.
        if too_much or "\u017f" in self.body or "\u212a" in self.body:
            unusual()
        self.may_skip = b"<sk" in ascii_only
        self._may_have_controls = bool(
            _CONTROL_BYTES.search(self._data) or (b"&#" in ascii_only and _CONTROL_REFERENCE.search(ascii_only))
        )
        self._base = ""
        if _MAY_NAME_A_BASE.search(ascii_only) and NAMES_A_BASE.search(self.body):
            self._base = _joined(self._url, self._url)
            if not self._base.startswith(("http://", "https://")):
                unusual()

    def read(self) -> None:
        """Follow expat to the end of the document."""
        parser = self._parser
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.buffer_size = 65_536
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = unusual
        try:
            parser.Parse(self._data, True)
        finally:
            # They refer to the reader, and the reader to the parser.
            parser.StartNamespaceDeclHandler = parser.StartElementHandler = parser.EndElementHandler = None
            parser.CharacterDataHandler = None

    @property
    def depth(self) -> int:
        """How many elements are open."""
        return len(self._open)

    @property
    def is_atom(self) -> bool:
        return self.version.startswith("atom")

    def attribute(self, element: Element, name: str) -> str | None:
        """An attribute by feedparser's name of it."""
        return element.attributes.get(self._names.prefixed(name))

    def fixed(self, text: str) -> str:
        """The text with UTF-8 that was taken for Latin-1 put right."""
        if text.isascii():
            return text
        try:
            text = text.encode("latin-1").decode()
        except UnicodeError:
            if not self._may_have_controls:
                return text
        if _CONTROLS.search(text):
            # They may be meant for windows-1252.
            unusual()
        return text

    # --- what expat reports

    def _declare(self, prefix: str | None, space: str | None) -> None:
        if not space:
            return
        self._names.declare(prefix, space)
        if len(self._names) > _MAX_PREFIXES or len(space.split()) != 1 or (space == _XLINK and self._open):
            unusual()
        if not self.version:
            match space.lower():
                case "http://www.w3.org/2005/atom":
                    self.version = "atom10"
                case "http://purl.org/rss/1.0/":
                    self.version = "rss10"
                case "http://my.netscape.com/rdf/simple/0.9/" if prefix is None:
                    self.version = "rss090"

    def _start(self, name: str, given: dict[str, str]) -> None:
        self._count += 1
        if self._count > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH or len(given) > _MAX_ATTRIBUTES:
            unusual()
        parent = self._open[-1] if self._open else None
        element = Element(
            self._names.element(name),
            self._names.attributes(given) if given else {},
            parent.language if parent else None,
            parent.base if parent else self._base,
        )
        if element.name.endswith(("item", "entry")):
            self._count_item()
        elif element.name.endswith(("description", "summary")):
            self._set_aside(element, name)
        if element.attributes:
            self._inherit(element)
        self._open.append(element)
        if parent and parent.is_markup:
            self._markup(parent, element)
        elif opener := self._grammar[parent.inside if parent else "document"].get(element.name):
            opener(self, element)
        elif parent and parent.any_children and is_just_kept(element.name):
            element.any_children = True
            if parent.pieces is not None and element.attributes:
                # feedparser takes what it says for what the element around it says.
                element.hear(_be_empty)
        else:
            unusual()
        self._pieces = element.pieces

    def _end(self, name: str) -> None:
        element = self._open[-1]
        if self._names.element(name) != element.known_as:
            unusual()
        if element.finish:
            pieces = element.pieces or []
            element.finish(self, element, (_unwrapped(pieces) if element.is_markup else "".join(pieces)).strip())
        elif element.pieces is not None:
            element.pieces.append(f"</{element.name.partition(':')[2]}>")
        self._open.pop()
        self._pieces = self._open[-1].pieces if self._open else None

    def _text(self, text: str) -> None:
        if self._pieces is not None:
            self._pieces.append(escape(text) if self._open[-1].is_markup else text)

    # --- what holds for every element

    def _count_item(self) -> None:
        # Whatever has such a name, with any prefix, counts when `parse` keeps to the limit.
        self._items += 1
        if self._items > self._max_entries:
            unusual()

    def _inherit(self, element: Element) -> None:
        language = element.attributes.get("xml:lang", element.attributes.get("lang"))
        if language is not None:
            element.language = language or None
        base = element.attributes.get("xml:base", element.attributes.get("base"))
        if base:
            element.base = _joined(element.base, base)
            if not self._base or not element.base.startswith(("http://", "https://")):
                unusual()

    def _set_aside(self, element: Element, name: str) -> None:
        """Name the element as `mend.with_asides` does, which goes by prefixes and by the text of the document."""
        space, _, rest = name.partition(" ")
        local, _, prefix = rest.partition(" ")
        if not prefix or local.lower() not in _ASIDE_SPACES:
            return
        if prefix not in self._declared_once:
            declaration = b"xmlns:" + re.escape(prefix.encode())
            uses = len(re.findall(declaration + rb"(?![\w.\x80-\xff-])", self._data))
            written = re.search(declaration + rb"\s*=\s*[\"']" + re.escape(space.encode()) + rb"[\"']", self._data)
            self._declared_once.add(prefix)
            if uses != 1 or not written or len(self._declared_once) > 4:
                unusual()
        if _ASIDE_SPACES.get(local, " ") in space.lower():
            tag = _ASIDE_TAG.match(self._data, self._parser.CurrentByteIndex)
            if not tag:
                unusual()
            element.name = self._names.element(f"{space} kz{'html' if tag[1] == b'html' else 'plain'} {prefix}")
            element.attributes = {}
            self.has_asides = True

    def _markup(self, parent: Element, element: Element) -> None:
        """A tag in XHTML, as feedparser writes it."""
        space, _, name = element.name.partition(":")
        if space != "xhtml" or name in {"body", "svg"} or parent.pieces is None:
            unusual()
        element.is_markup = True
        element.pieces = parent.pieces
        attributes = [f' {key}="{escape(value, _QUOTES)}"' for key, value in element.attributes.items()]
        element.pieces.append(f"<{name}{''.join(attributes)}>")


Opener = Callable[[Reader, Element], None]
Closer = Callable[[Reader, Element, str], None]
Grammar = Mapping[str, Mapping[str, Opener]]


def _be_empty(_reader: Reader, element: Element, _text: str) -> None:
    if element.pieces:
        unusual()


def absolute(element: Element, address: str) -> str:
    """The address, from where the element's base is; feedparser makes it absolute only where the document names one."""
    return _joined(element.base, address)


def _joined(base: str, address: str) -> str:
    if len(address) > _MAX_ADDRESS:
        unusual()
    try:
        return urljoin(base, _SLASHES.sub(r"\1", address) if ":///" in address else address)
    except ValueError:
        return ""


def _unwrapped(pieces: list[str]) -> str:
    """XHTML without the `div` that is around it all (RFC 4287 §3.1.1.3)."""
    start, end = 0, len(pieces)
    while end - start > 1 and not pieces[end - 1].strip():
        end -= 1
    while end - start > 1 and not pieces[start].strip():
        start += 1
    pieces = pieces[start:end]
    if pieces and pieces[0].startswith(("<div>", "<div ")) and pieces[-1] == "</div>":
        depth = 0
        for piece in pieces[:-1]:
            depth += piece.startswith("<") - 2 * piece.startswith("</")
            if depth == 0:
                return "".join(pieces)
        pieces = pieces[1:-1]
    return "".join(pieces)
