"""Proxies, and the choice of the proxy for a request.

A proxy resolves the names of the hosts it is asked for: an HTTP proxy by the protocol, a SOCKS5 proxy because it is
given the name (`socks5` means the same as `socks5h`).
"""

from dataclasses import dataclass, field
from ipaddress import ip_network
from urllib.parse import unquote

import ada_url

from kzfeed.fetch.addresses import address_of
from kzfeed.fetch.target import Target
from kzfeed.hosts import DEFAULT_PORTS, parse_host


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy server. As text it has no user name and no password."""

    scheme: str
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_proxy(url: str) -> Proxy:
    """The proxy of a URL such as `socks5h://name:password@proxy.example:1080`. Raises ValueError, without the URL."""
    try:
        parsed = ada_url.URL(url)
        scheme = parsed.protocol.removesuffix(":")
        return Proxy(
            scheme=scheme,
            host=parse_host(unquote(parsed.hostname)),
            port=int(parsed.port or DEFAULT_PORTS[scheme]),
            username=unquote(parsed.username),
            password=unquote(parsed.password),
        )
    except (ValueError, KeyError):
        raise ValueError("not the URL of an http, https, socks5 or socks5h proxy") from None


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """The proxies of a source: one for http URLs, one for https URLs, and the hosts that are reached without a proxy.

    `direct` has the entries of NO_PROXY: a domain with its subdomains, an address, a network such as `10.0.0.0/8`,
    any of the first two with a port, or `*` for every host.
    """

    http: Proxy | None = None
    https: Proxy | None = None
    direct: tuple[str, ...] = ()

    def proxy_for(self, target: Target) -> Proxy | None:
        """The proxy for a request to `target`; None where the request goes to the target itself."""
        proxy = self.https if target.scheme == "https" else self.http
        return None if proxy is None or any(_matches(entry, target) for entry in self.direct) else proxy


def _matches(entry: str, target: Target) -> bool:
    if entry == "*":
        return True
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        if int(port) != target.port:
            return False
        entry = name
    address = address_of(target.host)
    if address:
        try:
            return address in ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False
    domain = entry.lstrip("*.").lower()
    return target.host == domain or target.host.endswith(f".{domain}")
