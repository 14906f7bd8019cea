"""The daemon: polls what is due, for ever, until a signal; one tick a second asks the database who that is.

The only clock and the only signals are here. A tick that finds the database away tries again at the next.
"""

import asyncio
import os
import signal
import socket
from dataclasses import dataclass, field
from datetime import UTC, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from kzfeed.errors import DatabaseError
from kzfeed.model import Source
from kzfeed.poll import Poller, host_of
from kzfeed.store import sources

TICK = timedelta(seconds=1)
GRACE = timedelta(seconds=4)
"""How long polls under way may still finish after a signal, before they are abandoned."""

log = structlog.get_logger()


@dataclass(slots=True)
class Daemon:
    """One running daemon. `slots` bounds its polls at a time, `lease` how long a killed one's sources stay claimed."""

    poller: Poller
    slots: int = 100
    lease: timedelta = timedelta(seconds=55)
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    _under_way: dict[asyncio.Task[None], Source] = field(default_factory=dict)
    _database_away: bool = False

    async def run(self) -> None:
        """Poll until SIGTERM or SIGINT; then finish or abandon what is under way. A second signal ends at once."""
        stop = asyncio.Event()
        self._listen_for_signals(stop)
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_job(self._tick, "interval", seconds=TICK.total_seconds(), max_instances=1, coalesce=True)
        scheduler.start()
        log.info("running", owner=self.owner)
        await stop.wait()
        scheduler.pause()
        await self._wind_down()
        scheduler.shutdown(wait=False)
        log.info("stopped")

    async def _tick(self) -> None:
        free = self.slots - len(self._under_way)
        if free <= 0:
            return
        try:
            due = await asyncio.to_thread(
                sources.claim_due,
                self.poller.database,
                now=self.poller.clock(),
                owner=self.owner,
                lease=self.lease,
                limit=free,
                busy_hosts=sorted({host_of(source) for source in self._under_way.values()}),
            )
        except DatabaseError as error:
            if not self._database_away:
                log.error("the database is away, trying again every second", error=str(error))
            self._database_away = True
            return
        if self._database_away:
            log.info("the database is back")
            self._database_away = False
        for source in due:
            task = asyncio.create_task(self._poll(source))
            self._under_way[task] = source
            task.add_done_callback(self._forget)

    async def _poll(self, source: Source) -> None:
        try:
            await self.poller.poll(source)
        except DatabaseError as error:
            log.error("poll not stored", source=source.name, error=str(error))

    def _forget(self, task: asyncio.Task[None]) -> None:
        source = self._under_way.pop(task)
        if not task.cancelled() and (error := task.exception()):
            # A fault of ours: this source is tried again when its claim ends, all others go on.
            log.error("poll broke off", source=source.name, exc_info=error)

    async def _wind_down(self) -> None:
        tasks = list(self._under_way)
        if tasks:
            log.info("stopping", polls_under_way=len(tasks))
            _, late = await asyncio.wait(tasks, timeout=GRACE.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            await asyncio.wait_for(asyncio.to_thread(sources.release, self.poller.database, self.owner), timeout=3)
        except (DatabaseError, TimeoutError) as error:
            log.warning("claims not given back, they run out by themselves", error=str(error))

    def _listen_for_signals(self, stop: asyncio.Event) -> None:
        def on_signal() -> None:
            if stop.is_set():
                os._exit(1)
            stop.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
