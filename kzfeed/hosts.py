"""The host rule: which host a URL belongs to, for everything that pauses, queues, counts or stores hosts.

A host is written as the WHATWG URL Standard serialises it: lower case, names in ASCII (punycode), IPv4 addresses in
four decimal numbers, IPv6 addresses without brackets. A trailing dot is part of the name.
"""

import functools
import re
from pathlib import Path

from ada_url import URL

SocketAddress = tuple[str, int] | Path
"""Host and port, or the path of a Unix socket."""
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""The port of each scheme, of servers and of proxies, that a URL need not name."""
_DELIMITER = re.compile(r"[\s/\\?#@\[\]]")


# A daemon asks for the same few hundred URLs ten times for each poll.
@functools.lru_cache(maxsize=10_000)
def host_of(url: str) -> str:
    """The host of an http or https URL; empty for any other text."""
    try:
        parsed = URL(url)
    except ValueError:
        return ""
    return parsed.hostname.strip("[]") if parsed.protocol in ("http:", "https:") else ""


def parse_host(text: str) -> str:
    """A single host, normalised as `host_of` does it. Raises ValueError where the text is not a host.

    IPv6 addresses may have brackets.
    """
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    is_ipv6 = ":" in inner
    if not _DELIMITER.search(inner) and (is_ipv6 or inner == text):
        host = host_of(f"http://[{inner}]/" if is_ipv6 else f"http://{inner}/")
        if host:
            return host
    raise ValueError("not a host")
