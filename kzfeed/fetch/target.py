"""The target of a request: a URL taken apart by the WHATWG rules, and the target that a redirect leads to.

Pure. Errors name the URL without the secrets in it.
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

import ada_url

from kzfeed.fetch.errors import VisitError
from kzfeed.hosts import DEFAULT_PORTS
from kzfeed.text import redacted

# The parts of a URL that ada has serialised.
_HREF = re.compile(r"(https?)://(?:([^/@]*)@)?((\[[^]]*\]|[^/:]*)(?::([0-9]+))?)(/[^#]*)")


@dataclass(frozen=True, slots=True)
class Target:
    """An http or https URL in its parts. `url` has neither userinfo nor fragment; IPv6 hosts have no brackets."""

    url: str
    scheme: str
    host: str
    port: int
    netloc: str
    path: str
    userinfo: str = ""

    @property
    def origin(self) -> str:
        """The origin (RFC 6454), without a port that is the scheme's default."""
        return f"{self.scheme}://{self.netloc}"


def target_of(url: str, base: str | None = None) -> Target:
    """The target of a URL. Raises ValueError, whose text says what is wrong, unless it is an http or https URL."""
    try:
        href = ada_url.URL(url, base).href
    except ValueError:
        raise ValueError(f"{redacted(url)!r} is not a URL") from None
    parts = _HREF.match(href)
    if parts is None:
        raise ValueError(f"{redacted(url)!r} is not http or https")
    scheme, userinfo, netloc, host, port, path = parts.groups()
    return Target(
        url=f"{scheme}://{netloc}{path}",
        scheme=scheme,
        host=host.strip("[]"),
        port=int(port or DEFAULT_PORTS[scheme]),
        netloc=netloc,
        path=path,
        userinfo=userinfo or "",
    )


def bare_url(url: str) -> str | None:
    """The URL without userinfo and fragment; None if it is not an http or https URL."""
    try:
        return target_of(url).url
    except ValueError:
        return None


def with_userinfo_of(target: Target, url: str) -> Target:
    """The target with the user name and password of `url`, if they may go to the target's origin."""
    own = target_of(url)
    return replace(target, userinfo=own.userinfo) if is_same_server(own, target) else target


def is_same_server(source: Target, target: Target) -> bool:
    """Whether both have one origin, or the target is the same host by https instead of http on the default ports."""
    is_upgrade = (source.scheme, source.port, target.scheme, target.port) == ("http", 80, "https", 443)
    return target.host == source.host and (target.origin == source.origin or is_upgrade)


def redirect_target(source: Target, status: int, location: str | None) -> Target:
    """The target of a redirect. Credentials are kept within an origin, and from http to https on the default ports."""
    if not location:
        raise VisitError("bad-redirect", f"a redirect ({status}) without a Location")
    # Servers write bytes beyond ASCII in any encoding: each byte is escaped by itself.
    location = quote(location.encode("latin-1"), safe=bytes(range(0x80)))
    try:
        target = target_of(location, source.url)
    except ValueError as exc:
        raise VisitError("bad-redirect", f"a redirect ({status}) that cannot be followed: {exc}") from None
    return replace(target, userinfo=source.userinfo if is_same_server(source, target) else "")
