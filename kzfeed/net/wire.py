"""A request in, a response out, byte for byte: httpx on aiohttp, with all of that off which adds, follows or decides.

Only the addresses that the caller hands over are dialled. No connection is used twice: a visit is rare and mostly one
request, and so nothing that one visit was allowed to dial can serve another.
"""

import asyncio
import errno
import functools
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import httpx
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from httpx_aiohttp import AiohttpTransport

from kzfeed.net.failure import VisitError
from kzfeed.net.head import MAX_FIELDS, GuardedProtocol, broken_http

_allowed: ContextVar[tuple[str, ...]] = ContextVar("the addresses that the request under way may dial", default=())

# Python up to 3.12.7 can leave a TLS connection open for good; aiohttp warns if the cure is asked for where it is none.
_CLEAN_UP_TLS = sys.version_info < (3, 12, 8) or (3, 13, 0) <= sys.version_info < (3, 13, 1)


@dataclass(frozen=True, slots=True)
class WireLimits:
    """The time for connecting and the size of a response's head in bytes; the caller counts the body."""

    connect: timedelta
    head: int


@dataclass(frozen=True, slots=True)
class Request:
    """A GET. `origin` is `http://host:port`, `path` path and query, both as WHATWG serialises them.

    Header text is latin-1 and goes out as it is, in its order; `addresses` are dialled in their order.
    """

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
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> "Wire":
        tls = self._tls or _tls_context()
        self._client = httpx.AsyncClient(transport=_Transport(_open_session(self._limits, tls), tls), trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Response]:
        """The response, whose body is open as long as the context is. Raises VisitError."""
        if self._client is None:
            raise RuntimeError("the client is not open")
        allowed = _allowed.set(request.addresses)
        try:
            response = await self._client.send(
                httpx.Request(
                    "GET",
                    request.origin,
                    headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers],
                    # httpx has its own idea of how a URL is encoded; the exact one goes beside it.
                    extensions={"exact_url": request.origin + request.path},
                ),
                stream=True,
            )
        finally:
            _allowed.reset(allowed)
        try:
            yield Response(response)
        finally:
            await response.aclose()


def _tls_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _open_session(limits: WireLimits, tls: ssl.SSLContext) -> aiohttp.ClientSession:
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
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        request_class=_ExactRequest,
        middlewares=(_translate_errors,),
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect.total_seconds()),
        max_line_size=limits.head,
        max_field_size=limits.head,
        max_headers=MAX_FIELDS,
    )


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


class _ExactRequest(aiohttp.ClientRequest):
    """aiohttp writes header text as UTF-8; ours is latin-1, which stands for the bytes that the server once gave."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        protocol = conn.protocol
        if protocol is None or protocol.transport is None:
            raise aiohttp.ServerDisconnectedError
        transport = protocol.transport
        protocol.transport = _Latin1Transport(transport)
        try:
            return await super().send(conn)
        finally:
            protocol.transport = transport


class _Latin1Transport(asyncio.Transport):
    """Stands in for the transport while the head of a request is written: text that came as UTF-8 leaves as latin-1."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(bytes(data).decode("utf-8").encode("latin-1"))


class _Transport(AiohttpTransport):
    """httpx's end of it.

    The response is given to httpx without its fields, or httpx would act on them in its own way (parse Location by
    other rules and raise, keep cookies): they are in `extensions`, as bytes.
    """

    def __init__(self, session: aiohttp.ClientSession, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False, client=session)
        self._session = session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = yarl.URL(request.extensions["exact_url"], encoded=True)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        answer = await self._session.request("GET", url, headers=headers, allow_redirects=False)
        body = _Body(answer)
        return httpx.Response(
            answer.status, stream=body, request=request, extensions={"fields": answer.raw_headers, "body": body}
        )


class _Body(httpx.AsyncByteStream):
    """The body as it comes. Closing it before its end closes the connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._answer.content.readany()
        except (aiohttp.ClientError, OSError) as exc:
            raise _visit_error(exc) from exc
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._answer.close()


async def _translate_errors(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Name the failure here, before the session sees it: of some kinds aiohttp would send the request again at once."""
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as exc:
        raise _visit_error(exc) from exc


def _visit_error(exc: Exception) -> VisitError:
    match exc:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            return VisitError("tls", f"the certificate is not valid: {_tls_words(cause)}")
        case aiohttp.ClientSSLError(os_error=cause):
            return VisitError("tls", f"TLS failed: {_tls_words(cause)}")
        case aiohttp.ServerTimeoutError():
            return VisitError("connect", "no connection within the time for connecting")
        case aiohttp.ServerDisconnectedError():
            return VisitError("connect", "the server closed the connection without an answer")
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
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
