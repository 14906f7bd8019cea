"""Worker pool: documents are read in processes that can be killed.

A document that takes too long or too much memory, or that crashes its worker, fails alone: the worker is replaced and
all other documents are read. Slow documents do not keep quick ones waiting (docs/decisions/sandbox.md).
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from subprocess import DEVNULL, Popen
from typing import cast

from kzfeed.errors import DocumentError
from kzfeed.model.articles import Document, FeedLinks, HtmlPage, ParsedDocument
from kzfeed.model.pages import ArticlePage, ReadPage, RobotsAnswer, RobotsQuestion
from kzfeed.sandbox.messages import LENGTH, READY, Answer, MessageError, Request, decode_answer, encode, max_answer_size

COMMAND = (sys.executable, "-P", "-m", "kzfeed.sandbox.worker")
PAGE_COMMAND = (sys.executable, "-P", "-m", "kzfeed.sandbox.page_worker")
"""Starts a worker for pages of articles."""
START_TIMEOUT = timedelta(seconds=30)
"""How long a worker may take to start. On an idle machine it takes a third of a second."""
QUICK_READING = timedelta(seconds=0.5)
"""The time for the first attempt to read a document: ten times the slowest reading of a feed of 375 KB."""
BUFFER_SIZE = 2**20
"""Bytes of the kernel's socket buffer and of our buffer for an answer: most messages fit into one."""


_MALLOC_SETTINGS = {"MALLOC_TRIM_THRESHOLD_": str(32 * BUFFER_SIZE), "MALLOC_MMAP_THRESHOLD_": str(32 * BUFFER_SIZE)}
"""glibc keeps freed memory for the next document: asking the kernel for it again costs a tenth of reading."""


class Workers:
    """A small pool of workers; an async context manager.

    `timeout` and `memory` (bytes) limit the reading of one document. A worker starts when a document needs it. At most
    `processes` documents are read at a time, and one slow one beside them. Each first gets QUICK_READING; a slower one
    is read again from the beginning, and fails if its turn does not come within `timeout`. `command`
    starts a worker; memory and seconds are added as arguments.
    """

    def __init__(
        self, *, timeout: timedelta, memory: int, processes: int = 2, command: Sequence[str] = COMMAND
    ) -> None:
        self._timeout = timeout
        self._memory = memory
        self._command = (*command, str(memory), str(timeout.total_seconds()))
        self._quick = asyncio.Semaphore(processes)
        self._long = asyncio.Semaphore(1)
        self._reading = 0
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Workers":
        return self

    async def __aexit__(self, *_: object) -> None:
        workers, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(worker.end() for worker in workers), *self._ending)

    @property
    def are_idle(self) -> bool:
        """Whether no document is being read."""
        return not self._reading

    async def read(self, document: Document) -> ParsedDocument:
        """Read the document in a worker, as soon as one is free.

        Raises DocumentError: of the kind "internal" where no worker can be started, "parse" where reading breaks or
        exceeds its limits, and what `document_reader.read_document` raises.
        """
        return cast("ParsedDocument", await self._answer(document))

    async def find_feed_links(self, page: HtmlPage) -> FeedLinks:
        """Find the feeds that a page names, in a worker and under the same limits. Raises DocumentError."""
        return cast("FeedLinks", await self._answer(page))

    async def read_page(self, page: ArticlePage) -> ReadPage:
        """Read the page of an article, in a worker and under the same limits. Raises DocumentError."""
        return cast("ReadPage", await self._answer(page))

    async def ask_robots(self, question: RobotsQuestion) -> RobotsAnswer:
        """Ask what a robots.txt allows, in a worker and under the same limits. Raises DocumentError."""
        return cast("RobotsAnswer", await self._answer(question))

    async def _answer(self, request: Request) -> Answer:
        self._reading += 1
        try:
            async with self._quick:
                answer = await self._ask(request, min(QUICK_READING, self._timeout))
            if answer is None and self._timeout > QUICK_READING:
                answer = await self._read_long(request)
        finally:
            self._reading -= 1
        if answer is None:
            seconds = f"{self._timeout.total_seconds():g} s"
            raise DocumentError("parse", f"reading it takes longer than allowed: `timeout` under [parse] is {seconds}")
        if isinstance(answer, DocumentError):
            raise answer
        return answer

    async def _read_long(self, request: Request) -> Answer | None:
        # A worker set aside until then would keep its memory, so the document starts again.
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await self._long.acquire()
        except TimeoutError:
            quick = f"{QUICK_READING.total_seconds():g} s"
            others = "and so does reading too many others at present: the next visit tries again"
            raise DocumentError("parse", f"reading it takes longer than {quick}, {others}") from None
        try:
            return await self._ask(request, self._timeout)
        finally:
            self._long.release()

    async def _ask(self, request: Request, time: timedelta) -> Answer | None:
        """A worker's answer to the request; None if it takes longer than `time`. Raises DocumentError."""
        try:
            if self._idle:
                # If it ended before it received the request, a new worker gets it.
                with suppress(_WorkerEnded):
                    return await self._answer_of(self._idle.pop(), request, time)
            worker = await _Worker.start(self._command)
            worker.connection.ended.add_done_callback(lambda _: self._forget(worker))
            return await self._answer_of(worker, request, time)
        except _WorkerEnded as ended:
            raise DocumentError("parse", f"the process that read it {ended}") from ended

    async def _answer_of(self, worker: "_Worker", request: Request, time: timedelta) -> Answer | None:
        """The worker's answer; None if it takes longer than `time`. A worker that gives no answer is killed."""
        self._busy.add(worker)
        answer: Answer | None = None
        try:
            async with asyncio.timeout(time.total_seconds()):
                answer = await worker.ask(request, max_answer_size(self._memory))
        except TimeoutError:
            pass
        finally:
            self._busy.discard(worker)
            if answer is None:
                await worker.end()
            else:
                self._idle.append(worker)
        return answer

    def _forget(self, worker: "_Worker") -> None:
        """Clean up after an idle worker that has ended by itself."""
        if worker in self._idle:
            self._idle.remove(worker)
            task = asyncio.get_running_loop().create_task(worker.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _WorkerEnded(Exception):  # noqa: N818 - for an idle worker it is no error
    """A worker cannot be used any more. The message says why; it is empty if the process has ended."""


class _Connection(asyncio.BufferedProtocol):
    """Our end of the socket that is a worker's standard input and output. It receives one requested frame at a time.

    All frames share one buffer, so that none has to be allocated or joined from parts.
    """

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frame: asyncio.Future[memoryview] | None = None
        self._longest = 0
        self._buffer = bytearray(BUFFER_SIZE)
        self._filled = 0

    def frame(self, longest: int) -> "asyncio.Future[memoryview]":
        """The next frame, of at most `longest` bytes; valid until the next call. Raises _WorkerEnded."""
        self._longest = longest
        self._frame = asyncio.get_running_loop().create_future()
        if self.ended.done():
            self._fail()
        return self._frame

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if self._frame is None or self._frame.done():
            # Nobody asked for this message.
            self.transport.abort()
            return
        if self._filled < LENGTH.size:
            return
        (length,) = LENGTH.unpack_from(self._buffer)
        size = LENGTH.size + length
        if length > self._longest:
            self._fail("answered more than is allowed")
        elif self._filled > size:
            self._fail("sent an invalid answer")
        elif self._filled == size:
            self._frame.set_result(memoryview(self._buffer)[LENGTH.size : size])
            self._filled = 0
            if size > BUFFER_SIZE:
                self._buffer = bytearray(BUFFER_SIZE)
        elif size > len(self._buffer):
            begun, self._buffer = self._buffer, bytearray(size)
            self._buffer[: self._filled] = memoryview(begun)[: self._filled]

    def eof_received(self) -> None:
        # The rest of the document need not be sent either.
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)
        self._fail()

    def _fail(self, how: str = "") -> None:
        if self._frame and not self._frame.done():
            self._frame.set_exception(_WorkerEnded(how))
        self.transport.abort()


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """A worker process, and our end of its socket."""

    process: "Popen[bytes]"
    connection: _Connection

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_Worker":
        """Start a worker and wait until it is ready. Raises DocumentError "internal" if that fails."""
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_SIZE)
            # There is no await between the start of the process and the `try` below, so it cannot be cancelled there.
            _, connection = await asyncio.get_running_loop().create_unix_connection(_Connection, sock=ours)
            try:
                worker = cls(_start_process(command, theirs.fileno()), connection)
            except OSError as error:
                connection.transport.abort()
                raise DocumentError("internal", f"no process can be started to read it: {error}") from error
        is_ready = False
        try:
            async with asyncio.timeout(START_TIMEOUT.total_seconds()):
                await connection.frame(len(READY) - LENGTH.size)
                is_ready = True
        except (TimeoutError, _WorkerEnded):
            pass
        finally:
            if not is_ready:
                await worker.end()
        if not is_ready:
            raise DocumentError("internal", f"the process that should read it does not start: it ended {worker.ending}")
        return worker

    async def ask(self, request: Request, longest: int) -> Answer:
        """The worker's answer to the request, of at most `longest` bytes. Raises _WorkerEnded."""
        message = encode(request)
        answer = self.connection.frame(longest)
        self.connection.transport.write(message)
        del message
        try:
            return decode_answer(await answer)
        except MessageError as error:
            await self.end()
            raise _WorkerEnded("sent an invalid answer") from error
        except _WorkerEnded as ended:
            await self.end()
            raise _WorkerEnded(str(ended) or f"ended {self.ending}") from None

    async def end(self) -> None:
        """Kill the process and wait for its end."""
        self.connection.transport.abort()
        self.process.kill()
        # In a thread: the kernel may take long to free its memory, and a thread goes on if this task is cancelled.
        await asyncio.to_thread(self.process.wait)

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        status = self.process.returncode
        return f"by signal {-status}, {signal.strsignal(-status)}" if status < 0 else f"with exit status {status}"


def _start_process(command: Sequence[str], socket: int) -> "Popen[bytes]":
    # With our own path, so that it imports our modules and none from the working directory.
    environment = {**_MALLOC_SETTINGS, **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # In its own session, so that Ctrl-C at the terminal does not reach it.
    return Popen(  # noqa: S603 - our own
        command, stdin=socket, stdout=socket, stderr=DEVNULL, env=environment, start_new_session=True
    )
