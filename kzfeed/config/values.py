"""Types of the values in kzfeed.toml: each function converts what TOML or a variable holds.

It raises ValueError for any other value. The message completes the sentence "expected …" and never repeats the value,
which may hold a password.
"""

import difflib
import importlib.util
import os
import re
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import PlainValidator

from kzfeed.feed.encoding_label import codecs_of
from kzfeed.hosts import DEFAULT_PORTS, host_of, parse_host
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


def keeping(value: object) -> timedelta:
    """A length of time, or 0 for ever."""
    try:
        return timedelta() if str(value).strip() == "0" else pause(value)
    except ValueError as error:
        raise ValueError(f"{error}, or 0 for ever") from None


def rhythm(value: object) -> timedelta | Literal["auto"]:
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


# --- names and addresses ---------------------------------------------------------------------------------------------

_MOST_SOCKET_PATH = 107
"""Bytes of the path of a Unix socket (unix(7))."""
_DATABASE = re.compile(r"sqlite:///(?!$|:memory:)|(?:postgresql|postgresql\+psycopg|postgres)://.")


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


def host_name(value: object) -> str:
    """The host, normalised (see `kzfeed.hosts`)."""
    with suppress(ValueError):
        return parse_host(value if isinstance(value, str) else "")
    if isinstance(value, str) and value.count(":") > 1 and "/" not in value:
        raise ValueError('an IPv6 address such as "2001:db8::1", without port')
    raise ValueError('a host such as "feedx.net", without scheme and port')


def address(value: object) -> tuple[str, str, int | None, str, str]:
    """The parts in which two spellings of one URL agree: without fragment, default port and the host's case."""
    return _address(value.strip() if isinstance(value, str) else "")


# Each source's address is wanted twice, to check it and to compare it with the others.
@lru_cache(maxsize=100_000)
def _address(url: str) -> tuple[str, str, int | None, str, str]:
    with suppress(ValueError):  # a port that is no number, a bracket that is not closed
        parts = urlsplit(url)
        if parts.hostname and (host := host_of(url)) and not re.search(r"[\s\x00-\x1f\x7f]", url):
            port = None if parts.port == DEFAULT_PORTS[parts.scheme] else parts.port
            return parts.scheme, host, port, parts.path or "/", parts.query
    raise ValueError("an http or https URL with a host")


def feed_url(value: object) -> str:
    """An http or https URL, unchanged."""
    address(value)
    return str(value).strip()


def proxy_url(value: object) -> str:
    """The URL of a proxy, as it was written; an empty text means no proxy."""
    url = value.strip() if isinstance(value, str) else " "
    with suppress(ValueError):  # a port that is not a number, a host that is not one
        parts = urlsplit(url)
        if not url or (
            parts.scheme in ("http", "https", "socks5", "socks5h")
            and parse_host(parts.hostname or "")
            and parts.port != 0
            and parts.path in ("", "/")
            and not (parts.query or parts.fragment or re.search(r"\s", url))
        ):
            return url
    raise ValueError('a proxy such as "http://proxy.example:3128" or "socks5h://NAME:PASSWORD@HOST:1080", or ""')


def listen_address(value: object) -> tuple[str, int] | Path:
    """Where to listen: host and port of `127.0.0.1:9464`, or the path of `unix:/run/kzfeed/metrics.sock`."""
    if isinstance(value, tuple | Path):
        return value
    address = value.strip() if isinstance(value, str) else ""
    scheme, _, path = address.partition(":")
    if scheme == "unix" and 1 < len(os.fsencode(path)) <= _MOST_SOCKET_PATH and path.startswith("/"):
        return Path(path)
    host, _, port = address.rpartition(":")
    has_brackets = host.startswith("[")
    if re.fullmatch(r"\d{1,5}", port, re.ASCII) and 0 < int(port) < 2**16 and has_brackets == (":" in host):
        with suppress(ValueError):
            return parse_host(host), int(port)
    raise ValueError('"HOST:PORT" such as "127.0.0.1:9464" or "[::1]:9464", or "unix:/PATH" of at most 107 bytes')


def database_url(value: object) -> str:
    """The URL of an SQLite file or a PostgreSQL database, unchanged."""
    url = value.strip() if isinstance(value, str) else ""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and re.search(r"^/?$|:memory:|mode=memory", rest):
        raise ValueError('"sqlite:///FILE": a database in memory would be lost when the command ends')
    if not _DATABASE.match(url):
        raise ValueError('"sqlite:///FILE" or "postgresql://USER@HOST/NAME"')
    if scheme == "sqlite" and "?" in rest:
        raise ValueError('"sqlite:///FILE" without parameters such as ?mode=ro: each command chooses its mode')
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    cut_short = "@" in rest and "@" not in authority and re.search(r":\D", authority)
    if scheme != "sqlite" and (cut_short or authority.count("@") > 1):
        raise ValueError('a password in which "@" is written as %40, "/" as %2F, "?" as %3F and "#" as %23')
    return url


def contact(value: object) -> str:
    """A URL or an e-mail address that may stand in the User-Agent, in round brackets."""
    found = value.strip() if isinstance(value, str) else " "
    in_a_header = re.fullmatch(r"[!-~]{0,200}", found) and not set(found) & set("()\\")
    if not in_a_header or (found and "@" not in found and "://" not in found):
        raise ValueError('a URL or an e-mail address in ASCII, without brackets, of at most 200 characters, or ""')
    return found


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
_LONGEST_SELECTOR = 1_000  # a longer one takes seconds to compile
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

    if len(selector) > _LONGEST_SELECTOR:
        raise ValueError(f"a CSS selector of at most {_LONGEST_SELECTOR:,} characters")

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


# --- several values together -----------------------------------------------------------------------------------------

Place = tuple[str | int, ...]
"""The keys and numbers that lead to a value: `("http", "timeout")`, `("sources", 0, "name")`."""


def contradictions(sources: object, has_it: Callable[[int], str]) -> Iterator[tuple[Place, object, str]]:
    """Names and URLs that two sources share, and sources with two schedules: place, value, what was expected.

    `has_it` is a sentence: that the source of this number has the value already, and where it stands.
    """
    seen: dict[tuple[str, object], int] = {}
    for number, source in enumerate(sources if isinstance(sources, list) else []):
        if not isinstance(source, dict):
            continue
        for key, identity in (("name", source_name), ("url", address)):
            with suppress(ValueError):
                first = seen.setdefault((key, identity(source.get(key))), number)
                if first != number:
                    expected = f"another {key}: {has_it(first)}"
                    yield ("sources", number, key), source[key], expected
        if "every" in source and "cron" in source:
            yield ("sources", number, "cron"), source["cron"], "no cron beside every: a source has one of them"


# --- types for pydantic ----------------------------------------------------------------------------------------------

Pause = Annotated[timedelta, PlainValidator(pause)]
Keeping = Annotated[timedelta, PlainValidator(keeping)]
Duration = Annotated[timedelta, PlainValidator(duration)]
Rhythm = Annotated[timedelta | Literal["auto"], PlainValidator(rhythm)]
Size = Annotated[int, PlainValidator(size)]
Memory = Annotated[int, PlainValidator(memory)]
Count = Annotated[int, PlainValidator(partial(number, least=1))]
CountFromZero = Annotated[int, PlainValidator(partial(number, least=0))]
Text = Annotated[str, PlainValidator(text)]
Flag = Annotated[bool, PlainValidator(flag)]
Folder = Annotated[Path, PlainValidator(folder)]
SourceName = Annotated[str, PlainValidator(source_name)]
HostName = Annotated[str, PlainValidator(host_name)]
FeedUrl = Annotated[str, PlainValidator(feed_url)]
ProxyUrl = Annotated[str, PlainValidator(proxy_url)]
ListenAddress = Annotated[tuple[str, int] | Path, PlainValidator(listen_address)]
DatabaseUrl = Annotated[str, PlainValidator(database_url)]
Contact = Annotated[str, PlainValidator(contact)]
Timezone = Annotated[str, PlainValidator(timezone)]
Cron = Annotated[str, PlainValidator(cron)]
Tags = Annotated[tuple[str, ...], PlainValidator(tags)]
FullText = Annotated[str, PlainValidator(full_text)]
ContentFields = Annotated[tuple[str, ...], PlainValidator(content_fields)]
Encoding = Annotated[str, PlainValidator(encoding)]

# --- values in error messages ----------------------------------------------------------------------------------------

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
