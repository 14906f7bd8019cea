"""Rules for single strings: white space and trimming, the title rule, text that both engines can store.

Every function accepts any string and takes time in proportion to its length.
"""

import re

WHITE_SPACE = (
    "\t\n\x0b\x0c\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""The characters that trimming removes (docs/archive-format.md). `str.strip()` removes another set."""

# Han with its punctuation, kana and bopomofo; full-width forms. Not Hangul, which is written with spaces.
UNSPACED = (
    "\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff9f\uffe0-\uffe6"
    "\U0001aff0-\U0001b16f\U0001f200-\U0001f2ff\U00020000-\U0003ffff"
)
"""The characters of scripts without spaces between words, to stand in a class of a regular expression."""

CJK = UNSPACED + "\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
"""UNSPACED and Hangul. Where texts are compared or measured, each of these characters counts as a word."""

_RUN = re.compile(f"[{WHITE_SPACE}]+")
_LINE_BREAK = re.compile("\r\n|[\n-\r\u2028\u2029]")
"""The line breaks among WHITE_SPACE. U+0085 is not white space in the archive format."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def trim(text: str) -> str:
    """The text without WHITE_SPACE at both ends."""
    return text.strip(WHITE_SPACE)


def one_line(text: str) -> str:
    """The title rule: trimmed, and a run of white space that holds a line break becomes one space."""
    trimmed = trim(text)
    if not _LINE_BREAK.search(trimmed):
        return trimmed
    return _RUN.sub(lambda run: " " if _LINE_BREAK.search(run[0]) else run[0], trimmed)


def split_lines(text: str) -> list[str]:
    """The lines of plain text, each trimmed."""
    return [trim(line) for line in _LINE_BREAK.split(text)]


def well_formed(text: str) -> str:
    """The text with U+FFFD for every lone surrogate, and for a pair of surrogates the character that they mean."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def is_storable(text: str) -> bool:
    """Whether both engines can store the text: PostgreSQL takes no U+0000, UTF-8 no surrogates."""
    try:
        # To look for a byte takes far less time than to look for a character.
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def storable(text: str) -> str:
    """The text with U+FFFD for each character that an engine cannot store."""
    return text if is_storable(text) else _UNSTORABLE.sub("\ufffd", text)
