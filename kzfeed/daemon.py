"""The daemon: jobs on APScheduler, until a signal stops them.

The database is the schedule: one job asks it every second which sources are due, and also when polls have ended, so
that no slot stays empty while sources wait.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from kzfeed import __version__
from kzfeed.errors import ConfigError, DatabaseError, DatabaseFileReplaced
from kzfeed.jobs import maintenance
from kzfeed.jobs.article_pages import PageJob
from kzfeed.jobs.maintenance import MaintenanceJobs
from kzfeed.jobs.polls import PollJob
from kzfeed.jobs.search_index import IndexJob
from kzfeed.poll import Poller
from kzfeed.service_manager import ServiceManager, status_line
from kzfeed.store import heartbeats
from kzfeed.store.status import overview

if TYPE_CHECKING:
    from kzfeed.jobs.archive_folder import FolderJob

TICK = timedelta(seconds=1)
POLL_JOB = "poll due sources"
STUCK_AFTER_TICKS = 120
"""A scheduler whose claim job has not ended for so many ticks makes no progress: twice as long as it takes to give up a
database that does not answer."""
INDEX_TICK = timedelta(seconds=2)
"""How long new articles may wait to be indexed."""
FOLDER_TICK = timedelta(seconds=2)
"""How long new articles may wait to be written into the archive folder."""
STATUS_TICK = timedelta(seconds=30)
"""How old the status of the service manager may be."""
GRACE = timedelta(seconds=3)
"""How long polls under way may go on after a signal before they are cancelled."""
MAX_STOP_TIME = timedelta(seconds=6)
"""How long after a signal the process ends in any case."""

log = structlog.get_logger()


class Every(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Trigger that fires one interval after the last run.

    APScheduler's IntervalTrigger computes each firing from the one before: when the clock jumps ahead by a year, it
    lists every second of that year.
    """

    def __init__(self, interval: timedelta) -> None:
        self.interval = interval

    def get_next_fire_time(self, _: datetime | None, now: datetime) -> datetime:
        return now + self.interval


@dataclass(slots=True)
class Daemon:
    """One running daemon.

    `reload` puts the configuration in force again. It is called on SIGHUP and when `config_changed` says that the files
    have changed, and raises ConfigError for a mistake in them.
    """

    polls: PollJob
    """The job that polls sources; the owner of its queue is the name of the daemon."""
    reload: Callable[[], None] = lambda: None
    config_changed: Callable[[], bool] = lambda: False
    indexing: IndexJob | None = None
    """The job of the search index, if the database has one."""
    folder: "FolderJob | None" = None
    """The job of the archive folder, if there is one."""
    pages: PageJob | None = None
    """The job that fetches the pages of articles."""
    maintenance: MaintenanceJobs | None = None
    """The jobs that keep the database small and fast."""
    on_job: Callable[[str, bool], None] = lambda name, failed: None
    """Called with the name of each job that has run, and whether it failed."""
    service_manager: ServiceManager = field(default_factory=ServiceManager)
    """Is told when the daemon is ready, makes progress, reloads and stops."""
    described: Mapping[str, object] = field(default_factory=dict)
    """What the log line `running` says beside the owner."""
    tick: timedelta = TICK
    _scheduler: Any = field(default_factory=lambda: AsyncIOScheduler(timezone=UTC))
    _claim_job: Any = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _started_at: datetime | None = None
    """When the first heartbeat was."""
    _is_ready: bool = False
    """Whether the service manager knows that the daemon has started."""
    _reload_wanted: bool = False
    _database_available: bool = True
    _file_replaced: DatabaseFileReplaced | None = None
    """Why the database that this daemon has open is no longer the one to use."""

    @property
    def _poller(self) -> Poller:
        return self.polls.queue.poller

    async def run(self) -> None:
        """Poll until SIGTERM or SIGINT; then finish or cancel the polls under way. A second signal ends at once.

        Raises DatabaseFileReplaced as soon as the database's file is no longer in its place.
        """
        self._listen_for_signals()
        self._start_jobs()
        log.info("running", owner=self.polls.queue.owner, **self.described)
        await self._stop.wait()
        await self._wind_down()
        if self._file_replaced:
            raise self._file_replaced
        log.info("stopped")

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _start_jobs(self) -> None:
        # Failures are logged here, and a job that is still running when it is due again is no event.
        logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler.add_listener(self._on_job_error, EVENT_JOB_ERROR)
        self._scheduler.add_listener(self._on_job_end, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._claim_job = self._add_job(POLL_JOB, self.polls.run, self.tick)
        # Not arguments of the job and its queue: these are made before the daemon, whose scheduler runs them.
        self.polls.run_within, self.polls.queue.on_answer = self._claim_within, self._on_answer
        self._add_job("renew claims", self.polls.queue.keep, self.polls.queue.lease / 4)
        self._add_job("heartbeat", self._beat, heartbeats.INTERVAL)
        self._add_job("reload configuration", self._reload, self.tick)
        if self.indexing:
            self._add_job("index articles", self.indexing.run, INDEX_TICK)
        if self.service_manager.address:
            self._add_job("report status", self._report_status, STATUS_TICK)
        if self.folder:
            self._add_job("write archive folder", self.folder.run, FOLDER_TICK)
        if self.pages:
            self._add_job("fetch pages", self.pages.run, self.tick)
        if self.maintenance:
            self._add_job("sum up old polls", self.maintenance.sum_up_polls, maintenance.TICK)
            self._add_job("tidy database", self._tidy, maintenance.TICK)
            if self._poller.database.dialect == "postgresql":
                self._add_job("keep partitions", self.maintenance.keep_partitions, maintenance.PARTITIONS_EVERY)
        self._scheduler.start()
        self._restart_stalled_jobs()

    def _add_job(self, name: str, function: Callable[[], Any], interval: timedelta) -> Any:
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        begin = self._poller.clock()
        return self._scheduler.add_job(function, Every(interval), id=name, name=name, next_run_time=begin, **options)

    def _restart_stalled_jobs(self) -> None:
        """Run jobs now that wait for longer than their interval, and look again after a tick.

        APScheduler waits by the wall clock: when that goes back by an hour, every job waits for an hour. The clock of
        the event loop does not jump.
        """
        now = self._poller.clock()
        for job in self._scheduler.get_jobs():
            if job.next_run_time > now + job.trigger.interval:
                job.modify(next_run_time=now)
        asyncio.get_running_loop().call_later(self.tick.total_seconds(), self._restart_stalled_jobs)

    def _on_job_end(self, event: JobExecutionEvent) -> None:
        """Tell the service manager of each claim: while the database hangs, or a job blocks the loop, none ends."""
        self.on_job(event.job_id, event.exception is not None)
        if event.job_id == POLL_JOB:
            if not self._is_ready:
                self._is_ready = True
                self.service_manager.ready()
            self.service_manager.alive()

    async def _report_status(self) -> None:
        self.service_manager.status(status_line(await asyncio.to_thread(overview, self._poller.database)))

    def _on_job_error(self, event: JobExecutionEvent) -> None:
        if not isinstance(event.exception, DatabaseError):
            # A fault of kzfeed in one job must not end the polling of all sources.
            log.error("internal error, the job runs again", job=event.job_id, exc_info=event.exception)
            return
        if isinstance(event.exception, DatabaseFileReplaced):
            self._file_replaced = event.exception
            self._stop.set()
            return
        if self._database_available:
            log.error("database unavailable, retrying every second", error=str(event.exception))
            self.service_manager.status(f"database unavailable: {event.exception}")
        self._database_available = False

    def _claim_within(self, time: timedelta) -> None:
        soon = self._poller.clock() + time
        if self._claim_job.next_run_time > soon:
            self._claim_job.modify(next_run_time=soon)

    def _on_answer(self) -> None:
        if not self._database_available:
            log.info("database available again")
        self._database_available = True

    async def _beat(self) -> None:
        """Record that this daemon runs. It tells that the jobs run, too: this is one of them."""
        now = self._poller.clock()
        self._started_at = self._started_at or now
        offline_since = self.polls.network.offline_since
        beat = heartbeats.Heartbeat(self.polls.queue.owner, __version__, self._started_at, now, offline_since)
        await asyncio.to_thread(heartbeats.beat, self._poller.database, beat)

    async def _tidy(self) -> None:
        if self.maintenance:
            await self.maintenance.tidy(is_quiet=not self.polls.under_way)

    async def _reload(self) -> None:
        if not self._reload_wanted and not await asyncio.to_thread(self.config_changed):
            return
        self._reload_wanted = False
        try:
            await asyncio.to_thread(self.reload)
        except ConfigError as error:
            log.error("configuration refused, the previous one stays in force", error=str(error))
        except DatabaseError:
            self._reload_wanted = True
            raise
        finally:
            self.service_manager.ready()

    # --- signals -----------------------------------------------------------------------------------------------------

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def on_first() -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
                # The kernel carries out the second one, whatever the process waits for.
                signal.signal(number, signal.SIG_DFL)
            _end_process_after(MAX_STOP_TIME)
            self.service_manager.stopping()
            self._stop.set()

        def on_hangup() -> None:
            self.service_manager.reloading()
            self._reload_wanted = True

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_first)
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
        # The command line has blocked it until somebody listens.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])

    async def _wind_down(self) -> None:
        self._poller.fetcher.stop_requests()
        self._scheduler.pause()
        log.info("stopping", polls_under_way=self.polls.under_way)
        ending = [asyncio.create_task(job.stop(GRACE)) for job in (self.polls, self.pages) if job]
        if self.indexing:
            await self.indexing.stop()
        if self.folder:
            self.folder.stop()
        await asyncio.gather(*ending)
        self._scheduler.remove_listener(self._on_job_error)
        self._scheduler.shutdown(wait=False)
        try:
            await asyncio.wait_for(asyncio.to_thread(self._sign_off), timeout=2)
        except (DatabaseError, TimeoutError) as error:
            log.warning("claims not released, they expire by themselves", error=str(error))

    def _sign_off(self) -> None:
        self.polls.queue.release()
        heartbeats.end(self._poller.database, self.polls.queue.owner)


def _end_process_after(time: timedelta) -> None:
    """End the process after so long: a thread that waits for a database cannot be interrupted.

    Nothing is lost by it: a transaction that is not finished by then is rolled back.
    """
    last_resort = threading.Timer(time.total_seconds(), os._exit, [0])
    last_resort.daemon = True
    last_resort.start()
