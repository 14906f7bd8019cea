"""Text that people read: one line that a terminal can show, the same without secrets, JSON, a number with its noun.

Everything that a command prints and every log line goes through these functions. Titles, addresses and error texts come
from strangers: they must neither control the terminal that shows them nor carry a password to it.
"""

import json
import re
from collections.abc import Callable
from typing import Any

HIDDEN = "***"

# C0, DEL and C1 move the cursor; U+2028 and U+2029 end a line; U+061C, U+200E, U+200F, U+202A-202E and U+2066-2069
# change the direction of what follows (UAX #9); a lone surrogate has no encoding.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNPRINTABLE_IN_LINES = re.compile(_UNPRINTABLE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def printable(text: str) -> str:
    r"""The text as one line that a terminal can show: `\x1b` stands for ESC, `\u202e` for a bidi override."""
    return _UNPRINTABLE.sub(_escape, text)


def printable_lines(text: str) -> str:
    """The text as lines that a terminal can show: as `printable`, but line feeds and tabs stay."""
    return _UNPRINTABLE_IN_LINES.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def json_line(value: object, *, default: Callable[[Any], Any] | None = None, ensure_ascii: bool = False) -> str:
    """The value as JSON in one line, in which all that `printable` escapes is a JSON escape."""
    written = json.dumps(value, ensure_ascii=ensure_ascii, default=default)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """The number with its noun: `1 file`, `1,200 files`; `nouns` is the plural where it is not noun + s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def shortened(text: str, most: int) -> str:
    """The text if it has at most `most` characters, else its beginning with an ellipsis, as long as that."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def joined_flaws(*flaws: str | None) -> str | None:
    """The flaws of a document in one text; None without any."""
    return "; ".join(filter(None, flaws)) or None


def failure_text(kind: str | None, error: str | None) -> str:
    """A failure in one line, as `timeout: not done within 30 s`, without the address that its message begins with."""
    words = without_address(error or "no reason given")
    return f"{kind}: {words}" if kind else words


def without_address(error: str) -> str:
    """The message of a failure without the address that it begins with, for a place where that is seen already."""
    return re.sub(r"^https?://\S+: ", "", error)


# --- secrets ---------------------------------------------------------------------------------------------------------

# What messages of kzfeed give as examples.
_EXAMPLES = r"(?!(?:USER@HOST/NAME|NAME:PASSWORD@HOST:1080)\")"

# Everything between `//` and the last `@` of the authority (WHATWG URL: the last one delimits, `/ \ ? #` end it). After
# a password the path is searched too, because people paste passwords that hold both `@` and `/`.
_USERINFO = re.compile(
    rf"//{_EXAMPLES}(?:[^\s/\\?#\"<>@:]*:[^\s/\\?#\"<>]*@(?:[^\s\"<>?#]*[^\s\"<>/@?#]@)?|[^\s/\\?#\"<>]*@)",
)

# A password with a slash in it before the first `@`: `//name:pass/word@host`. A port is not a password.
_SPLIT_PASSWORD = re.compile(
    rf"//{_EXAMPLES}[^\s/\\?#@:\"<>\[\]]{{0,200}}:(?!\d{{0,5}}(?:[/?#\s]|$))(?:[^\s\"<>]{{0,200}}[^\s\"<>/])?@",
)

# libpq's `password=secret`, quoted or not, and the same words as parameters of a query.
_ASSIGNMENT = re.compile(
    r"(?i)((?:password|passwd|pwd|secret|token|api[_-]?key)\s{0,3}=\s{0,3})"
    r"('(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|[^\s&;,'\"<>#]+)"
)


def without_userinfo(url: str) -> str:
    """The URL without the user name and password in it, and otherwise unchanged."""
    return re.sub(r"^(\s*[a-z][a-z0-9+.-]*://)[^/?#]*@", r"\1", url, flags=re.IGNORECASE)


def redacted(text: str) -> str:
    """The text with the user name and password of every URL, and every `password=…`, replaced by `***`.

    The rule would rather remove too much than too little; a path such as `/feed/@author` stays.
    """
    if "@" in text:
        text = _USERINFO.sub(f"//{HIDDEN}@", text)
        text = _SPLIT_PASSWORD.sub(f"//{HIDDEN}@", text)
    if "=" in text:
        text = _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)
    return text
