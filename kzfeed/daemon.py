"""The daemon: polls sources when they are due, until a signal stops it.

Its jobs run on APScheduler. The database is the schedule: a job asks it every second which sources are due, and also
when polls have ended, so that no slot stays empty while sources wait.
"""

import asyncio
import logging
import os
import secrets
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from kzfeed import __version__, maintenance
from kzfeed.connection import Connection
from kzfeed.errors import ClaimExpired, ConfigError, DatabaseError, DatabaseFileReplaced
from kzfeed.hosts import host_of
from kzfeed.indexing import Indexing
from kzfeed.maintenance import Maintenance
from kzfeed.model.polls import Poll, Source
from kzfeed.page_job import PageJob
from kzfeed.poll import Poller
from kzfeed.schedule.interval import spread_start
from kzfeed.service_manager import ServiceManager, status_line
from kzfeed.store import claims, heartbeats
from kzfeed.store.host_locks import LEASE
from kzfeed.store.status import overview

if TYPE_CHECKING:
    from kzfeed.sync.job import FolderJob

TICK = timedelta(seconds=1)
CLAIM_JOB = "poll due sources"
STUCK_AFTER_TICKS = 120
"""A scheduler whose claim job has not ended for so many ticks makes no progress: twice as long as it takes to give up a
database that does not answer."""
INDEX_TICK = timedelta(seconds=2)
"""How long new articles may wait to be indexed."""
FOLDER_TICK = timedelta(seconds=2)
"""How long new articles may wait to be written into the archive folder."""
STATUS_TICK = timedelta(seconds=30)
"""How old the status of the service manager may be."""
CLAIM_PAUSE = timedelta(milliseconds=100)
"""The time between two claims while polls end: sources are claimed in batches, not one by one."""
GRACE = timedelta(seconds=3)
"""How long polls under way may go on after a signal before they are cancelled."""
LONGEST_STOP = timedelta(seconds=6)
"""How long after a signal the process ends in any case."""
CLOCK_SLACK = timedelta(seconds=5)
"""A smaller correction of the clock is ignored."""
MIN_HOST_PAUSE = timedelta(minutes=1)
"""The least pause of a host after a poll that could not be stored, unless the source's interval is shorter."""
CHECKS_AFTER_JUMP = 60
"""How many ticks look for times in the future after a jump: polls that began before it may still be stored."""

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
    """One running daemon. `slots` is how many polls it runs at a time, `lease` how long a claim lasts without renewal.

    `reload` puts the configuration in force again. It is called on SIGHUP and when `config_changed` says that the files
    have changed, and raises ConfigError for a mistake in them.
    """

    poller: Poller
    slots: int = 100
    lease: timedelta = LEASE
    reload: Callable[[], None] = lambda: None
    config_changed: Callable[[], bool] = lambda: False
    indexing: Indexing | None = None
    """The job of the search index, if the database has one."""
    folder: "FolderJob | None" = None
    """The job of the archive folder, if there is one."""
    pages: PageJob | None = None
    """The job that fetches the pages of articles."""
    maintenance: Maintenance | None = None
    """The jobs that keep the database small and fast."""
    on_poll: Callable[[Source, Poll | None], None] = lambda source, poll: None
    """Called with each poll and its source before it; None if the poll could not be stored."""
    on_job: Callable[[str, bool], None] = lambda name, failed: None
    """Called with the name of each job that has run, and whether it failed."""
    service_manager: ServiceManager = field(default_factory=ServiceManager)
    """Hears when the daemon is ready, makes progress, reloads and stops."""
    described: Mapping[str, object] = field(default_factory=dict)
    """What the log line `running` says beside the owner."""
    tick: timedelta = TICK
    # A process id alone would not do: in each container they begin with the same.
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}")
    connection: Connection = field(init=False)
    """Whether this machine has one."""
    _scheduler: Any = field(default_factory=lambda: AsyncIOScheduler(timezone=UTC))
    _claim_job: Any = None
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _polls: dict[asyncio.Task[None], Source] = field(default_factory=dict)
    """The polls under way."""
    _claimed_until: dict[int, datetime] = field(default_factory=dict)
    """When the claims on the sources of these polls expire, by source id."""
    _poll_ended: bool = False
    """Whether a poll has ended since the last claim began."""
    _paused_hosts: dict[str, float] = field(default_factory=dict)
    """Hosts whose poll could not be stored, and until when (by the event loop's clock) they are left alone."""
    _started_at: datetime | None = None
    """When the first heartbeat was."""
    _is_ready: bool = False
    """Whether the service manager knows that the daemon has started."""
    _reload_wanted: bool = False
    _database_available: bool = True
    _file_replaced: DatabaseFileReplaced | None = None
    """Why the database that this daemon has open is no longer the one to use."""
    _last_clocks: tuple[datetime, float] | None = None
    """The wall clock and the event loop's clock at the last claim."""
    _clock_checks: int = 1
    _next_clock_check: float = 0.0

    def __post_init__(self) -> None:
        self.connection = Connection(self.poller)

    async def run(self) -> None:
        """Poll until SIGTERM or SIGINT; then finish or cancel the polls under way. A second signal ends at once.

        Raises DatabaseFileReplaced as soon as the database's file is no longer in its place.
        """
        self._listen_for_signals()
        self._start_jobs()
        log.info("running", owner=self.owner, **self.described)
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
        self._claim_job = self._add_job(CLAIM_JOB, self._poll_due, self.tick)
        self._add_job("renew claims", self._renew_claims, self.lease / 4)
        self._add_job("heartbeat", self._beat, heartbeats.INTERVAL)
        self._add_job("reload configuration", self._reload, self.tick)
        if self.indexing:
            self._add_job("index articles", self.indexing.run, INDEX_TICK)
        if self.service_manager.address:
            self._add_job("report status", self._report_status, STATUS_TICK)
        if self.folder:
            self._add_job("write archive folder", self.folder.run, FOLDER_TICK)
        if self.pages:
            self.pages.may_claim = lambda: self.connection.offline_since is None
            self._add_job("fetch pages", self.pages.run, self.tick)
        if self.maintenance:
            self._add_job("sum up old polls", self.maintenance.sum_up_polls, maintenance.TICK)
            self._add_job("tidy database", self._tidy, maintenance.TICK)
        self._scheduler.start()
        self._restart_stalled_jobs()

    def _add_job(self, name: str, function: Callable[[], Any], interval: timedelta) -> Any:
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        begin = self.poller.clock()
        return self._scheduler.add_job(function, Every(interval), id=name, name=name, next_run_time=begin, **options)

    def _restart_stalled_jobs(self) -> None:
        """Run jobs now that wait for longer than their interval, and look again after a tick.

        APScheduler waits by the wall clock: when that goes back by an hour, every job waits for an hour. The clock of
        the event loop does not jump.
        """
        now = self.poller.clock()
        for job in self._scheduler.get_jobs():
            if job.next_run_time > now + job.trigger.interval:
                job.modify(next_run_time=now)
        asyncio.get_running_loop().call_later(self.tick.total_seconds(), self._restart_stalled_jobs)

    def _on_job_end(self, event: JobExecutionEvent) -> None:
        """Tell the service manager of each claim: while the database hangs, or a job blocks the loop, none ends."""
        self.on_job(event.job_id, event.exception is not None)
        if event.job_id == CLAIM_JOB:
            if not self._is_ready:
                self._is_ready = True
                self.service_manager.ready()
            self.service_manager.alive()

    async def _report_status(self) -> None:
        self.service_manager.status(status_line(await asyncio.to_thread(overview, self.poller.database)))

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

    # --- polls -------------------------------------------------------------------------------------------------------

    async def _poll_due(self) -> None:
        """Claim due sources, as many as there are free slots, and begin to poll them."""
        async with self._claiming:
            self._poll_ended = False
            await self._follow_clock()
            free = self.connection.slots(self.slots - len(self._polls))
            for source in await self._claim(free) if free > 0 else ():
                task = asyncio.create_task(self._poll(source))
                self._polls[task] = source
                task.add_done_callback(self._on_poll_end)
        if self._poll_ended:
            self._claim_soon()

    def _on_poll_end(self, task: asyncio.Task[None]) -> None:
        self._claimed_until.pop(self._polls.pop(task).id, None)

    async def _claim(self, limit: int) -> list[Source]:
        now = self.poller.clock()
        visits = Counter(host_of(source.url) for source in self._polls.values())
        due = await asyncio.to_thread(
            claims.claim_due,
            self.poller.database,
            now=now,
            owner=self.owner,
            lease=self.lease,
            limit=limit,
            busy=claims.Busy(
                source_ids=[source.id for source in self._polls.values()],
                hosts=self._busy_hosts(visits),
                slots={host: most - visits[host] for host, most in self.poller.host_queues.wide_hosts.items()},
            ),
        )
        if not self._database_available:
            log.info("database available again")
        self._database_available = True
        self._claimed_until |= {source.id: now + self.lease for source in due}
        return [] if self._stop.is_set() else due

    def _busy_hosts(self, visits: Mapping[str, int]) -> set[str]:
        now = asyncio.get_running_loop().time()
        self._paused_hosts = {host: until for host, until in self._paused_hosts.items() if until > now}
        most = self.poller.host_queues.connections
        return {*self._paused_hosts, *(host for host, count in visits.items() if count >= most(host))}

    async def _poll(self, source: Source) -> None:
        try:
            # A process that was stopped for longer than the lease goes on where others have taken over.
            poll = await self.poller.poll(
                source,
                is_claimed=lambda: self._claimed_until[source.id] > self.poller.clock(),
                judge=self.connection.judge,
            )
            await self.connection.after(poll)
        except ClaimExpired as error:
            log.warning("claim expired before the visit, poll left out", source=source.name, error=str(error))
            return
        except DatabaseError as error:
            log.error("poll not stored", source=source.name, error=str(error))
        except Exception:
            # A fault of kzfeed in one poll must not end the polling of all other sources.
            log.exception("internal error, poll not stored", source=source.name)
        else:
            self.on_poll(source, poll)
            self._claim_soon()
            return
        self.on_poll(source, None)
        # The source stays due. No server must suffer for a fault of ours: its host is left alone for a while.
        pause = min(source.every, max(self.poller.bounds.min_interval, MIN_HOST_PAUSE))
        self._paused_hosts[host_of(source.url)] = asyncio.get_running_loop().time() + pause.total_seconds()

    def _claim_soon(self) -> None:
        """Fill the slot that has become free. A claim that is running now must be followed by another one."""
        self._poll_ended = True
        soon = self.poller.clock() + CLAIM_PAUSE
        if not self._claiming.locked() and self._claim_job.next_run_time > soon:
            self._claim_job.modify(next_run_time=soon)

    async def _renew_claims(self) -> None:
        """Prolong the claims of all polls under way, however slow they are."""
        if self._polls:
            held = [source.id for source in self._polls.values()]
            until = self.poller.clock() + self.lease
            renewed = await asyncio.to_thread(claims.renew, self.poller.database, self.owner, held, until)
            # Those whose polls have ended meanwhile are under way no more.
            self._claimed_until |= dict.fromkeys(renewed & self._claimed_until.keys(), until)

    async def _beat(self) -> None:
        """Record that this daemon runs. It tells that the jobs run, too: this is one of them."""
        now = self.poller.clock()
        self._started_at = self._started_at or now
        offline_since = self.connection.offline_since
        beat = heartbeats.Heartbeat(self.owner, __version__, self._started_at, now, offline_since)
        await asyncio.to_thread(heartbeats.beat, self.poller.database, beat)

    async def _tidy(self) -> None:
        if self.maintenance:
            await self.maintenance.tidy(is_quiet=not self._polls)

    # --- upkeep ------------------------------------------------------------------------------------------------------

    async def _follow_clock(self) -> None:
        """Correct the schedule after a jump of the wall clock, also one that happened before the start.

        After a jump back the whole schedule is moved back with it. After a jump ahead the sources that are due all at
        once are spread.
        """
        now, steady = self.poller.clock(), asyncio.get_running_loop().time()
        last_now, last_steady = self._last_clocks or (now, steady)
        self._last_clocks = now, steady
        jump = now - last_now - timedelta(seconds=steady - last_steady)
        if jump < -CLOCK_SLACK:
            self._clock_checks = CHECKS_AFTER_JUMP
        if jump > CLOCK_SLACK:
            log.warning("clock jumped ahead", seconds=round(jump.total_seconds()))
            await asyncio.to_thread(claims.spread_due, self.poller.database, spread_start, now)
        if self._clock_checks and steady >= self._next_clock_check:
            self._next_clock_check = steady + self.tick.total_seconds()
            by = await asyncio.to_thread(claims.move_schedule_back, self.poller.database, now, tolerance=CLOCK_SLACK)
            self._clock_checks -= 1
            if by:
                log.warning("clock went back, schedule moved back with it", seconds=round(by.total_seconds()))

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
            _end_process_after(LONGEST_STOP)
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
        self.poller.fetcher.stop_requests()
        self._scheduler.pause()
        log.info("stopping", polls_under_way=len(self._polls))
        if self.indexing:
            await self.indexing.stop()
        if self.folder:
            self.folder.stop()
        pages = asyncio.create_task(self.pages.stop(GRACE)) if self.pages else None
        claiming = asyncio.create_task(self._claiming.acquire())
        _, late = await asyncio.wait([claiming, *self._polls], timeout=GRACE.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, *([pages] if pages else []), return_exceptions=True)
        self._scheduler.remove_listener(self._on_job_error)
        self._scheduler.shutdown(wait=False)
        try:
            await asyncio.wait_for(asyncio.to_thread(self._sign_off), timeout=2)
        except (DatabaseError, TimeoutError) as error:
            log.warning("claims not released, they expire by themselves", error=str(error))

    def _sign_off(self) -> None:
        claims.release(self.poller.database, self.owner)
        heartbeats.end(self.poller.database, self.owner)


def _end_process_after(time: timedelta) -> None:
    """End the process after so long: a thread that waits for a database cannot be interrupted.

    Nothing is lost by it: a transaction that is not finished by then is rolled back.
    """
    last_resort = threading.Timer(time.total_seconds(), os._exit, [0])
    last_resort.daemon = True
    last_resort.start()
