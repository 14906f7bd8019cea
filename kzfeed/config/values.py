"""Types of the values in kzfeed.toml: each function converts what TOML or a variable holds.

It raises ValueError for any other value. The message completes the sentence "expected …" and never repeats the value,
which may hold a password.
"""

import difflib
import importlib.util
import re
import zoneinfo
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import PlainValidator

from kzfeed.feed.encoding_label import codecs_of
from kzfeed.schedule.cron import parsed
from kzfeed.source_names import expected_name, is_source_name
from kzfeed.text import HIDDEN, redacted

# --- time and size ---------------------------------------------------------------------------------------------------

_DURATION = re.compile(
    r"(?:(?P<days>\d{1,9})d)?(?:(?P<hours>\d{1,9})h)?(?:(?P<minutes>\d{1,9})m)?"
    r"(?:(?P<seconds>\d{1,9})s)?(?:(?P<milliseconds>\d{1,9})ms)?",
    re.ASCII,
)
_SOME_DURATION = 'a duration such as "30s" or "1h30m"'
_SIZE = re.compile(r"(\d{1,15})(B|kB|MB|GB|KiB|MiB|GiB)?", re.ASCII)
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def pause(value: object) -> timedelta:
    """A length of time such as `1h30m` or `0s`: whole numbers of d, h, m, s and ms, the largest unit first."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    parts = {unit: int(count) for unit, count in match.groupdict().items() if count} if match else {}
    if not parts:
        raise ValueError(_SOME_DURATION)
    length = timedelta(**parts)
    if length > timedelta(days=3650):
        raise ValueError(f"{_SOME_DURATION}, of at most 3650d")
    return length


def duration(value: object) -> timedelta:
    """As `pause`, but longer than 0."""
    length = pause(value)
    if not length:
        raise ValueError(f"{_SOME_DURATION}, longer than 0")
    return length


def retention(value: object) -> timedelta:
    """A length of time, or 0 for ever."""
    try:
        return timedelta() if str(value).strip() == "0" else pause(value)
    except ValueError as error:
        raise ValueError(f"{error}, or 0 for ever") from None


def interval(value: object) -> timedelta | Literal["auto"]:
    """The interval of a source: a duration, or `auto`, which follows the feed's own frequency."""
    if value == "auto":
        return "auto"
    try:
        return duration(value)
    except ValueError as error:
        raise ValueError(f'"auto" or {error}') from None


def size(value: object) -> int:
    """A number of bytes: `64KiB` (1,024 each), `500kB` (1,000 each), or a plain number."""
    match = _SIZE.fullmatch(str(value).strip()) if isinstance(value, str | int) else None
    if match is None or not 0 < (count := int(match[1]) * _BYTES[match[2] or "B"]) <= 2**40:
        raise ValueError('a size from 1 to 1024GiB, such as "15MiB", "500kB" or a number of bytes')
    return count


def memory(value: object) -> int:
    """As `size`, but at least 1 MiB."""
    count = size(value)
    if count < _BYTES["MiB"]:
        raise ValueError('at least "1MiB": with less, no document can be read')
    return count


def number(value: object, *, least: int) -> int:
    """A whole number, also as text, because variables hold text."""
    digits = str(value).strip() if isinstance(value, str | int) else ""
    if not re.fullmatch(r"\d{1,9}", digits, re.ASCII) or int(digits) < least:
        raise ValueError(f"a whole number from {least} up")
    return int(digits)


def flag(value: object) -> bool:
    """Yes or no, also as text, because variables hold text."""
    named = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in named:
        return named[value]
    raise ValueError("true or false")


def folder(value: object) -> Path:
    """The path of a folder."""
    return value if isinstance(value, Path) else Path(text(value))


def duration_text(length: timedelta) -> str:
    """A length of time as `duration` reads it, such as `1h30m`."""
    milliseconds = length // timedelta(milliseconds=1)
    parts: list[str] = []
    for unit, size_ in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size_)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


# --- names -----------------------------------------------------------------------------------------------------------


def text(value: object) -> str:
    """Text that is not empty, without white space around it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("text that is not empty")
    return value.strip()


def source_name(value: object) -> str:
    """The name of a source."""
    if not is_source_name(value):
        raise ValueError(expected_name(value))
    return str(value)


def tags(value: object) -> tuple[str, ...]:
    """The tags of a source, each once. `/` stands between a folder and the folder in it, as in `News/Asia`."""
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise ValueError('a list of texts such as ["News/Asia", "daily"]')
    paths = ["/".join(filter(None, map(str.strip, each.split("/")))) for each in value]
    if "" in paths:
        raise ValueError("tags that are not empty")
    return tuple(dict.fromkeys(paths))


# --- the calendar ----------------------------------------------------------------------------------------------------


def timezone(value: object) -> str:
    """The name of a time zone in the IANA database."""
    name = text(value)
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(zoneinfo.available_timezones()), n=1)
        hint = f" (the nearest is {near[0]})" if near else ""
        raise ValueError(f'an IANA time zone such as "UTC" or "Asia/Shanghai"{hint}') from None
    return name


def cron(value: object) -> str:
    """A cron expression: five fields of crontab(5) that match some date."""
    with suppress(ValueError):
        return parsed(value if isinstance(value, str) else "")
    raise ValueError('crontab fields (minute, hour, day, month, weekday) that match some date, such as "7 * * * *"')


# --- articles and odd feeds ------------------------------------------------------------------------------------------

_FIELD = re.compile(r"[a-z][a-z0-9_.-]*(?::[a-z][a-z0-9_.-]*)?", re.IGNORECASE | re.ASCII)
_MAX_SELECTOR_LENGTH = 1_000  # a longer one takes seconds to compile
_SOME_FULL_TEXT = '"css:SELECTOR", for example "css:div.post-content", or "auto"'


def full_text(value: object) -> str:
    """Where the text of an article is on its page: `css:` and a CSS selector, or `auto`."""
    if value == "auto":
        if importlib.util.find_spec("trafilatura") is None:
            raise ValueError('"css:SELECTOR", or kzfeed[fulltext] installed for "auto": pip install "kzfeed[fulltext]"')
        return "auto"
    selector = value.strip().removeprefix("css:").strip() if isinstance(value, str) else ""
    if not selector or not str(value).strip().startswith("css:"):
        raise ValueError(_SOME_FULL_TEXT)
    # Imported late: most configurations have no selector.
    import soupsieve

    if len(selector) > _MAX_SELECTOR_LENGTH:
        raise ValueError(f"a CSS selector of at most {_MAX_SELECTOR_LENGTH:,} characters")

    try:
        soupsieve.compile(selector)
    except (soupsieve.SelectorSyntaxError, NotImplementedError) as error:
        problem = str(error).splitlines()[0].rstrip(".: ")
        raise ValueError(f"{_SOME_FULL_TEXT}; the selector is wrong: {problem}") from None
    return f"css:{selector}"


def content_fields(value: object) -> tuple[str, ...]:
    """Names of fields of a feed, as the feed writes them, in lower case."""
    names = value if isinstance(value, list | tuple) else ()
    if not names or not all(isinstance(name, str) and _FIELD.fullmatch(name) for name in names):
        raise ValueError('a list of fields as the feed names them, such as ["content:encoded", "description"]')
    return tuple(name.lower() for name in names)


def encoding(value: object) -> str:
    """The name of an encoding, as headers and declarations write it."""
    name = value.strip() if isinstance(value, str) else ""
    if not codecs_of(name):
        raise ValueError('the name of an encoding such as "gb18030" or "windows-1251"')
    return name.lower()


# --- types for pydantic ----------------------------------------------------------------------------------------------

Pause = Annotated[timedelta, PlainValidator(pause)]
Retention = Annotated[timedelta, PlainValidator(retention)]
Duration = Annotated[timedelta, PlainValidator(duration)]
Interval = Annotated[timedelta | Literal["auto"], PlainValidator(interval)]
Size = Annotated[int, PlainValidator(size)]
Memory = Annotated[int, PlainValidator(memory)]
Count = Annotated[int, PlainValidator(partial(number, least=1))]
CountFromZero = Annotated[int, PlainValidator(partial(number, least=0))]
Text = Annotated[str, PlainValidator(text)]
Flag = Annotated[bool, PlainValidator(flag)]
FolderPath = Annotated[Path, PlainValidator(folder)]
SourceName = Annotated[str, PlainValidator(source_name)]
Timezone = Annotated[str, PlainValidator(timezone)]
Cron = Annotated[str, PlainValidator(cron)]
Tags = Annotated[tuple[str, ...], PlainValidator(tags)]
FullText = Annotated[str, PlainValidator(full_text)]
ContentFields = Annotated[tuple[str, ...], PlainValidator(content_fields)]
Encoding = Annotated[str, PlainValidator(encoding)]

# --- values in error messages ----------------------------------------------------------------------------------------

Place = tuple[str | int, ...]
"""The keys and numbers that lead to a value: `("http", "timeout")`, `("sources", 0, "name")`."""
_USERINFO = re.compile(r"^([A-Za-z][\w+.-]*:(?=/))?/*[^/@:]*:(?!//).*@", re.DOTALL)


class Unquoted(str):
    """Text whose `repr` has no quotes, to stand for a value in an error message."""

    __slots__ = ()
    __repr__ = str.__str__


UNSEEN: Final = Unquoted("…")  # what may be a secret


def shown(value: object) -> object:
    """The value for an error message: shortened, and without anything that may be a password."""
    if isinstance(value, dict | list):
        return Unquoted("a table" if isinstance(value, dict) else "a list")
    if not isinstance(value, str) or isinstance(value, Unquoted):
        return value
    # A password may hold characters that should be escaped, so everything up to the last @ is hidden.
    short = redacted(_USERINFO.sub(rf"\1//{HIDDEN}@", value))
    return short if len(short) <= 100 else short[:97] + "..."
