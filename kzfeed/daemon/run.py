"""The command `kzfeed run`: builds the daemon from the settings, and runs it until a signal stops it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

import structlog

from kzfeed import __version__
from kzfeed.clock import utc_now
from kzfeed.config.settings import Settings
from kzfeed.daemon.apply_config import apply_configuration, make_reload
from kzfeed.daemon.service_manager import ServiceManager
from kzfeed.errors import ConfigError, DatabaseFileReplaced
from kzfeed.jobs.search_index import IndexJob
from kzfeed.poll import Poller
from kzfeed.store import schema, sources
from kzfeed.store.engine import Database
from kzfeed.store.search.opening import open_index
from kzfeed.wiring import access_of, fleet_access, open_page_fetcher, open_poller, page_slots, usable_connections

if TYPE_CHECKING:
    from kzfeed.daemon.daemon import Daemon
    from kzfeed.jobs.archive_folder import FolderJob
    from kzfeed.jobs.work_queue import WorkQueue
    from kzfeed.server.monitor import Monitor

REPLACEMENT_WAIT = timedelta(seconds=10)
"""How long a new database file may take to appear where the old one was taken away: a backup has to be copied."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConfigReader:
    """Reader of the configuration: `read` reads its files again, `has_changed` says whether they differ from then."""

    read: Callable[[], Settings]
    has_changed: Callable[[], bool]


async def run_daemon(
    settings: Settings, database: Database, config: ConfigReader, service_manager: ServiceManager
) -> None:
    """Run the daemon until a signal stops it. SIGHUP puts what `config` reads into force, and so does a changed file.

    If the database's file was deleted, moved or replaced, the daemon begins anew with the file in its place. Raises
    DatabaseError if there is none with the current schema, and if another daemon uses the same SQLite database.
    """
    with ExitStack() as whole_run:
        # Monitors are answered while there is no database, too. Before the first run another daemon may be in the way.
        monitor = cache(partial(whole_run.enter_context, _monitor(settings, database)))
        while True:
            try:
                await _run(settings, database, monitor, config, service_manager)
                return
            except DatabaseFileReplaced as error:
                log.error("database file taken away, nothing is stored in it any more", error=str(error))
                await asyncio.to_thread(schema.open_replacement, database, wait=REPLACEMENT_WAIT)
                log.warning("database file replaced, beginning anew with the new one")
                with suppress(ConfigError):  # a mistake made since the start must not end the daemon
                    fresh = config.read()
                    access_of(fresh)
                    settings = fresh


async def _run(
    settings: Settings,
    database: Database,
    get_monitor: "Callable[[], Monitor | None]",
    config: ConfigReader,
    service_manager: ServiceManager,
) -> None:
    """Run the daemon on the database as it is now. Raises DatabaseFileReplaced."""
    with database.only_daemon():
        apply_configuration(settings, database, utc_now())
        async with _open_daemon(settings, database, get_monitor(), config, service_manager) as daemon:
            await daemon.run()


@asynccontextmanager
async def _open_daemon(
    settings: Settings,
    database: Database,
    monitor: "Monitor | None",
    config: ConfigReader,
    service_manager: ServiceManager,
) -> "AsyncIterator[Daemon]":
    """The daemon with its jobs, and with what they use until the end of the block."""
    # Imported late: its scheduler takes a while, and other commands do not need it.
    from kzfeed.daemon.daemon import POLL_JOB, Daemon
    from kzfeed.daemon.scheduler import Scheduler
    from kzfeed.jobs.maintenance import MaintenanceJobs
    from kzfeed.jobs.page_fetches import PageFetchJob
    from kzfeed.jobs.polls import PollJob

    on_poll, on_page, on_job = (monitor.on_poll, monitor.on_page, monitor.on_job) if monitor else (_ignore,) * 3
    connections = usable_connections(settings)
    with _open_index_job(settings, database) as index_job:
        async with (
            open_poller(settings, database) as poller,
            open_page_fetcher(settings, poller) as page_fetcher,
            _work_queue(settings, poller) as queue,
        ):
            scheduler = Scheduler(poller.clock)
            run_within = partial(scheduler.run_within, POLL_JOB)
            poll_job = PollJob(poller, queue, connections, on_poll=on_poll, run_within=run_within)
            is_online = poll_job.network.is_online
            if monitor:
                monitor.watch(is_online, queue.gauges)
            yield Daemon(
                scheduler,
                poll_job,
                reload=_make_reload(settings, poller, config),
                config_changed=config.has_changed,
                index_job=index_job,
                folder_job=_folder_job(settings, database),
                page_fetch_job=PageFetchJob(
                    page_fetcher, queue.owner, page_slots(connections), on_page=on_page, may_claim=is_online
                ),
                on_job=on_job,
                service_manager=service_manager,
                maintenance=MaintenanceJobs(database, settings.maintenance.keep_polls, poller.clock),
                described=_described(settings, database),
            )


def _described(settings: Settings, database: Database) -> dict[str, object]:
    """What the log says of the daemon when it starts."""
    return {
        "version": __version__,
        "configuration": settings.origin,
        "database": settings.database.url,
        "sources": sources.count_enabled(database),
    }


def _ignore(*_: object) -> None:
    """Listener of a daemon without monitors."""


def _make_reload(settings: Settings, poller: Poller, config: ConfigReader) -> Callable[[], None]:
    def use_access_of(fresh: Settings) -> None:
        # What sources have of their own changes at once, the proxy of [http] at a restart.
        poller.fetcher.access_of = access_of(fresh.model_copy(update={"http": settings.http}))

    return make_reload(settings, poller.database, config.read, use_access_of)


@asynccontextmanager
async def _work_queue(settings: Settings, poller: Poller) -> "AsyncIterator[WorkQueue]":
    """The queue of due sources; if the configuration names a fleet, the queue of a member.

    Raises ConfigError if this daemon cannot be in a fleet.
    """
    # Imported late, as the daemon is.
    from kzfeed.jobs.work_queue import WorkQueue

    if not settings.fleet.servers:
        yield WorkQueue(poller)
        return
    servers, token = fleet_access(settings, poller.database)
    from kzfeed.fleet.member import membership

    async with membership(poller, servers, token) as queue:
        yield queue


@contextmanager
def _open_index_job(settings: Settings, database: Database) -> Iterator[IndexJob | None]:
    """The job of the search index."""
    if database.dialect == "sqlite" and database.file is None:
        yield None
        return
    with open_index(database) as index:
        yield IndexJob(settings.database.url, index)


@contextmanager
def _monitor(settings: Settings, database: Database) -> "Iterator[Monitor | None]":
    """The answers to monitors, if the configuration names an address for them."""
    if settings.server.listen is None:
        yield None
        return
    # Imported late: not everybody has monitors.
    from kzfeed.daemon.daemon import POLL_JOB, STUCK_AFTER_TICKS
    from kzfeed.daemon.scheduler import TICK
    from kzfeed.server.monitor import Watched, monitoring

    watched = Watched(POLL_JOB, STUCK_AFTER_TICKS * TICK)
    with monitoring(settings.server.listen, database, watched) as monitor:
        yield monitor


def _folder_job(settings: Settings, database: Database) -> "FolderJob | None":
    """The job of the archive folder, if the configuration names one."""
    if settings.archive.directory is None:
        return None
    # Imported late: few have such a folder, and `kzfeed poll` begins sooner.
    from kzfeed.jobs.archive_folder import FolderJob
    from kzfeed.sync.configured import archive_folder

    archive = archive_folder(settings, database)
    return FolderJob(archive) if archive else None
