"""Daemon whose lease, tick, clock and resolver a test controls: `python -m tests.faults.daemon OPTIONS`.

OPTIONS is a JSON object: `lease` and `tick` in seconds; `clock`, a file with the seconds that the clock is ahead;
`names`, the addresses of host names; `silent`, the host names whose look-up never ends; `offline`, a file that exists
while no resolver answers; `nameless`, a file that exists while the resolver knows no name; `listen`, a Unix socket for
monitors, who hear after `stuck_after` seconds that the scheduler is stuck; `blocked`, a file that blocks the event loop
while it exists.
"""

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from apscheduler.schedulers import base

from kzfeed import wiring as service
from kzfeed.cli import log
from kzfeed.config.load import load
from kzfeed.config.settings import Settings
from kzfeed.daemon.apply_config import apply_configuration
from kzfeed.daemon.daemon import POLL_JOB, Daemon
from kzfeed.daemon.scheduler import Scheduler
from kzfeed.jobs.page_fetches import PageFetchJob
from kzfeed.jobs.polls import PollJob
from kzfeed.jobs.work_queue import WorkQueue
from kzfeed.server.monitor import Watched, monitoring
from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.queue.leases import LEASE


def main() -> None:
    options: dict[str, Any] = json.loads(sys.argv[1])
    log.configure(format="json", level="debug")
    settings = load()
    database = Database(settings.database.url)
    schema.upgrade(database)
    asyncio.run(_run(settings, database, options))


async def _run(settings: Settings, database: Database, options: dict[str, Any]) -> None:
    def clock() -> datetime:
        ahead = float(Path(options["clock"]).read_text("ascii")) if "clock" in options else 0
        return datetime.now(UTC) + timedelta(seconds=ahead)

    class SchedulerClock(datetime):
        """What APScheduler reads, so that its jobs see the jumps too: nobody can give it another clock."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return clock().astimezone(tz)

    base.datetime = SchedulerClock

    def lookup(host: str, port: int) -> list[str]:
        if "offline" in options and Path(options["offline"]).exists():
            raise socket.gaierror(socket.EAI_AGAIN, "no resolver answers")
        if "nameless" in options and Path(options["nameless"]).exists():
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if host in options.get("silent", ()):
            threading.Event().wait()
        if host in options.get("names", {}):
            return [options["names"][host]]
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    apply_configuration(settings, database, clock())
    async with service.open_poller(settings, database, clock=clock, lookup=lookup) as poller:
        lease = timedelta(seconds=options.get("lease", LEASE.total_seconds()))
        scheduler = Scheduler(clock, timedelta(seconds=options.get("tick", 1)))
        run_within = partial(scheduler.run_within, POLL_JOB)
        poll_job = PollJob(poller, WorkQueue(poller, lease=lease), run_within=run_within, interval=scheduler.tick)
        daemon = Daemon(scheduler, poll_job)
        async with service.open_page_fetcher(settings, poller) as page_fetcher:
            daemon.page_fetch_job = PageFetchJob(
                page_fetcher,
                daemon.poll_job.queue.owner,
                slots=10,
                lease=lease,
                may_claim=lambda: daemon.poll_job.network.offline_since is None,
            )
            with _monitored(daemon, options):
                blocker = asyncio.create_task(_block(Path(options.get("blocked", "blocked"))))
                await daemon.run()
                blocker.cancel()


@contextmanager
def _monitored(daemon: Daemon, options: dict[str, Any]) -> Iterator[None]:
    if "listen" not in options:
        yield
        return
    watched = Watched(POLL_JOB, timedelta(seconds=options["stuck_after"]))
    with monitoring(Path(options["listen"]), daemon.poll_job.poller.database, watched) as monitor:
        daemon.poll_job.on_poll, daemon.on_job = monitor.on_poll, monitor.on_job
        monitor.watch(lambda: daemon.poll_job.network.offline_since is None)
        yield


async def _block(file: Path) -> None:
    while True:
        await asyncio.sleep(0.05)
        _wait_while_it_exists(file)


def _wait_while_it_exists(file: Path) -> None:
    while file.exists():
        time.sleep(0.05)


if __name__ == "__main__":
    main()
