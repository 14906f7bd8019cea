"""Access to the servers of a source: proxies, certificate authorities, User-Agent, and credentials."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext, create_default_context

from kzfeed.fetch.proxy import ProxyRules
from kzfeed.fetch.target import Target, is_same_server, target_of, with_userinfo_of

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Access:
    """How the requests of a source are made.

    `url` is the configured address of the source. `headers`, which may be secret, and the user name and password in
    `url` are sent to its server only, wherever redirects lead. `authorities` are trusted in place of those of the
    system; None means those of the system, as it means kzfeed's own User-Agent.
    """

    proxies: ProxyRules = ProxyRules()  # noqa: RUF009 - frozen
    url: str = field(default="", repr=False)
    headers: tuple[Header, ...] = field(default=(), repr=False)
    user_agent: bytes | None = None
    authorities: SSLContext | None = None

    def first_target(self, url: str) -> Target:
        """The target of the first request. Raises ValueError for an address that cannot be visited."""
        target = target_of(url)
        return with_userinfo_of(target, self.url) if self.url else target

    def headers_for(self, target: Target) -> tuple[Header, ...]:
        """The headers of the source that go to this target."""
        return self.headers if self.headers and is_same_server(target_of(self.url), target) else ()


AccessOf = Callable[[str], Access]
"""From a source's name to its access."""


def authorities_of(path: str) -> SSLContext:
    """Certificate authorities, from a file in PEM. Raises OSError, and ssl.SSLError if it has none."""
    context = create_default_context(cafile=path)
    context.set_alpn_protocols(["http/1.1"])
    return context
