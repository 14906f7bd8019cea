"""Documents read in processes that can be killed: a Document goes in, the feed and its articles come out.

A document that takes too long or too much memory costs itself: its worker is replaced, the others go on.
"""

import asyncio
import pickle
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from datetime import timedelta
from typing import cast

from kzfeed.document import Document, Read
from kzfeed.errors import DocumentError
from kzfeed.worker import LENGTH, READY, Answer


class Workers:
    """A small pool, to be used as an async context manager.

    `timeout` and `memory` (bytes) bound the reading of one document; a worker starts when there is something to read.
    """

    def __init__(self, *, timeout: timedelta, memory: int, processes: int = 2) -> None:
        self._timeout = timeout
        self._memory = memory
        self._free = asyncio.Semaphore(processes)
        self._idle: list[Process] = []

    async def __aenter__(self) -> "Workers":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(_end(process) for process in self._idle))

    async def read(self, document: Document) -> Read:
        """Read the document in a worker, as soon as one is free. Raises DocumentError."""
        async with self._free:
            process = self._idle.pop() if self._idle else await self._start()
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    answer = await _ask(process, document)
            except TimeoutError:
                await _end(process)
                seconds = self._timeout.total_seconds()
                raise DocumentError("parse", f"reading it takes longer than {seconds:g} s") from None
            except (asyncio.IncompleteReadError, ConnectionError, pickle.UnpicklingError) as error:
                await _end(process)
                raise DocumentError("parse", f"the process that read it ended ({process.returncode})") from error
            except BaseException:
                await _end(process)
                raise
            self._idle.append(process)
        if isinstance(answer, DocumentError):
            raise answer
        return answer

    async def _start(self) -> Process:
        command = (sys.executable, "-m", "kzfeed.worker", str(self._memory))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
        try:
            await _output(process).readexactly(len(READY))
        except BaseException:
            await _end(process)
            raise
        return process


async def _ask(process: Process, document: Document) -> Answer:
    frame = pickle.dumps(document, protocol=pickle.HIGHEST_PROTOCOL)
    requests, answers = cast(StreamWriter, process.stdin), _output(process)
    requests.write(LENGTH.pack(len(frame)))
    requests.write(frame)
    await requests.drain()
    size = LENGTH.unpack(await answers.readexactly(LENGTH.size))[0]
    answer: Answer = pickle.loads(await answers.readexactly(size))  # noqa: S301 - from our own child
    return answer


def _output(process: Process) -> StreamReader:
    return cast(StreamReader, process.stdout)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
