"""A request in, a response out, byte for byte: httpx on aiohttp, with all of that off which adds, follows or decides.

A request goes only to the addresses that the caller hands over, over a new connection or over one that has served
before and is kept. A connection is used again only where its last response was sound and has been read whole; what one
request was allowed to dial serves no other that is not.
"""

import asyncio
import errno
import functools
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast

import aiohttp
import httpx
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, HttpVersion11, RawResponseMessage
from aiohttp.streams import StreamReader
from httpx_aiohttp import AiohttpTransport

from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.head import GuardedProtocol, broken_http
from kzfeed.fetch.kept import KeptConnections

_allowed: ContextVar[tuple[str, ...]] = ContextVar("the addresses that the request under way may dial", default=())

_NO_URL = httpx.URL()
_NO_CONTENT = httpx.ByteStream(b"")
_CONTROLS = bytes((*range(9), *range(10, 32), 127))  # all but the tab

# Python up to 3.12.7 can leave a TLS connection open for good; aiohttp warns if the cure is asked for where it is none.
_CLEAN_UP_TLS = sys.version_info < (3, 12, 8) or (3, 13, 0) <= sys.version_info < (3, 13, 1)


@dataclass(frozen=True, slots=True)
class WireLimits:
    """The time for connecting, the size of a response's head in bytes, and how many connections may be open.

    The caller counts the body and the requests under way; beside those, connections are kept up to that number.
    """

    connect: timedelta
    head: int
    connections: int


@dataclass(frozen=True, slots=True)
class Request:
    """A GET. `origin` is `http://host:port`, `path` path and query, all as WHATWG serialises them.

    Header text is latin-1 and goes out as it is, in its order; `addresses` are dialled in their order.
    """

    host: str
    origin: str
    path: str
    headers: tuple[tuple[str, str], ...]
    addresses: tuple[str, ...]


class Response:
    """Status, fields in their order (name in lower case, value as latin-1 text), and the raw body as it comes."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        fields: tuple[tuple[bytes, bytes], ...] = response.extensions["fields"]
        self.fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in fields]
        self._stream = response.extensions["body"]

    @property
    def body(self) -> AsyncIterator[bytes]:
        """Pieces of at most a few hundred KiB; raises VisitError where the body is not whole."""
        return aiter(self._stream)


class Wire:
    """The client; an async context manager."""

    def __init__(self, limits: WireLimits, tls: ssl.SSLContext | None = None) -> None:
        self._limits = limits
        self._tls = tls
        self._transport: _Transport | None = None

    async def __aenter__(self) -> "Wire":
        given = self._tls
        self._transport = _Transport(self._limits, (lambda: given) if given else _tls_context)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    def stop_requests(self) -> None:
        """Send nothing more: what is asked from now on is cancelled. What is under way may still come in."""
        if self._transport is not None:
            self._transport.kept.close()

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Response]:
        """The response, whose body is open as long as the context is. Raises VisitError.

        The connection is kept where the body has been read whole and the block ends without an error.
        """
        if self._transport is None:
            raise RuntimeError("the client is not open")
        self._transport.under_way += 1
        try:
            response = await self._response(self._transport, request)
            body: _Body = response.extensions["body"]
            try:
                yield Response(response)
            except BaseException:
                body.close()
                raise
            body.release()
        finally:
            self._transport.under_way -= 1

    async def _response(self, transport: "_Transport", request: Request) -> httpx.Response:
        allowed = _allowed.set(request.addresses)
        try:
            # Not by way of httpx's client: it would cost half as much again, for redirects, cookies and hooks that
            # have no place here.
            return await transport.handle_async_request(
                httpx.Request(
                    "GET",
                    _NO_URL,
                    stream=_NO_CONTENT,  # httpx adds no headers of its own to a request that has a stream
                    # httpx has its own idea of how URLs and headers are written, and takes long over them: ours go
                    # beside them.
                    extensions={"request": request},
                )
            )
        finally:
            _allowed.reset(allowed)


def _tls_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Transport(AiohttpTransport):
    """httpx's end of it, on aiohttp's connections and parser, without its session: that could not be kept from sending
    a request a second time, from writing headers as UTF-8, and from costing more than all else together.

    The response is given to httpx without its fields, or httpx would act on them in its own way (parse Location by
    other rules and raise, keep cookies): they are in `extensions`, as bytes.
    """

    def __init__(self, limits: WireLimits, tls: Callable[[], ssl.SSLContext]) -> None:
        # To load the certificate authorities takes a while, which a server without TLS need not cost: until they are
        # needed, there is a context that trusts nobody.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        super().__init__(verify=nobody, trust_env=False)
        self._tls = functools.cache(tls)
        self.kept = KeptConnections(limits.connections)
        self.under_way = 0
        self._timeout = aiohttp.ClientTimeout(total=None, connect=limits.connect.total_seconds())
        self._connector = _connector(limits, nobody)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        wanted: Request = request.extensions["request"]
        head = _head(wanted)
        kept = self._kept(wanted)
        try:
            connection = kept or await self._connect(wanted.origin)
            message, payload = await self._exchange(connection, head)
        except _UnansweredError:
            if kept is None:
                raise
            # It was closed while the request was on its way (RFC 9112 §9.3.1). A second time is no coincidence.
            self._check_door()
            connection = await self._connect(wanted.origin)
            message, payload = await self._exchange(connection, head)
        body = _Body(connection, message, payload, keep=functools.partial(self.kept.keep, wanted.host, wanted.origin))
        return httpx.Response(
            message.code, stream=body, request=request, extensions={"fields": message.raw_headers, "body": body}
        )

    async def aclose(self) -> None:
        # In this order, so that the connector waits until they are closed.
        await self._connector.close()
        self.kept.close()

    def _kept(self, request: Request) -> Connection | None:
        self._check_door()
        kept = self.kept.take(request.host, request.origin, request.addresses)
        self.kept.make_room(self.under_way)
        return kept

    def _check_door(self) -> None:
        if self.kept.closed:
            raise asyncio.CancelledError("no more requests")

    async def _connect(self, origin: str) -> Connection:
        url = yarl.URL(origin, encoded=True)
        destination = _Destination(url, self._tls() if url.scheme == "https" else True)
        try:
            return await self._connector.connect(destination, [], self._timeout)
        except TimeoutError:
            raise VisitError("connect", "no connection within the time for connecting") from None
        except (aiohttp.ClientError, OSError) as exc:
            raise _visit_error(exc) from exc

    async def _exchange(self, connection: Connection, head: bytes) -> tuple[RawResponseMessage, StreamReader]:
        """Send the request, and take in the head of the response."""
        protocol = cast(GuardedProtocol, connection.protocol)  # the connector's factory makes no others
        try:
            if error := protocol.exception():
                raise error
            if protocol.transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.expect_response()
            protocol.transport.write(head)
            return await protocol.read()
        except (aiohttp.ClientError, HttpProcessingError, OSError) as exc:
            connection.close()
            if not protocol.heard and _is_closing(exc):
                raise _UnansweredError from exc
            raise _visit_error(exc) from exc
        except BaseException:
            connection.close()
            raise


class _UnansweredError(VisitError):
    """The server closed the connection before the first byte of a response."""

    def __init__(self) -> None:
        super().__init__("connect", "the server closed the connection without an answer")


def _is_closing(exc: Exception) -> bool:
    return isinstance(exc, aiohttp.ServerDisconnectedError) or (
        isinstance(exc, OSError) and exc.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)
    )


def _head(request: Request) -> bytes:
    """The head of a request, its text as it was given. None of that can end a line and begin another."""
    lines = [
        b"GET " + request.path.encode("ascii") + b" HTTP/1.1",
        *(f"{name}: {value}".encode("latin-1") for name, value in request.headers),
    ]
    text = b"".join(lines)
    if text.translate(None, _CONTROLS) != text:
        raise VisitError("internal", "the request has control characters where none can be")
    return b"\r\n".join((*lines, b"", b""))


def _connector(limits: WireLimits, tls: ssl.SSLContext) -> aiohttp.TCPConnector:
    connector = aiohttp.TCPConnector(
        ssl=tls,
        resolver=_HandedOver(),
        use_dns_cache=False,
        socket_factory=_checked_socket,
        force_close=True,
        limit=0,  # the Fetcher counts
        enable_cleanup_closed=_CLEAN_UP_TLS,
    )
    # aiohttp has no argument for this; should it cease to work, the tests of hostile heads fail.
    connector._factory = functools.partial(  # type: ignore[assignment]  # a partial of a subclass
        GuardedProtocol, connector._loop, max_head=limits.head
    )
    return connector


class _Destination(aiohttp.ClientRequest):
    """Where to connect to: all that aiohttp's connector asks of a request."""

    def __init__(self, url: yarl.URL, tls: ssl.SSLContext | Literal[True]) -> None:
        self.url = url
        self.proxy = self.proxy_auth = self.proxy_headers = self.server_hostname = None
        self._ssl = tls


class _HandedOver(AbstractResolver):
    """Gives aiohttp the addresses that the caller has looked up and checked."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for address in _allowed.get()
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _checked_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """The last gate: every connection begins here, whatever has led to it."""
    family, kind, protocol, _, address = info
    if address[0] not in _allowed.get():
        raise OSError(errno.EACCES, f"{address[0]} has not been checked")
    return socket.socket(family, kind, protocol)


class _Body(httpx.AsyncByteStream):
    """The body as it comes. Closing it closes the connection, at its end or before; releasing it keeps a sound one."""

    def __init__(
        self,
        connection: Connection,
        message: RawResponseMessage,
        payload: StreamReader,
        keep: Callable[[Connection], None],
    ) -> None:
        self._connection = connection
        self._message = message
        self._payload = payload
        self._keep = keep

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._payload.readany()
        except (aiohttp.ClientError, OSError) as exc:
            raise _visit_error(exc) from exc
        if not piece:
            raise StopAsyncIteration
        return piece

    def release(self) -> None:
        """Keep the connection if another request may go over it, else close it."""
        protocol = self._connection.protocol
        # A server of HTTP/1.0 may say that it keeps connections, but it knows no sure end of a response.
        sound = isinstance(protocol, GuardedProtocol) and protocol.is_fit and self._message.version >= HttpVersion11
        # A 304 may say how long the document is (RFC 9110 §8.6), and some servers send it too, against all rules.
        may_have_body = self._message.code == 304 and self._message.headers.get("Content-Length", "0") != "0"
        if sound and not may_have_body and self._payload.at_eof():
            self._keep(self._connection)
        else:
            self.close()

    def close(self) -> None:
        self._connection.close()

    async def aclose(self) -> None:
        self.close()


def _visit_error(exc: Exception) -> VisitError:
    match exc:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            return VisitError("tls", f"the certificate is not valid: {_tls_words(cause)}")
        case aiohttp.ClientSSLError(os_error=cause):
            return VisitError("tls", f"TLS failed: {_tls_words(cause)}")
        case HttpProcessingError() | aiohttp.ClientPayloadError():
            return broken_http(exc)
        case ssl.SSLError():
            return VisitError("tls", f"TLS failed: {_tls_words(exc)}")
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return VisitError("internal", "this process has too many files open for another connection")
        case aiohttp.ClientConnectorError(os_error=cause):
            return VisitError("connect", f"no connection: {cause.strerror or cause}")
        case _:
            return VisitError("connect", f"the connection broke off: {exc}")


def _tls_words(exc: Exception) -> str:
    # OpenSSL's text ends with the source line it comes from.
    return str(getattr(exc, "verify_message", "") or getattr(exc, "reason", "") or exc)
