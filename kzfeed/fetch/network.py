"""Network backend for httpcore, one for each request.

Connections lead to checked addresses only, whatever host httpcore asks for. The bytes that come in are bounded: the
head of the response has a limit, and everything beside the head and the body has another. TLS, proxies and HTTP
all use it.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohappyeyeballs
import httpcore2

from kzfeed.fetch.errors import VisitError

MAX_FIELDS = 500
MAX_VALIDATOR = 4096

_NEXT_ADDRESS_AFTER = 0.25  # seconds (RFC 8305 §8)
_MAX_INTERIM_RESPONSES = 1000
_OVERHEAD = 64 << 10  # bytes beside head and body: chunk sizes and extensions, trailers, a proxy's answers
_HEAD_END = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.1 +1(?!01)[0-9][0-9]")
# A validator with the lines that can only be the rest of its value: folded lines, and lines without a colon.
_VALIDATOR = re.compile(
    rb"^(?:etag|last-modified)[ \t]*:([^\n]*\n(?:(?!\r?\n)(?:[ \t][^\n]*|[^\n:]*)\n)*)", re.IGNORECASE | re.MULTILINE
)
CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """The seconds for reaching the server, proxies included, and the size of a response's head in bytes."""

    connect: float
    head: int


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """A network for one request and one connection. `addresses` are dialled in their order, and no others."""

    def __init__(self, addresses: Sequence[str], limits: NetworkLimits) -> None:
        self._addresses = addresses
        self._limits = limits
        self._stream: _GuardedStream | None = None
        self._allowance = _OVERHEAD
        self.connect_by = 0.0
        """The time by which the request must have been sent, by the event loop's clock."""
        self.is_reached = False
        """Whether the HTTP request itself has been sent, after the handshakes with the proxy and of TLS."""
        self.head = b""
        """The head of the final response as it was received, to the empty line."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.connect_by = asyncio.get_running_loop().time() + self._limits.connect
        infos: list[aiohappyeyeballs.AddrInfoType] = [
            (
                socket.AF_INET6 if ":" in each else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (each, port),
            )
            for each in self._addresses
        ]
        try:
            async with asyncio.timeout_at(self.connect_by):
                connected = await aiohappyeyeballs.start_connection(infos, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER)
                self._stream = _GuardedStream(self, *await asyncio.open_connection(sock=connected))
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout(exc) from exc
        except OSError as exc:
            raise httpcore2.ConnectError(exc) from exc
        return self._stream

    def close(self) -> None:
        """Close the connection, in whatever state it is."""
        if self._stream is not None:
            self._stream.abort()

    def allow(self, size: int) -> None:
        """Allow this many more bytes to come in."""
        self._allowance += size

    def count(self, size: int) -> None:
        """Take bytes that came in off the allowance. Raises VisitError where they are too many."""
        self._allowance -= size
        if self._allowance < 0:
            raise VisitError("bad-response", "the body comes wrapped in far more bytes than it has")

    def begin_request(self) -> None:
        """Note that the request goes out: what comes in from now on is its response."""
        self.is_reached = True
        self._allowance = _OVERHEAD

    async def read_head(self, reader: asyncio.StreamReader) -> bytes:
        """The head of the final response, without validators that cannot be echoed, and what came with it of the body.

        Interim responses (1xx) are left out. Raises VisitError.
        """
        data = bytearray()
        interim = scanned = 0
        while True:
            end = _HEAD_END.search(data, scanned)
            if (end.end() if end else len(data)) > self._limits.head:
                raise VisitError("bad-response", f"the headers have more than {self._limits.head:,} bytes")
            if not data.startswith(b"HTTP/1.") and not b"HTTP/1.".startswith(data[:7]):
                raise VisitError("bad-response", f"the answer is not HTTP/1: it begins with {bytes(data[:20])!r}")
            if end and not _INTERIM.match(data):
                break
            if end:
                del data[: end.end()]
                interim += 1
                scanned = 0
                if interim > _MAX_INTERIM_RESPONSES:
                    await asyncio.Event().wait()  # A flood is not read: the visit ends at its deadline.
                continue
            scanned = max(0, len(data) - 3)
            more = await reader.read(64 << 10)
            if not more and (data or interim):
                raise VisitError("bad-response", "the connection was closed in the middle of the headers")
            if not more:
                raise VisitError("connect", "the server closed the connection without an answer")
            data += more
        self.head, rest = bytes(data[: end.end()]), bytes(data[end.end() :])
        if (lines := self.head.count(b"\n") - 2) > MAX_FIELDS:
            raise VisitError("bad-response", f"there are {lines:,} header lines, more than {MAX_FIELDS}")
        self.count(len(rest))
        return _without_broken_validators(self.head) + rest


class _GuardedStream(httpcore2.AsyncNetworkStream):
    """asyncio's streams behind httpcore's interface. anyio's, which httpcore would use, cost more."""

    def __init__(self, network: GuardedNetwork, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._network = network
        self._reader = reader
        self._writer = writer
        self._head_is_due = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        network = self._network
        try:
            if self._head_is_due:
                self._head_is_due = False
                return await network.read_head(self._reader)
            if network.is_reached:
                data = await self._reader.read(max_bytes)
            else:  # a proxy's answer
                async with asyncio.timeout_at(network.connect_by):
                    data = await self._reader.read(max_bytes)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout(exc) from exc
        except OSError as exc:
            raise httpcore2.ReadError(exc) from exc
        network.count(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer.startswith(b"GET "):
            self._head_is_due = True
            self._network.begin_request()
        # A request is small: nothing waits until it is out.
        self._writer.write(buffer)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout_at(self._network.connect_by):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout(exc) from exc
        except OSError as exc:  # ssl.SSLError is one
            raise httpcore2.ConnectError(exc) from exc
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(info)

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        # Nothing more is asked, so TLS need not wait for the server's closing alert.
        self._writer.transport.abort()


def _without_broken_validators(head: bytes) -> bytes:
    """The head without validators that cannot be echoed: too long, or with a line break or a control character."""
    return _VALIDATOR.sub(lambda field: field[0] if _can_be_echoed(field[1].removesuffix(b"\n")) else b"", head)


def _can_be_echoed(value: bytes) -> bool:
    value = value.removesuffix(b"\r").strip(b" \t")
    return len(value) <= MAX_VALIDATOR and not CONTROLS.search(value)
