"""Types of the addresses in kzfeed.toml: hosts, URLs, and where to listen.

As in `values`, each function converts a value or raises ValueError, whose message completes "expected …" and never
repeats the value.
"""

import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import PlainValidator

from kzfeed.hosts import DEFAULT_PORTS, host_of, parse_host

_MAX_SOCKET_PATH = 107
"""Bytes of the path of a Unix socket (unix(7))."""
_DATABASE = re.compile(r"sqlite:///(?!$|:memory:)|(?:postgresql|postgresql\+psycopg|postgres)://.")


def host_name(value: object) -> str:
    """The host, normalised (see `kzfeed.hosts`)."""
    with suppress(ValueError):
        return parse_host(value if isinstance(value, str) else "")
    if isinstance(value, str) and value.count(":") > 1 and "/" not in value:
        raise ValueError('an IPv6 address such as "2001:db8::1", without port')
    raise ValueError('a host such as "feedx.net", without scheme and port')


def host_names(value: object) -> tuple[str, ...]:
    """The hosts of a list, normalised. A variable has them in one text, with spaces between them."""
    hosts = value.split() if isinstance(value, str) else value
    if not isinstance(hosts, list | tuple):
        raise ValueError('a list of hosts such as ["archive.example"]')
    return tuple(map(host_name, hosts))


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
    written = value.strip() if isinstance(value, str) else ""
    scheme, _, path = written.partition(":")
    if scheme == "unix" and 1 < len(os.fsencode(path)) <= _MAX_SOCKET_PATH and path.startswith("/"):
        return Path(path)
    host, _, port = written.rpartition(":")
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
    # A further "@", other than in the value of a parameter, belongs to a password that a character has cut short.
    is_cut_short = re.match("[^=]*@", rest[len(authority) :]) and re.search(r":\D|@", authority)
    if scheme != "sqlite" and (is_cut_short or authority.count("@") > 1):
        raise ValueError('a password in which "@" is written as %40, "/" as %2F, "?" as %3F and "#" as %23')
    return url


def broker_urls(value: object) -> tuple[str, ...]:
    """The URLs of servers of NATS: a list, or text with white space between them, because variables hold text."""
    written = value.split() if isinstance(value, str) else value
    found = tuple(map(_broker_url, written)) if isinstance(written, list | tuple) else (None,)
    if None in found:
        raise ValueError('URLs such as ["nats://a.example:4222", "nats://b.example:4222"], without a password')
    return tuple(filter(None, found))


def _broker_url(url: object) -> str | None:
    with suppress(ValueError):  # a port that is not a number, a host that is not one
        parts = urlsplit(url.strip()) if isinstance(url, str) else urlsplit("")
        has_host_alone = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
        if parts.scheme in ("nats", "tls") and parse_host(parts.hostname or "") and parts.port != 0 and has_host_alone:
            return parts.geturl()
    return None


def contact(value: object) -> str:
    """A URL or an e-mail address that may stand in the User-Agent, in round brackets."""
    found = value.strip() if isinstance(value, str) else " "
    in_a_header = re.fullmatch(r"[!-~]{0,200}", found) and not set(found) & set("()\\")
    if not in_a_header or (found and "@" not in found and "://" not in found):
        raise ValueError('a URL or an e-mail address in ASCII, without brackets, of at most 200 characters, or ""')
    return found


HostName = Annotated[str, PlainValidator(host_name)]
HostNames = Annotated[tuple[str, ...], PlainValidator(host_names)]
FeedUrl = Annotated[str, PlainValidator(feed_url)]
ProxyUrl = Annotated[str, PlainValidator(proxy_url)]
ListenAddress = Annotated[tuple[str, int] | Path, PlainValidator(listen_address)]
BrokerUrls = Annotated[tuple[str, ...], PlainValidator(broker_urls)]
DatabaseUrl = Annotated[str, PlainValidator(database_url)]
Contact = Annotated[str, PlainValidator(contact)]
