"""Real servers on loopback for the tests of `fetch`: each answers by its script and keeps the requests it got."""

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from kzfeed.fetch.client import DEFAULT_LIMITS, Fetcher, FetchLimits
from kzfeed.model.polls import Failed, Fetched, Outcome, Validators, Visit

AGENT = "kzfeed/0.0 (+mailto:tests@kzfeed.example)"
FEED = b"<rss version='2.0'><channel><title>a feed</title></channel></rss>"

# For tests only: it vouches for 127.0.0.1 and feeds.example until 2120, and nobody trusts it unless told to.
KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqtWosZ/LEvmxn3Bz
3qcZmj8efxDg7G5I28WEBmCkEuGhRANCAAQmECH3TQpOd0Mx7uZWzjZ6m0TvrNsZ
1oInsI0M+pkFonXq1w3cDabYtYQXuvbgCWBtRjHU8HqP7pYrOy6lyVwM
-----END PRIVATE KEY-----
"""
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBbzCCARWgAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtremZlZWQg
dGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UE
AwwLa3pmZWVkIHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQmECH3TQpO
d0Mx7uZWzjZ6m0TvrNsZ1oInsI0M+pkFonXq1w3cDabYtYQXuvbgCWBtRjHU8HqP
7pYrOy6lyVwMo1IwUDAPBgNVHRMBAf8EBTADAQH/MB4GA1UdEQQXMBWHBH8AAAGC
DWZlZWRzLmV4YW1wbGUwHQYDVR0OBBYEFEJOoVQysoLpRWtvDZvxitKyFGJTMAoG
CCqGSM49BAMCA0gAMEUCIQCeA7A8mX7Doc5+uMvjt+n8W6oXMznEGfYUsZ8faOsB
wgIgJXOXOTPwkA7aFtwvd5gBncuYz66gs+KBCc+Zy33BfUc=
-----END CERTIFICATE-----
"""

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Given the head of a request, writes whatever it likes. The connection is closed after it, unless it is to be kept."""


@dataclass
class Server:
    host: str
    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    scheme: str = "http"

    def url(self, path: str = "/feed", host: str | None = None, userinfo: str = "") -> str:
        return f"{self.scheme}://{userinfo}{host or self.host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        return [request.split(b" ", 2)[1].decode("ascii") for request in self.requests]

    def headers(self, number: int = -1) -> dict[str, str]:
        """The headers of a request, in their order; a name that comes twice is an error."""
        pairs = [line.decode("latin-1").split(": ", 1) for line in self.requests[number].split(b"\r\n")[1:] if line]
        headers = dict(pairs)
        assert len(headers) == len(pairs), pairs
        return headers


@asynccontextmanager
async def serve(
    answer: Answer, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, keeps: bool = False
) -> AsyncIterator[Server]:
    """A server on a free port; what it is doing when the context ends is broken off.

    One that `keeps` connections goes on with the next request, until the visitor closes.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.connections += 1
        server.open += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    request = await reader.readuntil(b"\r\n\r\n")
                    server.requests.append(request)
                    await answer(request, writer)
                    await writer.drain()
                    if not keeps:
                        break
        finally:
            server.open -= 1
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 1)

    listening = await asyncio.start_server(handle, host, port, ssl=tls)
    server = Server(host, listening.sockets[0].getsockname()[1], scheme="https" if tls else "http")
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def response(
    status: int = 200, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), body: bytes = FEED
) -> bytes:
    """A plain response with its Content-Length."""
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if status != 304 and not any(name.lower() == "content-length" for name, _ in pairs):
        pairs.append(("Content-Length", str(len(body))))
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if status == 304 else body)


def raw(*pieces: bytes, pause: float = 0.0) -> Answer:
    """Sends these bytes, piece by piece, and closes."""

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def reply(status: int = 200, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), body: bytes = FEED) -> Answer:
    return raw(response(status, headers, body))


def routes(table: Mapping[str, Answer]) -> Answer:
    """One answer for each path."""

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        await table[request.split(b" ", 2)[1].decode("ascii")](request, writer)

    return answer


def endless(start: bytes, again: bytes, *, pause: float = 0.0) -> Answer:
    """Sends `start`, and then `again` for ever."""

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.write_text(KEY + CERTIFICATE)
        context.load_cert_chain(path)
    return context


def client_tls() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=CERTIFICATE)


def no_names(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


def names(**table: list[str]) -> Callable[[str, int], list[str]]:
    """A look-up that knows these hosts of `.example` only."""

    def lookup(host: str, port: int) -> list[str]:
        return table[host.removesuffix(".example")]

    return lookup


def fetcher(
    *,
    limits: FetchLimits = DEFAULT_LIMITS,
    lookup: Callable[[str, int], list[str]] = no_names,
    tls: ssl.SSLContext | None = None,
    max_connections: int = 100,
) -> Fetcher:
    return Fetcher(
        user_agent=AGENT, limits=limits, lookup=lookup, tls=tls or client_tls(), max_connections=max_connections
    )


def seconds(timeout: float) -> FetchLimits:
    return FetchLimits(timeout=timedelta(seconds=timeout), connect_timeout=timedelta(seconds=timeout))


def visit_once(
    answer: Answer,
    *,
    path: str = "/feed",
    userinfo: str = "",
    limits: FetchLimits = DEFAULT_LIMITS,
    etag: str | None = None,
    last_modified: str | None = None,
) -> tuple[Outcome, Server]:
    """One visit to a server that answers so, with validators if there are any; what came of it, and the server."""

    async def go() -> tuple[Outcome, Server]:
        async with serve(answer) as server, fetcher(limits=limits) as fetch:
            url = server.url(path)
            known = Validators(url, etag, last_modified) if etag is not None or last_modified is not None else None
            outcome = await fetch.visit(Visit(server.url(path, userinfo=userinfo), known, server.host))
            return outcome, server

    return asyncio.run(go())


def failed(outcome: Outcome) -> Failed:
    """The outcome, which is a failure that a person can read."""
    assert isinstance(outcome, Failed), outcome
    assert len(outcome.error) <= 300
    assert "\n" not in outcome.error
    return outcome


def fetched(outcome: Outcome) -> Fetched:
    """The outcome, which is a document."""
    assert isinstance(outcome, Fetched), outcome
    return outcome
