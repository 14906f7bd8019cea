"""Web server on loopback in a thread, with a programmable answer, at one address of 127/8 for each host."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Request:
    """A received request: its monotonic time, address, path and If-None-Match."""

    at: float
    host: str
    path: str
    etag: str | None


@dataclass(frozen=True)
class Reply:
    """A response. It is sent after `delay` seconds and after the event `not_before`, its body `pause` seconds later."""

    status: int = 200
    body: bytes = b""
    etag: str | None = None
    location: str | None = None
    delay: float = 0.0
    not_before: threading.Event | None = None
    pause: float = 0.0
    content_type: str = "application/rss+xml"
    headers: Sequence[str] = ()
    """Further lines of the head."""
    missing_bytes: int = 0
    """How many bytes of the announced body are not sent."""
    on_answer: Callable[[], None] = lambda: None
    """Called before the first byte is sent."""
    on_sent: Callable[[], None] = lambda: None
    """Called when the last byte is sent."""


@dataclass
class FeedServer:
    """A server for the length of a block. `requests` are those received so far.

    The host `0.0.0.0` is one port on all addresses of 127/8; each request has the address that it came to.
    """

    answer: Callable[[Request], Reply]
    hosts: Sequence[str] = ("127.0.0.1",)
    port: int = 0
    """The port of every host; 0 is a free one for each."""
    requests: list[Request] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    _asked: threading.Condition = field(default_factory=threading.Condition)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(60)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def wait_for_requests(self, count: int, *, timeout: float = 120) -> None:
        """Wait until this many requests have been received in all."""
        with self._asked:
            assert self._asked.wait_for(lambda: len(self.requests) >= count, timeout), f"{len(self.requests)} requests"

    def hold(self, count: int, until: threading.Event) -> None:
        """Let all requests from now on wait for this event, and wait until so many do."""
        answer, held = self.answer, 0

        def answer_later(request: Request) -> Reply:
            nonlocal held
            with self._asked:
                held += 1
                self._asked.notify_all()
            return replace(answer(request), not_before=until)

        self.answer = answer_later
        with self._asked:
            assert self._asked.wait_for(lambda: held >= count, 120), f"{held} requests"

    def refuse(self) -> None:
        """Refuse all connections from now on."""

        async def close() -> None:
            for server in self._listening:
                server.close()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(60)

    def accept(self) -> None:
        """Accept connections again, if `port` is given at the same one."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(60)

    async def _listen(self) -> None:
        self._listening = [await asyncio.start_server(self._handle, host, self.port) for host in self.hosts]
        for host, server in zip(self.hosts, self._listening, strict=True):
            self.addresses[host] = f"http://{host}:{server.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        for server in self._listening:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        host = writer.get_extra_info("sockname")[0]
        request = Request(time.monotonic(), host, first.split(" ")[1], headers.get("if-none-match"))
        with self._asked:
            self.requests.append(request)
            self._asked.notify_all()
        reply = self.answer(request)
        await asyncio.sleep(reply.delay)
        if reply.not_before:
            await asyncio.to_thread(reply.not_before.wait, 60)
        head = [f"HTTP/1.1 {reply.status} Said", f"Content-Type: {reply.content_type}", "Connection: close"]
        head += [f"ETag: {reply.etag}"] if reply.etag else []
        head += [f"Location: {reply.location}"] if reply.location else []
        head += [f"Content-Length: {len(reply.body) + reply.missing_bytes}"] if reply.status != 304 else []
        head += reply.headers
        reply.on_answer()
        writer.write("\r\n".join([*head, "", ""]).encode("latin-1"))
        await writer.drain()
        await asyncio.sleep(reply.pause)
        writer.write(reply.body)
        await writer.drain()
        reply.on_sent()
