"""Web server on loopback that answers by a script and records every request, in its own thread.

Each address of 127/8 that it listens on stands for a host. The client may be in this process or in another one.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

Header = tuple[str, str | bytes]


@dataclass(slots=True)
class Exchange:
    """A request and its answer at one host: the number of the connection, and the monotonic times of both.

    The first request of a connection counts from the opening of the connection.
    """

    host: str
    connection: int
    came: float
    answered: float | None = None


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A recorded request: its head byte for byte, its monotonic time, and the time on the client's clock."""

    host: str
    head: bytes
    at: float
    clock: datetime
    exchange: Exchange

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("ascii")

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def fields(self) -> list[tuple[str, bytes]]:
        """The header fields in order, names in lower case, values as bytes."""
        pairs = [line.split(b": ", 1) for line in self.head.split(b"\r\n")[1:] if line]
        return [(name.decode("ascii").lower(), value) for name, value in pairs]

    def header(self, name: str) -> bytes | None:
        """The value of a header field, which must not occur twice."""
        values = [value for each, value in self.fields if each == name]
        assert len(values) <= 1, values
        return values[0] if values else None

    @property
    def conditions(self) -> tuple[bytes | None, bytes | None]:
        """If-None-Match and If-Modified-Since."""
        return self.header("if-none-match"), self.header("if-modified-since")


@dataclass(frozen=True, slots=True)
class Reply:
    """A response, sent after `delay` seconds. `declared` is a false Content-Length."""

    status: int = 200
    headers: Sequence[Header] = ()
    body: bytes = b""
    delay: float = 0.0
    declared: int | None = None

    def bytes(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Said".encode()]
        lines += [
            name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1"))
            for name, value in self.headers
        ]
        if self.status == 304:
            return b"\r\n".join([*lines, b"", b""])
        length = len(self.body) if self.declared is None else self.declared
        return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", self.body])


Answer = Callable[[RecordedRequest], Reply]


@dataclass(slots=True)
class Page:
    """One path on one host: its answers in turn, of which the last one repeats, and its recorded requests."""

    url: str
    host: str
    answers: list[Reply | Answer] = field(default_factory=list)
    seen: list[RecordedRequest] = field(default_factory=list)

    def respond_with(self, *answers: Reply | Answer) -> "Page":
        """Replace the answers from now on."""
        self.answers = list(answers)
        return self

    def answer(self, request: RecordedRequest) -> Reply:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Reply) else answer(request)

    @property
    def times(self) -> list[datetime]:
        """The times of the requests on the client's clock."""
        return [request.clock for request in self.seen]


class RecordingServer:
    """The server. `clock` is the client's, if that is in this process."""

    def __init__(self, port: int, clock: Callable[[], datetime]) -> None:
        self.port = port
        self.clock = clock
        self.seen: list[RecordedRequest] = []
        self.exchanges: list[Exchange] = []
        self.nowhere = Reply(404)
        self._pages: dict[tuple[str, str], Page] = {}

    def page(self, path: str = "/feed", *answers: Reply | Answer, host: str = "127.0.0.1") -> Page:
        """The page at this path, including a query, of this host. It is made if it is missing."""
        page = self._pages.setdefault((host, path), Page(f"http://{host}:{self.port}{path}", host))
        if answers:
            page.respond_with(*answers)
        return page

    def at(self, host: str) -> list[RecordedRequest]:
        """The requests at a host, in order."""
        return [request for request in self.seen if request.host == host]

    @property
    def connections(self) -> int:
        """The number of connections so far."""
        return len({each.connection for each in self.exchanges})

    def at_once(self, host: str) -> int:
        """The most requests that a host had at the same time."""
        spans = self._spans(host)
        return max((sum(start <= moment < end for start, end in spans) for moment, _ in spans), default=0)

    def pauses(self, host: str) -> list[float]:
        """The seconds between an answer and the next request at a host."""
        return [after[0] - before[1] for before, after in pairwise(self._spans(host))]

    def _spans(self, host: str) -> list[tuple[float, float]]:
        # A span ends with the answer: the end of the connection is noticed here later than by the client.
        now = time.monotonic()
        return sorted((each.came, each.answered or now) for each in self.exchanges if each.host == host)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        exchange = Exchange(host, self.connections, time.monotonic())
        self.exchanges.append(exchange)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    if exchange.answered is not None:
                        exchange = Exchange(host, exchange.connection, time.monotonic())
                        self.exchanges.append(exchange)
                    request = RecordedRequest(host, head, time.monotonic(), self.clock(), exchange)
                    self.seen.append(request)
                    page = self._pages.get((host, request.path))
                    reply = page.answer(request) if page else self.nowhere
                    await asyncio.sleep(reply.delay)
                    exchange.answered = time.monotonic()
                    writer.write(reply.bytes())
                    await writer.drain()
                    if reply.declared is not None:
                        return
        finally:
            writer.close()


@contextmanager
def recording(
    hosts: Iterable[str] = ("127.0.0.1",), *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[RecordingServer]:
    """A server on one port of all these addresses, for the length of the block."""
    sockets = _listening(list(hosts))
    recorder = RecordingServer(sockets[0].getsockname()[1], clock)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        servers = [await asyncio.start_server(recorder.serve, sock=each) for each in sockets]
        await stop.wait()
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), name="recorder")
    thread.start()
    try:
        yield recorder
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _listening(hosts: Sequence[str]) -> list[socket.socket]:
    """Sockets on all hosts with the same port, drawn again until it is free everywhere."""
    while True:
        opened: list[socket.socket] = []
        try:
            for host in hosts:
                opened.append(socket.create_server((host, opened[0].getsockname()[1] if opened else 0), backlog=200))
        except OSError as error:
            for each in opened:
                each.close()
            if "in use" not in str(error):
                raise
        else:
            return opened
