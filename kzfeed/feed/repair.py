"""Repair of XML that is not well-formed, and removal of dangerous declarations before any parser sees them.

Repair keeps what the document's writer meant, complete entries above all. Nothing outside the document is read.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import html5

from kzfeed.errors import DocumentError
from kzfeed.feed.xml import MAX_DEPTH, VOID_ELEMENTS

FIRST_TAG = re.compile(r"<([A-Za-z_][^\s<>/]*)")
FEED_TAG = re.compile(r"<(?:[\w.-]+:)?(?:rss|feed|rdf|channel|item|entry)\b", re.IGNORECASE)
_FEED_ROOT = re.compile(r"<(?:[\w.-]+:)?(?:rss|feed|rdf|channel)\b", re.IGNORECASE)

# --- document type declarations --------------------------------------------------------------------------------------

_MAX_DOCTYPE = 65_536
_MAX_EXPANSION = 1_048_576

_MISC = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_DOCTYPE = re.compile(
    r"""<!DOCTYPE(?:[^\[>"']++|"[^"]*+"|'[^']*+')*+"""
    r"""(?:\[(?P<subset>(?:[^\]"'<]++|"[^"]*+"|'[^']*+'|<!--.*?-->|<(?!!--))*+)\]\s*)?>""",
    re.DOTALL | re.IGNORECASE,
)
_ENTITY = re.compile(r"""<!ENTITY\s+(%\s+)?([^\s%&;"'<>]+)\s+(?:"([^"]*)"|'([^']*)'|(SYSTEM|PUBLIC)\b)""")
_REFERENCES = re.compile(r"[&%][A-Za-z_:][\w.:-]*;")
_SIMPLE_VALUE = re.compile(r"&#\w+;|[^&\"<%>]*")
_NAMED_REFERENCE = re.compile(r"&([^\s&;#<>\"']+);")
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})


@dataclass(frozen=True, slots=True)
class Doctype:
    """Document type declaration without its dangerous parts, and the entities it declares."""

    declaration: str = ""
    entities: frozenset[str] = frozenset()
    is_netscape: bool = False


def safe_document(text: str) -> tuple[Doctype | None, str]:
    """The document type declaration, if there is one, and the document from its root on.

    Entities that are plain text are kept. Entities made of other entities, and references to entities outside the
    document, raise DocumentError "parse"; a declaration outside it is not read (XML 1.0 §5.1 allows that).
    """
    position, declaration = 0, None
    while True:
        misc = _MISC.match(text, position)
        if misc is None and declaration is None and text[position : position + 9].upper() == "<!DOCTYPE":
            misc = declaration = _DOCTYPE.match(text, position, position + _MAX_DOCTYPE)
            if declaration is None:
                raise DocumentError("parse", "the document type declaration is broken or too long")
        if misc is None:
            break
        position = misc.end()
    body = text[position:]
    if declaration is None:
        return None, body
    entities = _plain_entities(declaration["subset"] or "", body)
    subset = "".join(f'<!ENTITY {name} "{value}">\n' for name, value in entities.items())
    kept = f"<!DOCTYPE feed [\n{subset}]>\n" if subset else ""
    return Doctype(kept, frozenset(entities), "netscape" in declaration[0].lower()), body


def _plain_entities(subset: str, body: str) -> dict[str, str]:
    simple: dict[str, str] = {}
    outside: set[str] = set()
    has_parameters = False
    for parameter, name, double, single, external in _ENTITY.findall(subset):
        value = double or single
        if any(reference[1:-1] not in _PREDEFINED for reference in _REFERENCES.findall(value)):
            raise DocumentError("parse", f"the document declares an entity made of other entities ({name[:40]!r})")
        if parameter:
            has_parameters = True
        elif external:
            outside.add(name)
        elif re.fullmatch(r"\w+", name) and _SIMPLE_VALUE.fullmatch(value):
            simple.setdefault(name, value)
    if not (simple or outside or has_parameters):
        return simple
    uses = Counter(_NAMED_REFERENCE.findall(body))
    if has_parameters:
        outside |= {name for name in uses if name not in simple and name not in _PREDEFINED and f"{name};" not in html5}
    if reached := outside & uses.keys():
        raise DocumentError("parse", f"the document wants to include what lies outside it ({min(reached)[:40]!r})")
    if sum(len(value) * uses[name] for name, value in simple.items()) > _MAX_EXPANSION:
        raise DocumentError("parse", "the entities of the document unfold to more than 1 MiB")
    return simple


# --- repair ----------------------------------------------------------------------------------------------------------

_MAX_PREFIXES = 1_000

_TAG = re.compile(
    r"""<(?P<close>/?)(?P<name>[A-Za-z_\u0080-\U0010ffff][^\s<>/"'=]*+)"""
    r"""(?P<rest>(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+|[^<>]*+)>"""
)
_UNREADABLE = re.compile(r"&(?:#[0-9]+;|#[xX][0-9a-fA-F]+;|(?P<name>[A-Za-z][\w.-]*);)?|<|\]\]>")
_ENTRY_NAME = re.compile(r"(?:[\w.-]+:)?(?:item|entry)", re.IGNORECASE)
_PREFIXED = re.compile(r"\s([\w.-]+):([\w.-]+)\s*=")
# The others are elements of feed formats too.
_VOID = VOID_ELEMENTS - {"base", "link", "meta", "source"}
_NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "xhtml": "http://www.w3.org/1999/xhtml",
}


def repair(body: str, entities: frozenset[str]) -> tuple[str, bool]:
    """The document as its writer meant it, and whether it was cut off. The entry in which it breaks off is left out.

    Ampersands and HTML entities become references, undeclared prefixes are declared, elements are closed. What a server
    put before the feed is left out. The result may still not be well-formed.
    """
    start = _FEED_ROOT.search(body)
    body = body[start.start() :] if start else body
    repairer = _Repairer(entities)
    last_feed_tag = max((match.start() for match in FEED_TAG.finditer(body)), default=0)
    position = 0
    for piece, tag in _pieces(body):
        position += len(piece)
        if tag is None:
            repairer.text(piece)
        elif tag["close"]:
            repairer.close(tag["name"])
            if repairer.is_closed and position > last_feed_tag:
                break  # What may follow the feed, such as a script that was slipped in, is not part of it.
        else:
            repairer.open(tag["name"], tag["rest"])
    cut_off = repairer.finish()
    return repairer.document(), cut_off


def _pieces(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """The text in pieces, tags with their match and everything else without, in linear time.

    Tags, CDATA sections, comments, processing instructions and DOCTYPEs are pieces, and so is the text between them, in
    which a "<" that begins nothing may stand. What begins and does not end by the end of the text is left out.
    """
    closers = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>", "<!DOCTYPE": ">"}
    last = {closer: text.rfind(closer) for closer in closers.values()}
    position = start = 0
    while (start := text.find("<", start)) >= 0:
        tag = None
        opener = next((opener for opener in closers if text.startswith(opener, start)), None)
        if opener and last[closers[opener]] >= start + len(opener):
            end = text.index(closers[opener], start + len(opener)) + len(closers[opener])
        elif opener == "<![CDATA[" or (start > last[">"] and re.match(r"<[\w/!?]|<$", text[start : start + 2])):
            text = text[:start]
            break
        elif tag := _TAG.match(text, start):
            end = tag.end()
        else:
            start += 1
            continue
        if position < start:
            yield text[position:start], None
        yield text[start:end], tag
        position = start = end
    if position < len(text):
        yield text[position:], None


class _Repairer:
    """Writer of the repaired document, which keeps track of the open elements."""

    def __init__(self, entities: frozenset[str]) -> None:
        self._entities = entities
        self._out: list[str] = []
        self._open: list[tuple[str, int]] = []  # name, and where in `out` it begins
        self._counts: Counter[str] = Counter()
        self._prefixes: set[str] = set()
        self._declared = {"xml", "xmlns"}

    def text(self, piece: str) -> None:
        if piece.startswith("<![CDATA["):
            self._out.append(piece)
        elif self._open and not piece.startswith(("<!--", "<?", "<!DOCTYPE")):
            self._out.append(_readable(piece, self._entities))

    def open(self, name: str, rest: str) -> None:
        for prefix, local in _PREFIXED.findall(f" {name}={rest}" if ":" in name else rest):
            self._prefixes.add(prefix)
            if len(self._prefixes) > _MAX_PREFIXES:
                raise DocumentError("parse", f"the document uses more than {_MAX_PREFIXES} prefixes")
            if prefix == "xmlns":
                self._declared.add(local)
        if self._open and self._open[-1][0] == name and _ENTRY_NAME.fullmatch(name):
            self.close(name)  # An entry directly inside an entry: the end tag of the first one was forgotten.
        if name.lower() in _VOID and not rest.endswith("/"):
            rest += "/"
        if not rest.endswith("/"):
            self._open.append((name, len(self._out)))
            self._counts[name] += 1
            if len(self._open) > MAX_DEPTH:
                raise DocumentError("parse", f"more than {MAX_DEPTH} elements are left open")
        self._out.append(f"<{name}{_readable(rest, self._entities)}>")

    def close(self, name: str) -> None:
        """Close the innermost element of that name and all in it; an end tag that ends nothing is dropped."""
        while self._counts[name]:
            last, _ = self._open.pop()
            self._counts[last] -= 1
            self._out.append(f"</{last}>")
            if last == name:
                break

    @property
    def is_closed(self) -> bool:
        return not self._open

    def finish(self) -> bool:
        """Drop the incomplete entry and close open elements. Returns whether there were any."""
        cut_off = bool(self._open)
        entries = [at for at, (name, _) in enumerate(self._open) if _ENTRY_NAME.fullmatch(name)]
        if entries:
            del self._out[self._open[entries[-1]][1] :], self._open[entries[-1] :]
        self._out += [f"</{name}>" for name, _ in reversed(self._open)]
        return cut_off

    def document(self) -> str:
        missing = sorted(self._prefixes - self._declared)
        declarations = "".join(f' xmlns:{each}="{_NAMESPACES.get(each, "urn:prefix:" + each)}"' for each in missing)
        return FIRST_TAG.sub(lambda match: match[0] + declarations, "".join(self._out), count=1)


def _readable(text: str, entities: frozenset[str]) -> str:
    """Text or attributes with every "&" and "<" escaped that XML cannot read, and HTML's entities as numbers."""

    def escaped(match: re.Match[str]) -> str:
        name = match["name"]
        if match[0].startswith("&#"):
            return match[0].replace("X", "x")
        if name is None:
            return {"&": "&amp;", "<": "&lt;"}.get(match[0], "]]&gt;")
        if name in _PREDEFINED or name in entities:
            return match[0]
        characters = html5.get(f"{name};")
        return "".join(f"&#{ord(each)};" for each in characters) if characters else f"&amp;{name};"

    return _UNREADABLE.sub(escaped, text)
