"""HTML scanner: splits HTML into tags and text where a browser's tokeniser does (HTML Standard §13.2.5).

It builds no tree, so time and memory stay in proportion to the input, whatever that is
(docs/decisions/html-scanner.md).
"""

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from typing import Any

Tag = tuple[str, str, bool, bool]
"""(name, attributes, closing, empty): the name in lower case; the attributes as written; whether it is an end tag;
whether it closes itself."""

Token = tuple[str | None, str | None, str | None, str | None, str]
"""(slash, name, attributes, solidus, text): a tag in pieces as written, and the text after it. `slash` is "/" in an end
tag, `solidus` a string in a tag that closes itself. All but the text is None for a comment."""


_RAW = frozenset({"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"})
_FIRST_OF_RAW = f"[{''.join(sorted({name[0] for name in _RAW}))}]"
_BATCH = 100_000
_SPACE = r"\t\n\f\r "  # HTML's own white space, for use in a class
_NAME = f"[^{_SPACE}/>] [^{_SPACE}/>=]*+"
_EQUALS = f"[{_SPACE}]*+ = [{_SPACE}]*+"

# The quantifiers are possessive, so that no character is read twice, on any input. As in the standard, a tag that the
# end of the text cuts off is no text. One difference: an element of raw content that closes itself is empty here, as
# its (XHTML) author meant it; a browser would take the rest of the article for its content.
TOKEN = re.compile(
    rf"""
    < (?:
        (?: (?= (?= {_FIRST_OF_RAW} ) (?: {"|".join(sorted(_RAW))} ) [{_SPACE}/>] ) (?P<raw>) )?+
        (?P<slash> /? )
        (?P<name> [a-z] [^{_SPACE}/>]*+ )
        (?P<attributes>
            (?: [{_SPACE}/]*+ {_NAME} (?: {_EQUALS} (?: "[^"]*+ (?:"|\Z) | '[^']*+ (?:'|\Z) | [^{_SPACE}>]*+ ) )?+ )*+
        )
        (?P<solidus> [{_SPACE}/]++ (?<= / ) (?= > ) )?+
        [{_SPACE}/]*+
        (?: > | \Z )
        (?(raw) (?(solidus) | [^<]*+ (?: < (?! / (?P=name) [{_SPACE}/>] ) [^<]*+ )*+ ) )
      | !-- (?: -?> | .*? (?: --!?> | \Z ) )
      | [!?] [^>]*+ (?: > | \Z )
      | / (?: > | [^a-z>] [^>]*+ (?: > | \Z ) )
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII | re.DOTALL,
)
_ATTRIBUTE = re.compile(
    rf"""[{_SPACE}/]*+ ({_NAME}) (?: {_EQUALS} (?: "([^"]*+)"? | '([^']*+)'? | ([^{_SPACE}>]*+) ) )?+""", re.VERBOSE
)
_REFERENCE = re.compile(r"&(?:#[0-9]++|#[xX][0-9a-fA-F]++|[A-Za-z][A-Za-z0-9]*+);")
_HUGE_NUMBER = re.compile(r"&#[0-9]{100,}+;?")


def tokens(html: str) -> Iterator[Token]:
    """Every tag of the markup with the text after it; first, like a comment, the text before the first tag.

    The content of a raw element (`<script>`) is not text.
    """
    rest: str | None = html
    while rest is not None:
        parts: list[Any] = TOKEN.split(rest, maxsplit=_BATCH)
        yield None, None, None, None, parts[0]
        # The last part of a full batch is not a text but the rest of the markup, which makes the next batch.
        rest, parts[-1] = (parts[-1], "") if len(parts) == 6 * _BATCH + 1 else (None, parts[-1])
        yield from zip(parts[2::6], parts[3::6], parts[4::6], parts[5::6], parts[6::6], strict=True)


def attributes_of(text: str) -> dict[str, str]:
    """The attributes of a tag by lower-case name, values decoded. As in a browser, the first of a name counts."""
    found: dict[str, str] = {}
    for name, in_double_quotes, in_single_quotes, unquoted in _ATTRIBUTE.findall(text):
        value = in_double_quotes or in_single_quotes or unquoted
        found.setdefault(name.lower(), _REFERENCE.sub(_decoded_in_attribute, value) if "&" in value else value)
    return found


def decoded(text: str) -> str:
    """Text with its character references decoded; an impossible one is U+FFFD."""
    if "&" not in text:
        return text
    # Python refuses integers of more than 4,300 digits; a character's number has at most seven.
    return unescape(_HUGE_NUMBER.sub("\ufffd", text))


def _decoded_in_attribute(reference: re.Match[str]) -> str:
    # In an attribute neither "&copy=1" nor "&copyright;" is a ©: only whole names with a semicolon count.
    name = reference[0][1:]
    return decoded(reference[0]) if name.startswith("#") or name in html5 else reference[0]
