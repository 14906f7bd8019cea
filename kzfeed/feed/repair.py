"""The text of an XML document comes in; what a strict parser may safely be given goes out, with what was wrong.

Nothing outside the document is ever reached for. What its writer meant is kept: complete entries above all.
"""

import re
from collections import Counter
from collections.abc import Iterator
from html.entities import html5
from xml.parsers import expat

from kzfeed.errors import DocumentError

# --- what must not reach a parser ------------------------------------------------------------------------------------

_MAX_DEPTH = 512
_MAX_OPEN = 5_000
_MAX_DOCTYPE = 65_536
_MAX_EXPANSION = 1_048_576
_MAX_ATTRIBUTES = 1_000
_MAX_PREFIXES = 1_000

_MISC = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_DOCTYPE = re.compile(
    r"""<!DOCTYPE(?:[^\[>"']++|"[^"]*+"|'[^']*+')*+"""
    r"""(?:\[(?P<subset>(?:[^\]"'<]++|"[^"]*+"|'[^']*+'|<!--.*?-->|<(?!!--))*+)\]\s*)?>""",
    re.DOTALL | re.IGNORECASE,
)
_ENTITY = re.compile(r"""<!ENTITY\s+(%\s+)?([^\s%&;"'<>]+)\s+(?:"([^"]*)"|'([^']*)'|(SYSTEM|PUBLIC)\b)""")
_REFERS = re.compile(r"[&%][A-Za-z_:][\w.:-]*;")
_SIMPLE_VALUE = re.compile(r"&#\w+;|[^&\"<%>]*")
_NAMED = re.compile(r"&([^\s&;#<>\"']+);")
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})

FIRST_TAG = re.compile(r"<([A-Za-z_][^\s<>/]*)")
FEEDISH = re.compile(r"<(?:[\w.-]+:)?(?:rss|feed|rdf|channel|item|entry)\b", re.IGNORECASE)
ROOT = re.compile(r"<(?:[\w.-]+:)?(?:rss|feed|rdf|channel)\b", re.IGNORECASE)
NAMES_A_BASE = re.compile(r"<[^<>]*\s(?:xml:)?base\s*=", re.IGNORECASE)


def take_apart(text: str) -> tuple[str, str, frozenset[str]]:
    """A document type declaration that is safe to read, the document from its root on, and the entities it may use.

    Kept are the entities that are plain text. Those made of other entities, and references to those that lie outside,
    fail the document; a declaration that is only referred to from outside is not read (XML 1.0 §5.1 allows it).
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
        return "", body, frozenset()
    entities = _entities(declaration["subset"] or "", body)
    # feedparser knows RSS 0.91 of Netscape by this word.
    public = ' PUBLIC "netscape" ""' if "netscape" in declaration[0].lower() else ""
    subset = "".join(f'<!ENTITY {name} "{value}">\n' for name, value in entities.items())
    internal = f" [\n{subset}]" if subset else ""
    return f"<!DOCTYPE feed{public}{internal}>\n", body, frozenset(entities)


def _entities(subset: str, body: str) -> dict[str, str]:
    simple: dict[str, str] = {}
    outside: set[str] = set()
    has_parameters = False
    for parameter, name, double, single, external in _ENTITY.findall(subset):
        value = double or single
        if any(ref[1:-1] not in _PREDEFINED for ref in _REFERS.findall(value)):
            raise DocumentError("parse", f"the document declares an entity made of other entities ({name[:40]!r})")
        if parameter:
            has_parameters = True
        elif external:
            outside.add(name)
        elif re.fullmatch(r"\w+", name) and _SIMPLE_VALUE.fullmatch(value):
            simple.setdefault(name, value)
    if not (simple or outside or has_parameters):
        return simple
    uses = Counter(_NAMED.findall(body))
    if has_parameters:
        outside |= {name for name in uses if name not in simple and name not in _PREDEFINED and f"{name};" not in html5}
    if reached := outside & uses.keys():
        raise DocumentError("parse", f"the document wants to include what lies outside it ({min(reached)[:40]!r})")
    if sum(len(value) * uses[name] for name, value in simple.items()) > _MAX_EXPANSION:
        raise DocumentError("parse", "the entities of the document unfold to more than 1 MiB")
    return simple


def problem_of(text: str) -> str | None:
    """Why the text is not plain XML with namespaces, well-formed and of sensible depth; None if it is.

    Raises DocumentError for what feedparser would read for minutes: crowds of attributes in a tag, or of prefixes.
    """
    depth = 0
    prefixes: set[str] = set()

    def opened(_name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise OverflowError
        if len(attributes) > _MAX_ATTRIBUTES:
            raise DocumentError("parse", f"a tag has more than {_MAX_ATTRIBUTES} attributes")

    def declared(prefix: str | None, _space: str | None) -> None:
        prefixes.add(prefix or "")
        if len(prefixes) > _MAX_PREFIXES:
            raise DocumentError("parse", f"the document declares more than {_MAX_PREFIXES} prefixes")

    def closed(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.StartNamespaceDeclHandler = declared
    try:
        parser.Parse(text, True)
    except OverflowError:
        return f"elements nested more than {_MAX_DEPTH} deep"
    except expat.ExpatError as error:
        return expat.ErrorString(error.code)
    return None


# --- mending what is not well-formed ---------------------------------------------------------------------------------

_TAG = re.compile(
    r"""<(?P<close>/?)(?P<name>[A-Za-z_\u0080-\U0010ffff][^\s<>/"'=]*+)"""
    r"""(?P<rest>(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+|[^<>]*+)>"""
)
_UNREADABLE = re.compile(r"&(?:#[0-9]+;|#[xX][0-9a-fA-F]+;|(?P<name>[A-Za-z][\w.-]*);)?|<|\]\]>")
_ENTRY_NAME = re.compile(r"(?:[\w.-]+:)?(?:item|entry)", re.IGNORECASE)
_PREFIXED = re.compile(r"\s([\w.-]+):([\w.-]+)\s*=")
# Elements that HTML never closes and that no feed format has.
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "param", "track", "wbr"})
_USUAL = {
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "xhtml": "http://www.w3.org/1999/xhtml",
}


def pieces(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """The text in pieces: tags with their match, all else without. In linear time, whatever the text.

    Tags, CDATA sections, comments, processing instructions and DOCTYPEs are pieces, and the text between them, in which
    a "<" that begins nothing may stand. What is begun but not finished at the end of the text is left out.
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


def mended(body: str, entities: frozenset[str]) -> tuple[str, bool]:
    """The document as its writer meant it, and whether it was cut off: an entry that is torn by that is left out.

    Ampersands and HTML entities become references, undeclared prefixes are declared, elements are closed. What is still
    not well-formed then is for feedparser's lenient parser.
    """
    mender = _Mender(entities)
    last = max((match.start() for match in FEEDISH.finditer(body)), default=0)
    position = 0
    for piece, tag in pieces(body):
        position += len(piece)
        if tag is None:
            mender.text(piece)
        elif tag["close"]:
            mender.close(tag["name"])
            if mender.is_closed and position > last:
                break  # What may follow the feed, such as a script that was slipped in, is not of it.
        else:
            mender.open(tag["name"], tag["rest"])
    cut_off = mender.finish()
    return mender.document(), cut_off


class _Mender:
    """Writes a document anew, piece by piece, and keeps count of what is open."""

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
        if name.lower() in _VOID and not rest.endswith("/"):
            rest += "/"
        if not rest.endswith("/"):
            self._open.append((name, len(self._out)))
            self._counts[name] += 1
            if len(self._open) > _MAX_OPEN:
                raise DocumentError("parse", f"more than {_MAX_OPEN} elements are left open")
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
        """Leave the torn entry out and close what is open; whether anything was."""
        cut_off = bool(self._open)
        entries = [at for at, (name, _) in enumerate(self._open) if _ENTRY_NAME.fullmatch(name)]
        if entries:
            del self._out[self._open[entries[-1]][1] :], self._open[entries[-1] :]
        self._out += [f"</{name}>" for name, _ in reversed(self._open)]
        return cut_off

    def document(self) -> str:
        missing = sorted(self._prefixes - self._declared)
        spaces = "".join(f' xmlns:{prefix}="{_USUAL.get(prefix, "urn:prefix:" + prefix)}"' for prefix in missing)
        return FIRST_TAG.sub(lambda match: match[0] + spaces, "".join(self._out), count=1)


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


# --- keeping to the limit --------------------------------------------------------------------------------------------

_ENTRY_START = re.compile(r"<(?:[\w.-]+:)?(?:item|entry)[\s/>]", re.IGNORECASE)


def without_surplus(body: str, most: int) -> tuple[str, int]:
    """The document without its entries beyond `most`, and how many those are. Entries within an entry are part of it.

    feedparser would read them all first: minutes, for a document that has nothing but entries.
    """
    if all(count < most for count, _ in enumerate(_ENTRY_START.finditer(body))):
        return body, 0
    out: list[str] = []
    entries = depth = 0
    for piece, tag in pieces(body):
        is_entry = tag is not None and _ENTRY_NAME.fullmatch(tag["name"]) is not None
        if tag and is_entry and not tag["close"]:
            entries += not depth
            depth += 1
        if entries <= most or not depth:
            out.append(piece)
        if tag and is_entry and depth and (tag["close"] or tag["rest"].endswith("/")):
            depth -= 1
    return "".join(out), max(0, entries - most)


# --- keeping apart what feedparser mixes -----------------------------------------------------------------------------

DECLARES = re.compile(r"""\sxmlns:([\w.-]+)\s*=\s*["']([^"']*)["']""")
_ASIDE_ELEMENTS = {"search.yahoo.com/mrss": "description", "www.itunes.com/dtds/podcast-1.0.dtd": "summary"}


def with_asides(body: str) -> str:
    """The document with media:description and itunes:summary under other names.

    feedparser would take the one for a description, and what follows the description for the content: the caption of a
    photograph would be archived as the article.
    """
    names = {
        f"{prefix}:{element}": prefix
        for prefix, space in set(DECLARES.findall(body))
        for part, element in _ASIDE_ELEMENTS.items()
        if part in space.lower() and f"<{prefix}:{element}" in body
    }
    if not names:
        return body
    out: list[str] = []
    kind = "kzplain"
    for piece, tag in pieces(body):
        prefix = names.get(tag["name"]) if tag else None
        if tag is None or prefix is None:
            out.append(piece)
            continue
        if not tag["close"]:
            kind = "kzhtml" if re.search(r"""\stype\s*=\s*["']html["']""", tag["rest"]) else "kzplain"
        out.append(f"<{tag['close']}{prefix}:{kind}{'/' if tag['rest'].endswith('/') else ''}>")
    return "".join(out)
