"""The daemon's job that keeps the search index up to date, beside polls.

A few articles are indexed in a thread of the daemon. Many of them, or a whole archive, are indexed by a process of
their own at low priority, because a thread would take half of the time in which polls compute.
"""

import asyncio
import os
import sys
from datetime import timedelta

import structlog

from kzfeed.errors import DatabaseError, DatabaseFileReplaced
from kzfeed.sandbox.process import end_with_parent
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index, IndexUnusable
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.upkeep import SMALL_LAG, catch_up

RETRY = timedelta(minutes=1)
"""The time from a failure to the next try."""
_NICE = 10

log = structlog.get_logger()


class IndexJob:
    """Job that indexes new and changed articles. It logs errors of the index and never raises them: polls go on."""

    def __init__(self, url: str, index: Index) -> None:
        """Take the URL of the database, for the process, and its index."""
        self._url = url
        self._index = index
        self._stopping = False
        self._process: asyncio.subprocess.Process | None = None
        self._failing_until = 0.0
        self._error = ""

    async def run(self) -> None:
        """Index all new and changed articles."""
        clock = asyncio.get_running_loop().time
        if self._stopping or clock() < self._failing_until:
            return
        try:
            await self._catch_up()
            self._error = ""
        except DatabaseError as error:
            self._failing_until = clock() + RETRY.total_seconds()
            if isinstance(error, DatabaseFileReplaced):
                # The connections read a file that was replaced. The next run opens the new one.
                await asyncio.to_thread(self._index.close)
                self._failing_until = 0.0
            if str(error) != self._error:
                log.error("search index not written, retrying every minute", error=str(error))
            self._error = str(error)

    async def stop(self) -> None:
        """End the process under way, if there is one. What it has committed stays."""
        self._stopping = True
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _catch_up(self) -> None:
        try:
            lag = await asyncio.to_thread(self._index.lag)
            is_much = lag.articles > SMALL_LAG
            if is_much:
                log.info("search index lags, catching up", articles=lag.articles, since=lag.since)
            elif not lag.is_behind:
                return
        except IndexUnusable as error:
            is_much = await asyncio.to_thread(self._index.articles) > SMALL_LAG
            log.info("building the search index", reason=error.reason)
        if is_much:
            await self._run_process()
        else:
            await asyncio.to_thread(catch_up, self._index, go_on=lambda: not self._stopping)

    async def _run_process(self) -> None:
        begin = asyncio.get_running_loop().time()
        command = (sys.executable, "-m", "kzfeed.jobs.search_index", str(os.getpid()))
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stderr=pipe)
        assert self._process.stdin  # noqa: S101 - for the type checker
        assert self._process.stderr  # noqa: S101
        # Not as an argument, which all users of the machine see: it may hold a password.
        self._process.stdin.write(f"{self._url}\n".encode())
        stderr = (await self._process.stderr.read()).decode("utf-8", "replace").strip()
        status = await self._process.wait()
        if self._stopping:
            return
        if status:
            raise DatabaseError(stderr.splitlines()[-1] if stderr else f"the process of the index ended with {status}")
        log.info("search index complete", seconds=round(asyncio.get_running_loop().time() - begin, 1))


def main() -> None:
    """Index all new and changed articles, in a process of its own; standard input has the database's URL."""
    end_with_parent(int(sys.argv[1]))
    os.nice(_NICE)
    url = sys.stdin.readline().strip()
    database = Database(url, create=False)
    try:
        with open_index(database) as index:
            catch_up(index)
    except DatabaseError as error:
        sys.exit(str(error))
    finally:
        database.close()


if __name__ == "__main__":
    main()
