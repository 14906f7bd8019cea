"""Documents read in processes that can be killed: a Document goes in, the feed and its articles come out.

A document that takes too long or too much memory, or that breaks its worker, costs itself: the worker is replaced, all
other documents are read, and one that takes long keeps none waiting that does not.
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
from kzfeed.model import Document, FeedLinks, Page, Read
from kzfeed.sandbox.messages import LENGTH, READY, Answer, FrameError, Request, framed, longest_answer, understood

COMMAND = (sys.executable, "-P", "-m", "kzfeed.sandbox.worker")
START = timedelta(seconds=30)
"""How long a worker may take to begin where the machine has much else to do; mostly it takes a third of a second."""
QUICK = timedelta(seconds=0.5)
"""How long a document may keep the others waiting: ten times what reading a feed of 375 KB takes at its slowest."""
ROOM = 2**20
"""What the kernel may hold of a frame, and a worker's buffer of its answer, in bytes: most go through in one piece."""


_KEEPING_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(32 * ROOM), "MALLOC_MMAP_THRESHOLD_": str(32 * ROOM)}
"""For glibc: to take the memory of a document from the kernel anew, page by page, costs a tenth of reading it."""


class Workers:
    """A small pool, to be used as an async context manager.

    `timeout` and `memory` (bytes) bound the reading of one document; a worker starts when there is something to read.
    Of the documents that are read within QUICK, so many `processes` are read at a time. A longer one has to begin anew,
    when no other long one is being read, and fails where that is not so within `timeout`.
    `command` starts a worker: memory and seconds follow it as arguments.
    """

    def __init__(
        self, *, timeout: timedelta, memory: int, processes: int = 3, command: Sequence[str] = COMMAND
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

    async def read(self, document: Document) -> Read:
        """Read the document in a worker, as soon as one is free.

        Raises DocumentError: of the kind "internal" where no worker can be started, "parse" where reading breaks or
        exceeds its limits, and what `document.read` raises.
        """
        return cast("Read", await self._answer(document))

    async def find_feed_links(self, page: Page) -> FeedLinks:
        """Find the feeds that a page names, in a worker and under the same limits. Raises DocumentError."""
        return cast("FeedLinks", await self._answer(page))

    async def _answer(self, document: Request) -> Read | FeedLinks:
        self._reading += 1
        try:
            async with self._quick:
                answer = await self._ask(document, min(QUICK, self._timeout))
            if answer is None and self._timeout > QUICK:
                answer = await self._read_long(document)
        finally:
            self._reading -= 1
        if answer is None:
            seconds = f"{self._timeout.total_seconds():g} s"
            raise DocumentError("parse", f"reading it takes longer than allowed: `timeout` under [parse] is {seconds}")
        if isinstance(answer, DocumentError):
            raise answer
        return answer

    async def _read_long(self, document: Request) -> Answer | None:
        # A worker that is put aside until then would keep its memory.
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await self._long.acquire()
        except TimeoutError:
            quick = f"{QUICK.total_seconds():g} s"
            others = "and so does reading too many others at present: the next visit tries again"
            raise DocumentError("parse", f"reading it takes longer than {quick}, {others}") from None
        try:
            return await self._ask(document, self._timeout)
        finally:
            self._long.release()

    async def _ask(self, document: Request, time: timedelta) -> Answer | None:
        """What a worker makes of the document; None where it takes longer. Raises DocumentError."""
        try:
            if self._idle:
                # It may have ended before it saw this document, so that is no reason to give the document up.
                with suppress(_Ended):
                    return await self._answer_of(self._idle.pop(), document, time)
            worker = await _Worker.start(self._command)
            worker.line.ended.add_done_callback(lambda _: self._forget(worker))
            return await self._answer_of(worker, document, time)
        except _Ended as ended:
            raise DocumentError("parse", f"the process that read it {ended}") from ended

    async def _answer_of(self, worker: "_Worker", document: Request, time: timedelta) -> Answer | None:
        """The worker's answer, in time. A worker that does not give one, for whatever reason, is ended."""
        self._busy.add(worker)
        answer: Answer | None = None
        try:
            async with asyncio.timeout(time.total_seconds()):
                answer = await worker.ask(document, longest_answer(self._memory))
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
        """Leave nothing of an idle worker that has ended by itself."""
        if worker in self._idle:
            self._idle.remove(worker)
            task = asyncio.get_running_loop().create_task(worker.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Ended(Exception):  # noqa: N818 - with an idle worker, nothing is wrong
    """A worker is of no more use; the message says what became of it, and is empty where its process has ended."""


class _Line(asyncio.BufferedProtocol):
    """Our end of a worker's standard input and output, where frames come in one at a time, each when it is asked for.

    The buffer stays from frame to frame, so that it neither has to be made nor put together from parts.
    """

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frame: asyncio.Future[memoryview] | None = None
        self._longest = 0
        self._buffer = bytearray(ROOM)
        self._filled = 0

    def frame(self, longest: int) -> "asyncio.Future[memoryview]":
        """What is in the next frame, at most `longest` bytes, and stays until another is asked for. Raises _Ended."""
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
            # It says something that nobody asked for.
            self.transport.abort()
            return
        if self._filled < LENGTH.size:
            return
        (length,) = LENGTH.unpack_from(self._buffer)
        size = LENGTH.size + length
        if length > self._longest:
            self._fail("answered more than is allowed")
        elif self._filled > size:
            self._fail("answered what is no answer")
        elif self._filled == size:
            self._frame.set_result(memoryview(self._buffer)[LENGTH.size : size])
            self._filled = 0
            if size > ROOM:
                self._buffer = bytearray(ROOM)
        elif size > len(self._buffer):
            begun, self._buffer = self._buffer, bytearray(size)
            self._buffer[: self._filled] = memoryview(begun)[: self._filled]

    def eof_received(self) -> None:
        # What it has not taken of its document is of no more use either.
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)
        self._fail()

    def _fail(self, how: str = "") -> None:
        if self._frame and not self._frame.done():
            self._frame.set_exception(_Ended(how))
        self.transport.abort()


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """A process, and our end of the socket that is its standard input and output."""

    process: "Popen[bytes]"
    line: _Line

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_Worker":
        """A worker that is ready. Raises DocumentError where none can be started: that is no document's fault."""
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            # The process comes last: from here to the `try` nothing waits, so nothing can be called off.
            _, line = await asyncio.get_running_loop().create_unix_connection(_Line, sock=ours)
            try:
                worker = cls(_started(command, theirs.fileno()), line)
            except OSError as error:
                line.transport.abort()
                raise DocumentError("internal", f"no process can be started to read it: {error}") from error
        is_ready = False
        try:
            async with asyncio.timeout(START.total_seconds()):
                await line.frame(len(READY) - LENGTH.size)
                is_ready = True
        except (TimeoutError, _Ended):
            pass
        finally:
            if not is_ready:
                await worker.end()
        if not is_ready:
            raise DocumentError("internal", f"the process that should read it does not start: it ended {worker.ending}")
        return worker

    async def ask(self, document: Request, longest: int) -> Answer:
        """What the worker makes of the document, in at most `longest` bytes. Raises _Ended."""
        request = framed(document)
        answer = self.line.frame(longest)
        self.line.transport.write(request)
        del request
        try:
            return understood(await answer)
        except FrameError as error:
            await self.end()
            raise _Ended("answered what is no answer") from error
        except _Ended as ended:
            await self.end()
            raise _Ended(str(ended) or f"ended {self.ending}") from None

    async def end(self) -> None:
        """Kill the process, and leave nothing of it behind."""
        self.line.transport.abort()
        self.process.kill()
        # In a thread, because it may have much memory to give back, and because a thread goes on if this is called off.
        await asyncio.to_thread(self.process.wait)

    @property
    def ending(self) -> str:
        """How the process ended."""
        status = self.process.returncode
        return f"by signal {-status}, {signal.strsignal(-status)}" if status < 0 else f"with exit status {status}"


def _started(command: Sequence[str], socket: int) -> "Popen[bytes]":
    # With our own path, so that it imports what we import, and not what lies in the working directory.
    environment = {**_KEEPING_MEMORY, **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # In its own session: a Ctrl-C at the terminal is not for it.
    return Popen(  # noqa: S603 - our own
        command, stdin=socket, stdout=socket, stderr=DEVNULL, env=environment, start_new_session=True
    )
