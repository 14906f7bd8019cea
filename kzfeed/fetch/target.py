"""A URL in, what a request for it needs out, by the WHATWG rules: whom to ask for what, and where a redirect leads.

Pure. What is no http or https URL is said in words, without secrets.
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

import ada_url

from kzfeed.fetch.errors import VisitError
from kzfeed.text import redacted

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Of a URL that is serialised by the WHATWG rules: to ask their parser for each part costs three times as much.
_HREF = re.compile(r"(https?)://(?:([^/@]*)@)?((\[[^]]*\]|[^/:]*)(?::([0-9]+))?)(/[^#]*)")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart by the WHATWG rules. `url` has neither userinfo nor fragment; `userinfo` is apart."""

    url: str
    scheme: str
    host: str
    port: int
    netloc: str
    path: str
    userinfo: str = ""

    @property
    def origin(self) -> str:
        """Where to connect to."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def url_with_userinfo(self) -> str:
        """The URL with what the operator may have written into it: a secret."""
        return f"{self.scheme}://{self.userinfo}@{self.netloc}{self.path}" if self.userinfo else self.url


def target_of(url: str, base: str | None = None) -> Target:
    """Take a URL apart. Raises ValueError, in words, for what is no http or https URL."""
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
        port=int(port or _DEFAULT_PORTS[scheme]),
        netloc=netloc,
        path=path,
        userinfo=userinfo or "",
    )


def host_of(host: str | None) -> str | None:
    """The host as the WHATWG rules serialise it, however the operator wrote it."""
    if not host:
        return None
    try:
        return target_of(f"http://[{host}]/" if ":" in host and not host.startswith("[") else f"http://{host}/").host
    except ValueError:
        return None


def bare_url(url: str) -> str | None:
    """The URL without userinfo and fragment; None where it is none."""
    try:
        return target_of(url).url
    except ValueError:
        return None


def redirect_target(source: Target, status: int, location: str | None) -> Target:
    """Where a redirect leads. The operator's credentials go along within the origin, or from its http to its https."""
    if not location:
        raise VisitError("bad-redirect", f"a redirect ({status}) that does not say where to")
    # Bytes beyond ASCII are meant as they are, in whichever encoding.
    location = quote(location.encode("latin-1"), safe=bytes(range(0x80)))
    try:
        target = target_of(location, source.url)
    except ValueError as exc:
        raise VisitError("bad-redirect", f"a redirect ({status}) to where it cannot be followed: {exc}") from None
    same_origin = target.origin == source.origin
    upgrade = (source.scheme, source.port, target.scheme, target.port) == ("http", 80, "https", 443)
    keep = target.host == source.host and (same_origin or upgrade)
    return replace(target, userinfo=source.userinfo if keep else "")
