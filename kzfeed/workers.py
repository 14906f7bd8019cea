"""Documents read in processes that can be killed: a Document goes in, the feed and its articles come out.

A document that takes too long or too much memory, or that breaks its worker, costs itself: the worker is replaced, all
other documents are read.
"""

import asyncio
import io
import os
import pickle
import socket
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from subprocess import DEVNULL, Popen
from typing import Any, ClassVar

from kzfeed.document import Document, Read
from kzfeed.errors import DocumentError
from kzfeed.model import Article, Enclosure, Entry, Feed, Media
from kzfeed.worker import LENGTH, READY, Answer, longest_answer

COMMAND = (sys.executable, "-P", "-m", "kzfeed.worker")
START = timedelta(seconds=30)
"""How long a worker may take to begin where the machine has much else to do; mostly it takes a fifth of a second."""


class Workers:
    """A small pool, to be used as an async context manager.

    `timeout` and `memory` (bytes) bound the reading of one document; a worker starts when there is something to read.
    `command` starts one: memory and seconds follow it as arguments.
    """

    def __init__(
        self, *, timeout: timedelta, memory: int, processes: int = 2, command: Sequence[str] = COMMAND
    ) -> None:
        self._timeout = timeout
        self._memory = memory
        self._command = (*command, str(memory), str(timeout.total_seconds()))
        self._free = asyncio.Semaphore(processes)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()

    async def __aenter__(self) -> "Workers":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(worker.end() for worker in [*self._idle, *self._busy]))

    async def read(self, document: Document) -> Read:
        """Read the document in a worker, as soon as one is free.

        Raises DocumentError: of the kind "internal" where no worker can be started, "parse" where reading breaks or
        exceeds its limits, and what `document.read` raises.
        """
        async with self._free:
            answer = None
            if self._idle:
                # It may have ended before it saw this document, so that is no reason to give the document up.
                with suppress(_Ended):
                    answer = await self._ask(self._idle.pop(), document)
            try:
                if answer is None:
                    answer = await self._ask(await _Worker.start(self._command), document)
            except _Ended as ended:
                raise DocumentError("parse", f"the process that read it {ended}") from ended
        if isinstance(answer, DocumentError):
            raise answer
        return answer

    async def _ask(self, worker: "_Worker", document: Document) -> Answer:
        """The worker's answer, in time. A worker that does not give one, for whatever reason, is ended."""
        self._busy.add(worker)
        answer: Answer | None = None
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                answer = await worker.ask(document, longest_answer(self._memory))
        except TimeoutError:
            raise DocumentError("parse", f"reading it takes longer than {self._timeout.total_seconds():g} s") from None
        finally:
            self._busy.discard(worker)
            if answer is None:
                await worker.end()
            else:
                self._idle.append(worker)
        return answer


class _Ended(Exception):  # noqa: N818 - with an idle worker, nothing is wrong
    """A worker is of no more use; the message says what became of it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """A process, and both directions of the socket that is its standard input and output."""

    process: "Popen[bytes]"
    answers: StreamReader
    requests: StreamWriter

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_Worker":
        """A worker that is ready. Raises DocumentError where none can be started: that is no document's fault."""
        ours, theirs = socket.socketpair()
        with theirs:
            # The process comes last: from here to the `try` nothing waits, so nothing can be called off.
            answers, requests = await asyncio.open_connection(sock=ours, limit=2**20)
            try:
                worker = cls(_started(command, theirs.fileno()), answers, requests)
            except OSError as error:
                requests.transport.abort()
                raise DocumentError("internal", f"no process can be started to read it: {error}") from error
        is_ready = False
        try:
            async with asyncio.timeout(START.total_seconds()):
                is_ready = await worker.answers.readexactly(len(READY)) == READY
        except (TimeoutError, EOFError, OSError):
            pass
        finally:
            if not is_ready:
                await worker.end()
        if not is_ready:
            status = worker.process.returncode
            raise DocumentError("internal", f"the process that should read it does not start (exit status {status})")
        return worker

    async def ask(self, document: Document, longest: int) -> Answer:
        """What the worker makes of the document, in at most `longest` bytes. Raises _Ended."""
        try:
            frame = pickle.dumps(document, protocol=pickle.HIGHEST_PROTOCOL)
            self.requests.writelines((LENGTH.pack(len(frame)), frame))
            del frame
            await self.requests.drain()
            size = LENGTH.unpack(await self.answers.readexactly(LENGTH.size))[0]
            if size > longest:
                raise _Ended("answered more than is allowed")
            frame = await self.answers.readexactly(size)
        except (EOFError, OSError) as error:
            await self.end()
            raise _Ended(f"ended (exit status {self.process.returncode})") from error
        return _understood(frame)

    async def end(self) -> None:
        """Kill the process, and leave nothing of it behind."""
        self.requests.transport.abort()
        self.process.kill()
        # In a thread, because it may have much memory to give back, and because a thread goes on if this is called off.
        await asyncio.to_thread(self.process.wait)


def _started(command: Sequence[str], socket: int) -> "Popen[bytes]":
    # With our own path, so that it imports what we import, and not what lies in the working directory.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # In its own session: a Ctrl-C at the terminal is not for it.
    return Popen(  # noqa: S603 - our own
        command, stdin=socket, stdout=socket, stderr=DEVNULL, env=environment, start_new_session=True
    )


def _understood(frame: bytes) -> Answer:
    try:
        match _Unpickler(io.BytesIO(frame)).load():
            case DocumentError() as error:
                return error
            case (Feed() as feed, tuple(articles)) if all(isinstance(each, Article) for each in articles):
                return feed, articles
    except Exception as error:
        # A pickle that is none can raise anything.
        raise _Ended("answered what is no answer") from error
    raise _Ended("answered what is no answer")


class _Unpickler(pickle.Unpickler):
    """Makes only what answers are made of: a document may have got the better of the worker that read it."""

    _made: ClassVar = {
        (each.__module__, each.__qualname__): each
        for each in (Feed, Entry, Enclosure, Article, Media, DocumentError, datetime, timedelta, timezone)
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._made:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return self._made[module, name]
