"""The daemon: jobs that run until a signal stops them, and what the database and monitors hear of it.

The database is the schedule: one job asks it every second which sources are due, and also when polls have ended, so
that no slot stays empty while sources wait.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from kzfeed import __version__
from kzfeed.daemon.scheduler import Scheduler
from kzfeed.daemon.service_manager import ServiceManager, status_line
from kzfeed.errors import ConfigError, DatabaseError, DatabaseFileReplaced
from kzfeed.jobs import maintenance
from kzfeed.jobs.maintenance import MaintenanceJobs
from kzfeed.jobs.page_fetches import PageFetchJob
from kzfeed.jobs.polls import PollJob
from kzfeed.jobs.search_index import IndexJob
from kzfeed.poll import Poller
from kzfeed.store.queries.status import short_status
from kzfeed.store.queue import heartbeats

if TYPE_CHECKING:
    from kzfeed.jobs.archive_folder import FolderJob

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


@dataclass(slots=True)
class Daemon:
    """One running daemon.

    `reload` puts the configuration in force again. It is called on SIGHUP and when `config_changed` says that the files
    have changed, and raises ConfigError for a mistake in them.
    """

    scheduler: Scheduler
    poll_job: PollJob
    """The job that polls sources; the owner of its queue is the name of the daemon."""
    reload: Callable[[], None] = lambda: None
    config_changed: Callable[[], bool] = lambda: False
    index_job: IndexJob | None = None
    """The job of the search index, if the database has one."""
    folder_job: "FolderJob | None" = None
    """The job of the archive folder, if there is one."""
    page_fetch_job: PageFetchJob | None = None
    """The job that fetches the pages of articles."""
    maintenance: MaintenanceJobs | None = None
    """The jobs that keep the database small and fast."""
    on_job: Callable[[str, bool], None] = lambda name, failed: None
    """Called with the name of each job that has run, and whether it failed."""
    service_manager: ServiceManager = field(default_factory=ServiceManager)
    """Is told when the daemon is ready, makes progress, reloads and stops."""
    described: Mapping[str, object] = field(default_factory=dict)
    """What the log line `running` says beside the owner."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _started_at: datetime | None = None
    """When the first heartbeat was."""
    _is_ready: bool = False
    """Whether the service manager knows that the daemon has started."""
    _reload_wanted: bool = False
    _answers_at_failure: int | None = None
    """How often the database had answered a claim when it failed last; None while it is available."""
    _file_replaced: DatabaseFileReplaced | None = None
    """Why the database that this daemon has open is no longer the one to use."""

    @property
    def _poller(self) -> Poller:
        return self.poll_job.poller

    async def run(self) -> None:
        """Poll until SIGTERM or SIGINT; then finish or cancel the polls under way. A second signal ends at once.

        Raises DatabaseFileReplaced as soon as the database's file is no longer in its place.
        """
        self._listen_for_signals()
        self._start_jobs()
        log.info("running", owner=self.poll_job.queue.owner, **self.described)
        await self._stop.wait()
        await self._wind_down()
        if self._file_replaced:
            raise self._file_replaced
        log.info("stopped")

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _start_jobs(self) -> None:
        add, tick = self.scheduler.add, self.scheduler.tick
        add(POLL_JOB, self.poll_job.run, self.poll_job.interval)
        add("renew claims", self.poll_job.queue.keep, self.poll_job.queue.lease / 4)
        add("heartbeat", self._beat, heartbeats.INTERVAL)
        add("reload configuration", self._reload, tick)
        if self.index_job:
            add("index articles", self.index_job.run, INDEX_TICK)
        if self.service_manager.address:
            add("report status", self._report_status, STATUS_TICK)
        if self.folder_job:
            add("write archive folder", self.folder_job.run, FOLDER_TICK)
        if self.page_fetch_job:
            add("fetch pages", self.page_fetch_job.run, tick)
        if self.maintenance:
            add("sum up old polls", self.maintenance.sum_up_polls, maintenance.TICK)
            add("tidy database", self._tidy, maintenance.TICK)
            if self._poller.database.dialect == "postgresql":
                add("keep partitions", self.maintenance.keep_partitions, maintenance.PARTITIONS_EVERY)
        self.scheduler.start(self._on_job_end)

    def _on_job_end(self, job: str, error: BaseException | None) -> None:
        if error is not None:
            self._on_job_error(job, error)
        self.on_job(job, error is not None)
        if job == POLL_JOB:
            self._note_answer()
            if not self._is_ready:
                self._is_ready = True
                self.service_manager.ready()
            # While the database hangs, or a job blocks the loop, no claim ends.
            self.service_manager.alive()

    async def _report_status(self) -> None:
        self.service_manager.status(status_line(await asyncio.to_thread(short_status, self._poller.database)))

    def _on_job_error(self, job: str, error: BaseException) -> None:
        if not isinstance(error, DatabaseError):
            # A fault of kzfeed in one job must not end the polling of all sources.
            log.error("internal error, the job runs again", job=job, exc_info=error)
            return
        if isinstance(error, DatabaseFileReplaced):
            self._file_replaced = error
            self._stop.set()
            return
        if self._answers_at_failure is None:
            log.error("database unavailable, retrying every second", error=str(error))
            self.service_manager.status(f"database unavailable: {error}")
        self._answers_at_failure = self.poll_job.queue.answers

    def _note_answer(self) -> None:
        """Say that the database is available again, once it has answered a claim."""
        if self._answers_at_failure is not None and self.poll_job.queue.answers > self._answers_at_failure:
            log.info("database available again")
            self._answers_at_failure = None

    async def _beat(self) -> None:
        """Record that this daemon runs. It tells that the jobs run, too: this is one of them."""
        now = self._poller.clock()
        self._started_at = self._started_at or now
        offline_since = self.poll_job.network.offline_since
        beat = heartbeats.Heartbeat(self.poll_job.queue.owner, __version__, self._started_at, now, offline_since)
        await asyncio.to_thread(heartbeats.beat, self._poller.database, beat)

    async def _tidy(self) -> None:
        if self.maintenance:
            await self.maintenance.tidy(is_quiet=not self.poll_job.under_way)

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
        self.scheduler.pause()
        log.info("stopping", polls_under_way=self.poll_job.under_way)
        ending = [asyncio.create_task(job.stop(GRACE)) for job in (self.poll_job, self.page_fetch_job) if job]
        if self.index_job:
            await self.index_job.stop()
        if self.folder_job:
            self.folder_job.stop()
        await asyncio.gather(*ending)
        self.scheduler.stop()
        try:
            await asyncio.wait_for(asyncio.to_thread(self._sign_off), timeout=2)
        except (DatabaseError, TimeoutError) as error:
            log.warning("claims not released, they expire by themselves", error=str(error))

    def _sign_off(self) -> None:
        self.poll_job.queue.release()
        heartbeats.end(self._poller.database, self.poll_job.queue.owner)


def _end_process_after(time: timedelta) -> None:
    """End the process after so long: a thread that waits for a database cannot be interrupted.

    Nothing is lost by it: a transaction that is not finished by then is rolled back.
    """
    last_resort = threading.Timer(time.total_seconds(), os._exit, [0])
    last_resort.daemon = True
    last_resort.start()
