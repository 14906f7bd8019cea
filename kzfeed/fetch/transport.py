"""The transport of our HTTP client: requests become bytes on a connection by httpcore, one connection for each request.

httpcore and h11 judge the framing of the response (RFC 9112); `kzfeed.fetch.network` bounds addresses and bytes.
"""

import asyncio
import errno
import functools
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import httpcore2
import httpx2
import socksio

from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.network import CONTROLS, GuardedNetwork, NetworkLimits
from kzfeed.fetch.proxy import Proxy
from kzfeed.fetch.target import Target

_CORE_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    socksio.ProtocolError,
    VisitError,
)
_LENGTHS = {b"content-length", b"transfer-encoding"}
_NO_AUTHORITIES = (
    "; this machine has no certificate authorities: install them (package ca-certificates)"
    " or name a file of them in SSL_CERT_FILE"
)


@dataclass(frozen=True, slots=True)
class Route:
    """How a request gets to its server: the target, the proxy if there is one, and the addresses that may be dialled.

    The addresses are those of the target's host, or of the proxy. `authorities` verify the target's certificate; None
    means those of the transport.
    """

    target: Target
    addresses: tuple[str, ...]
    proxy: Proxy | None = None
    authorities: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request consists of: its route, and its headers, which go out byte for byte and in this order."""

    route: Route
    headers: list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Received:
    """The head of a response: its bytes as received, the status, and the fields in their order."""

    head: bytes
    status: int
    fields: list[tuple[bytes, bytes]]


class Transport(httpx2.AsyncBaseTransport):
    """Connections for an httpx2 client; each is closed after its response.

    A request carries Sent as the extension `sent`, a response Received as the extension `received`. Raises VisitError,
    and CancelledError for a request after `stop_requests`.
    """

    def __init__(self, limits: NetworkLimits, tls: ssl.SSLContext | None = None) -> None:
        self._limits = limits
        self._given_tls = tls
        self._open = True

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        # Loading the certificate authorities takes a while, which visits without TLS need not wait for.
        tls = self._given_tls or httpx2.create_ssl_context()
        tls.set_alpn_protocols(["http/1.1"])
        return tls

    def stop_requests(self) -> None:
        """Cancel requests from now on. Responses under way may still come in."""
        self._open = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self._open:
            raise asyncio.CancelledError("no more requests")
        sent: Sent = request.extensions["sent"]
        route = sent.route
        asked = _core_request(sent)
        network = GuardedNetwork(route.addresses, self._limits)
        try:
            connection = await self._connection(route, asked.url.origin, network)
            response = await connection.handle_async_request(asked)
            _check(response, route.proxy)
        except _CORE_ERRORS as exc:
            network.close()
            raise self.visit_error(exc, network, route) from exc
        except BaseException:
            network.close()
            raise
        # The client gets no headers: it would keep cookies and follow its own rules for Location.
        return httpx2.Response(
            response.status,
            stream=_Body(self, response, network, route),
            extensions={"received": Received(network.head, response.status, response.headers)},
        )

    async def _connection(
        self, route: Route, origin: httpcore2.Origin, network: GuardedNetwork
    ) -> httpcore2.AsyncConnectionInterface:
        tls = (route.authorities or self._tls) if route.target.scheme == "https" else None
        if route.proxy:
            # The pool only makes the connection: its queue and its keep-alive are of no use here.
            proxy = self._core_proxy(route.proxy)
            return httpcore2.AsyncConnectionPool(tls, proxy, network_backend=network).create_connection(origin)
        stream = await network.connect_tcp(route.target.host, route.target.port)
        if tls:
            stream = await stream.start_tls(tls, route.target.host)
        return httpcore2.AsyncHTTP11Connection(origin, stream)

    def _core_proxy(self, proxy: Proxy) -> httpcore2.Proxy:
        return httpcore2.Proxy(
            httpcore2.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/"),
            auth=(proxy.username.encode(), proxy.password.encode()) if proxy.username or proxy.password else None,
            ssl_context=self._tls if proxy.scheme == "https" else None,
        )

    def visit_error(self, exc: Exception, network: GuardedNetwork, route: Route) -> VisitError:
        """An error of httpcore in our words, with the name of the proxy if it came through one."""
        error = exc if isinstance(exc, VisitError) else self._translated(exc, network, route)
        return VisitError(error.kind, f"{error.words} (proxy {route.proxy})") if route.proxy else error

    def _translated(self, exc: Exception, network: GuardedNetwork, route: Route) -> VisitError:  # noqa: C901 - one case for each error
        match exc.args[0] if exc.args else None:
            case ssl.SSLCertVerificationError(verify_message=words):
                return VisitError("tls", f"the certificate is not valid: {words}{self._hint(route)}")
            case ssl.SSLError(reason=words) as cause:
                return VisitError("tls", f"TLS failed: {words or cause}")
            case OSError(errno=errno.EMFILE | errno.ENFILE):
                return VisitError("internal", "this process has too many files open for another connection")
            case OSError(errno=errno.ENETUNREACH | errno.ENETDOWN, strerror=words):
                return VisitError("offline", f"no route from this machine: {words}")
            case TimeoutError():
                return VisitError("connect", "no connection within the time for connecting")
            case OSError(strerror=words) as cause if isinstance(exc, httpcore2.ConnectError):
                return VisitError("connect", f"no connection: {words or cause}")
        match exc:
            case httpcore2.ProxyError():
                return VisitError("connect", f"the proxy refused: {exc}")
            case socksio.ProtocolError():
                return VisitError("connect", "the proxy's answer is not SOCKS5")
            case httpcore2.RemoteProtocolError() if network.is_reached:
                return VisitError("bad-response", f"the answer breaks HTTP: {exc}")
            case httpcore2.RemoteProtocolError():
                return VisitError("connect", f"the proxy's answer breaks HTTP: {exc}")
        return VisitError("connect", f"the connection broke off: {exc}")

    def _hint(self, route: Route) -> str:
        """What may be wrong with the authorities that know no valid certificate."""
        if route.authorities:
            return " (it is verified by the authorities of tls_ca alone)"
        return "" if _has_authorities(self._tls) else _NO_AUTHORITIES


class _Body(httpx2.AsyncByteStream):
    """The body of a response as it comes, still encoded. Closing it closes the connection."""

    def __init__(
        self, transport: Transport, response: httpcore2.Response, network: GuardedNetwork, route: Route
    ) -> None:
        self._transport = transport
        self._response = response
        self._network = network
        self._route = route

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async with aclosing(self._response.aiter_stream()) as pieces:
                async for piece in pieces:
                    self._network.allow(2 * len(piece))
                    yield piece
        except _CORE_ERRORS as exc:
            raise self._transport.visit_error(exc, self._network, self._route) from exc

    async def aclose(self) -> None:
        self._network.close()


def _core_request(sent: Sent) -> httpcore2.Request:
    route = sent.route
    if any(CONTROLS.search(value) for _, value in sent.headers):
        raise VisitError("internal", "the request has control characters where HTTP allows none")
    # httpcore takes the name for TLS from the URL's host, which has brackets where that is an IPv6 address.
    name = {"sni_hostname": route.target.host} if route.proxy else {}
    return httpcore2.Request("GET", _core_url(route), headers=sent.headers, extensions=name)


def _core_url(route: Route) -> httpcore2.URL:
    target, proxy = route.target, route.proxy
    host, path = target.host, target.path
    if proxy and proxy.scheme in ("http", "https"):
        # httpcore writes this host into CONNECT, and the whole URL into a request to a proxy, but never adds brackets.
        host = f"[{host}]" if ":" in host else host
        path = target.url if target.scheme == "http" else path
    return httpcore2.URL(scheme=target.scheme, host=host, port=target.port, target=path)


def _check(response: httpcore2.Response, proxy: Proxy | None) -> None:
    if {name.lower() for name, _ in response.headers} >= _LENGTHS:
        raise VisitError("bad-response", "both Transfer-Encoding and Content-Length")
    if response.extensions["http_version"] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise VisitError("bad-response", f"the answer is {response.extensions['http_version'].decode()}, not HTTP/1")
    if response.status == 407 and proxy:
        raise VisitError("connect", "the proxy asks for a user name and a password (407)")


def _has_authorities(tls: ssl.SSLContext) -> bool:
    # OpenSSL loads a folder of authorities only when it needs them: those are not in the statistics.
    folder = ssl.get_default_verify_paths().capath
    return bool(tls.cert_store_stats()["x509_ca"]) or (folder is not None and any(Path(folder).iterdir()))
