"""Proxies as the configuration and the environment name them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kzfeed.config import addresses, values
from kzfeed.errors import ConfigError

LOOPBACK = ("localhost", "127.0.0.0/8", "::1")
"""Hosts that a proxy would look for on its own machine."""


@dataclass(frozen=True, slots=True)
class ProxyUrls:
    """The proxies for http and for https URLs, and the hosts that are reached without one, as NO_PROXY names them.

    The URLs may hold passwords, so `repr` leaves them out.
    """

    http: str | None = field(default=None, repr=False)
    https: str | None = field(default=None, repr=False)
    direct: tuple[str, ...] = ()


def proxies_of_environment(environ: Mapping[str, str]) -> ProxyUrls:
    """The proxies that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name. Raises ConfigError.

    A variable in lower case takes precedence. A proxy without a scheme is an HTTP proxy.
    """
    found = {name: _proxy_url(name, environ) for name in ("http_proxy", "https_proxy", "all_proxy")}
    return ProxyUrls(
        http=found["http_proxy"] or found["all_proxy"],
        https=found["https_proxy"] or found["all_proxy"],
        direct=(*LOOPBACK, *_no_proxy(environ)),
    )


def _proxy_url(name: str, environ: Mapping[str, str]) -> str | None:
    for variable in (name, name.upper()):
        text = environ.get(variable, "").strip()
        if text:
            try:
                return addresses.proxy_url(text if "://" in text else f"http://{text}")
            except ValueError as error:
                value = values.shown(text)
                origin = f"environment variable {variable}"
                raise ConfigError(variable, value=value, expected=str(error), origin=origin) from None
    return None


def _no_proxy(environ: Mapping[str, str]) -> Iterator[str]:
    text = environ.get("no_proxy") or environ.get("NO_PROXY", "")
    yield from filter(None, (entry.strip() for entry in text.split(",")))
