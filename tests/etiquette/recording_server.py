"""A real web server on loopback that answers by a script and writes down everything it saw.

Each address of 127/8 that it listens at stands for a host. It runs in a thread of its own: the visitor may be in this
process or in another one.
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
class Visitor:
    """A visit to one host over the connection of this number: when it came and was answered, by the monotonic clock.

    The first of a connection comes when that is opened, the others with their requests.
    """

    host: str
    connection: int
    came: float
    answered: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A request: its head byte for byte, when it came by the monotonic clock and by the visitor's own."""

    host: str
    head: bytes
    at: float
    clock: datetime
    visitor: Visitor

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("ascii")

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def fields(self) -> list[tuple[str, bytes]]:
        """The names in lower case, the values as bytes, in their order."""
        pairs = [line.split(b": ", 1) for line in self.head.split(b"\r\n")[1:] if line]
        return [(name.decode("ascii").lower(), value) for name, value in pairs]

    def header(self, name: str) -> bytes | None:
        """The value of a header; one that comes twice is an error."""
        values = [value for each, value in self.fields if each == name]
        assert len(values) <= 1, values
        return values[0] if values else None

    @property
    def conditions(self) -> tuple[bytes | None, bytes | None]:
        """If-None-Match and If-Modified-Since."""
        return self.header("if-none-match"), self.header("if-modified-since")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `delay` (seconds) passes before it, `declared` stands in for the body's length."""

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


Answer = Callable[[Seen], Reply]


@dataclass(slots=True)
class Page:
    """One path on one host: what it answers, in turn and then the last one for ever, and whom it has seen."""

    url: str
    host: str
    answers: list[Reply | Answer] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def respond_with(self, *answers: Reply | Answer) -> "Page":
        """From now on it answers so."""
        self.answers = list(answers)
        return self

    def answer(self, request: Seen) -> Reply:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Reply) else answer(request)

    @property
    def times(self) -> list[datetime]:
        """When it was asked, by the visitor's clock."""
        return [request.clock for request in self.seen]


class RecordingServer:
    """The server. `clock` is the visitor's, where that is in this process."""

    def __init__(self, port: int, clock: Callable[[], datetime]) -> None:
        self.port = port
        self.clock = clock
        self.seen: list[Seen] = []
        self.visitors: list[Visitor] = []
        self.nowhere = Reply(404)
        self._pages: dict[tuple[str, str], Page] = {}

    def page(self, path: str = "/feed", *answers: Reply | Answer, host: str = "127.0.0.1") -> Page:
        """The page at this path (with its query, if any) of this host."""
        page = self._pages.setdefault((host, path), Page(f"http://{host}:{self.port}{path}", host))
        if answers:
            page.respond_with(*answers)
        return page

    def at(self, host: str) -> list[Seen]:
        """What a host saw, in order."""
        return [request for request in self.seen if request.host == host]

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len({each.connection for each in self.visitors})

    def at_once(self, host: str) -> int:
        """The most visitors that a host had at one time."""
        spans = self._spans(host)
        return max((sum(start <= moment < end for start, end in spans) for moment, _ in spans), default=0)

    def pauses(self, host: str) -> list[float]:
        """The seconds between the answer to a visitor and the arrival of the next."""
        return [after[0] - before[1] for before, after in pairwise(self._spans(host))]

    def _spans(self, host: str) -> list[tuple[float, float]]:
        # Until the answer, and not until the end: that is noticed here when it is, and always later than over there.
        now = time.monotonic()
        return sorted((each.came, each.answered or now) for each in self.visitors if each.host == host)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        visitor = Visitor(host, self.connections, time.monotonic())
        self.visitors.append(visitor)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    if visitor.answered is not None:
                        visitor = Visitor(host, visitor.connection, time.monotonic())
                        self.visitors.append(visitor)
                    request = Seen(host, head, time.monotonic(), self.clock(), visitor)
                    self.seen.append(request)
                    page = self._pages.get((host, request.path))
                    reply = page.answer(request) if page else self.nowhere
                    await asyncio.sleep(reply.delay)
                    visitor.answered = time.monotonic()
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
    """A server at all of these addresses, on one port, while the block runs."""
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
    """Sockets at all hosts with one port, which the first draws until it is free everywhere."""
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
