"""Builder of the daemon and of the poller, from the settings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from ssl import SSLContext, SSLError
from typing import TYPE_CHECKING

import structlog

from kzfeed import __version__
from kzfeed.batching import Batcher
from kzfeed.clock import utc_now
from kzfeed.config import values
from kzfeed.config.access import AccessSettings, access_settings
from kzfeed.config.load import ConfigErrors
from kzfeed.config.proxies import ProxyUrls
from kzfeed.config.secrets import Secret
from kzfeed.config.settings import HostSettings, Settings
from kzfeed.errors import ConfigError, DatabaseFileReplaced
from kzfeed.fetch.access import Access, AccessOf, authorities_of
from kzfeed.fetch.addresses import Lookup, system_lookup
from kzfeed.fetch.client import Fetcher, FetchLimits
from kzfeed.fetch.file_limit import allowed_connections
from kzfeed.fetch.host_queue import HostQueues, HostRule, SharedLocks
from kzfeed.fetch.proxy import ProxyRules, parse_proxy
from kzfeed.jobs.search_index import IndexJob
from kzfeed.poll import Poller
from kzfeed.reload import apply, reloader
from kzfeed.sandbox.pool import PAGE_COMMAND, Workers
from kzfeed.service_manager import ServiceManager
from kzfeed.shared_hosts import shared_hosts
from kzfeed.store import host_pauses, schema, sources
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.search.opening import open_index
from kzfeed.store.windows import last_windows

if TYPE_CHECKING:
    from kzfeed.jobs.archive_folder import FolderJob
    from kzfeed.jobs.work_queue import WorkQueue
    from kzfeed.pages import PageFetcher
    from kzfeed.server.monitor import Monitor

BATCH_WEIGHT = 600
POLL_WEIGHT = 8
"""How much one transaction commits: an article weighs 1, a poll 8. That is 75 polls without news, or 21 first polls of
twenty articles. With larger batches the workers run out of documents while their polls wait for the commit."""
REPLACEMENT_WAIT = timedelta(seconds=10)
"""How long a new database file may take to appear where the old one was taken away: a backup has to be copied."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reloading:
    """How the configuration is read again, and whether its files have changed."""

    load: Callable[[], Settings]
    is_wanted: Callable[[], bool]


async def run(
    settings: Settings,
    database: Database,
    *,
    load: Callable[[], Settings],
    config_changed: Callable[[], bool],
    service_manager: ServiceManager,
) -> None:
    """Run the daemon until a signal stops it. SIGHUP puts into force what `load` reads, and so does a changed file.

    If the database's file was deleted, moved or replaced, the daemon begins anew with the file in its place. Raises
    DatabaseError if there is none with the current schema, and if another daemon uses the same SQLite database.
    """
    with ExitStack() as whole_run:
        # Monitors are answered while there is no database, too. Before the first run another daemon may be in the way.
        monitor = cache(partial(whole_run.enter_context, _monitor(settings, database)))
        while True:
            try:
                await _run(settings, database, monitor, Reloading(load, config_changed), service_manager)
                return
            except DatabaseFileReplaced as error:
                log.error("database file taken away, nothing is stored in it any more", error=str(error))
                await asyncio.to_thread(schema.open_replacement, database, wait=REPLACEMENT_WAIT)
                log.warning("database file replaced, beginning anew with the new one")
                with suppress(ConfigError):  # a mistake made since the start must not end the daemon
                    fresh = load()
                    access_of(fresh)
                    settings = fresh


async def _run(
    settings: Settings,
    database: Database,
    get_monitor: "Callable[[], Monitor | None]",
    reloading: Reloading,
    service_manager: ServiceManager,
) -> None:
    # Imported late: its scheduler takes a while, and `kzfeed poll` does not need it.
    from kzfeed.daemon import Daemon
    from kzfeed.jobs.article_pages import PageJob
    from kzfeed.jobs.maintenance import MaintenanceJobs
    from kzfeed.jobs.polls import PollJob

    with database.only_daemon():
        apply(settings, database, utc_now())
        async with poller(settings, database) as polls:

            def use_access_of(fresh: Settings) -> None:
                # What sources have of their own changes at once, the proxy of [http] at a restart.
                polls.fetcher.access_of = access_of(fresh.model_copy(update={"http": settings.http}))

            reload = reloader(settings, database, reloading.load, use_access_of)
            described = {
                "version": __version__,
                "configuration": settings.origin,
                "database": settings.database.url,
                "sources": sources.count_enabled(database),
            }
            monitor = get_monitor()
            with _indexing(settings, database) as indexing:
                async with page_fetcher(settings, polls) as pages, _work_queue(settings, polls) as queue:
                    poll_job = PollJob(queue, usable_connections(settings))
                    page_job = PageJob(pages, poll_job.queue.owner, page_slots(poll_job.slots))
                    daemon = Daemon(
                        poll_job,
                        reload=reload,
                        config_changed=reloading.is_wanted,
                        indexing=indexing,
                        folder=_folder_job(settings, database),
                        pages=page_job,
                        service_manager=service_manager,
                        maintenance=MaintenanceJobs(database, settings.maintenance.keep_polls, polls.clock),
                        described=described,
                    )
                    if monitor:
                        monitor.read_gauges(queue.gauges)
                        daemon.on_job, poll_job.on_poll, page_job.on_page = (
                            monitor.on_job,
                            monitor.on_poll,
                            monitor.on_page,
                        )
                        monitor.watch_network(lambda: poll_job.network.offline_since is None)
                    await daemon.run()


@asynccontextmanager
async def _work_queue(settings: Settings, polls: Poller) -> "AsyncIterator[WorkQueue]":
    """The queue of due sources; if the configuration names a fleet, the queue of a member.

    Raises ConfigError if this daemon cannot be in a fleet.
    """
    # Imported late, as the daemon is.
    from kzfeed.jobs.work_queue import WorkQueue

    if not settings.fleet.servers:
        yield WorkQueue(polls)
        return
    servers, token = fleet_access(settings, polls.database)
    from kzfeed.fleet.member import membership

    async with membership(polls, servers, token) as queue:
        yield queue


def fleet_access(settings: Settings, database: Database) -> tuple[Sequence[str], str | None]:
    """The servers of NATS of the fleet, and their token. Raises ConfigError if there is no fleet or cannot be one."""
    fleet = settings.fleet
    if not fleet.servers:
        raise _fleet_mistake(settings, "servers", "the servers of NATS of a fleet (docs/fleet.md)")
    if database.dialect != "postgresql":
        raise _fleet_mistake(settings, "servers", "database.url with PostgreSQL, which the members of a fleet share")
    if not find_spec("nats"):
        raise _fleet_mistake(settings, "servers", "the package nats-py beside it: install kzfeed[fleet]")
    try:
        token = fleet.token.read(settings.folder, settings.environ) if isinstance(fleet.token, Secret) else fleet.token
    except ValueError as error:
        raise _fleet_mistake(settings, "token", str(error)) from None
    return fleet.servers, token


def _fleet_mistake(settings: Settings, key: str, expected: str) -> ConfigError:
    value = " ".join(settings.fleet.servers or ()) if key == "servers" else values.UNSEEN
    return ConfigError(f"fleet.{key}", value=value, expected=expected, origin=settings.origin_of(f"fleet.{key}"))


@contextmanager
def _indexing(settings: Settings, database: Database) -> Iterator[IndexJob | None]:
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
    from kzfeed.daemon import POLL_JOB, STUCK_AFTER_TICKS, TICK
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


def usable_connections(settings: Settings) -> int:
    """How many connections there may be at a time: as many as are configured, or fewer where open files are limited."""
    wanted = settings.http.max_connections
    allowed = allowed_connections(wanted)
    if allowed < wanted:
        log.warning("fewer connections than configured: too few open files allowed", wanted=wanted, allowed=allowed)
    return allowed


def _weight(commit: PollCommit) -> int:
    return POLL_WEIGHT + len(commit.articles)


@asynccontextmanager
async def poller(
    settings: Settings, database: Database, *, clock: Callable[[], datetime] = utc_now, lookup: Lookup = system_lookup
) -> AsyncIterator[Poller]:
    """A Poller with everything that it needs; an async context manager."""
    with (
        # One thread each: the database has one writer at a time, and more readers would take time from the event loop.
        ThreadPoolExecutor(1, thread_name_prefix="writer") as writer,
        ThreadPoolExecutor(1, thread_name_prefix="reader") as reader,
    ):
        async with (
            fetcher(settings, lookup) as visits,
            document_workers(settings) as workers,
            Batcher(partial(commit_polls, database), writer, most=BATCH_WEIGHT, weight=_weight) as commits,
            Batcher(partial(last_windows, database), writer) as windows,
            shared_hosts(database) as locks,
        ):
            yield Poller(
                fetcher=visits,
                workers=workers,
                database=database,
                host_queues=host_queues(settings, _lately_visited(settings, database, clock()), locks),
                bounds=settings.interval_bounds(),
                commits=commits,
                windows=windows,
                reader=reader,
                max_entries=settings.parse.max_entries,
                clock=clock,
            )


@asynccontextmanager
async def page_fetcher(settings: Settings, polls: Poller) -> AsyncIterator["PageFetcher"]:
    """A PageFetcher that shares the client and the queues of hosts with the poller; an async context manager."""
    # Imported late: most polls want no pages.
    from kzfeed.pages import PageFetcher

    limits = settings.parse
    # Workers of their own: a page that takes long keeps no feed waiting.
    async with Workers(timeout=limits.timeout, memory=limits.memory, processes=1, command=PAGE_COMMAND) as workers:
        yield PageFetcher(
            fetcher=polls.fetcher,
            database=polls.database,
            host_queues=polls.host_queues,
            bounds=polls.bounds,
            workers=workers,
            delay=settings.http.host_gap,
            clock=polls.clock,
            random=polls.random,
        )


def page_slots(slots: int) -> int:
    """How many pages may be fetched at a time. Polls keep half of the connections for themselves."""
    return max(1, slots // 2)


def fetcher(settings: Settings, lookup: Lookup = system_lookup) -> Fetcher:
    """The HTTP client; an async context manager."""
    http = settings.http
    limits = FetchLimits(
        timeout=http.timeout,
        connect_timeout=http.connect_timeout,
        max_body=http.max_body,
        max_headers=http.max_headers,
        max_redirects=http.max_redirects,
    )
    contact = f" (+{http.contact})" if http.contact else ""
    user_agent = f"kzfeed/{__version__}{contact}"
    return Fetcher(
        user_agent=user_agent,
        limits=limits,
        max_connections=http.max_connections,
        lookup=lookup,
        access_of=access_of(settings),
    )


def access_of(settings: Settings) -> AccessOf:
    """The access of each source by its name; it comes from the settings at every start and is never stored.

    Raises ConfigErrors for all secrets and files of authorities together that cannot be read.
    """
    authorities, mistakes = _authorities(settings)
    try:
        found = access_settings(settings)
    except ConfigErrors as error:
        raise ConfigErrors((*error.mistakes, *mistakes)) from None
    if mistakes:
        raise ConfigErrors(mistakes)
    general = Access(_proxy_rules(settings.proxies()))
    passwords = settings.urls_with_passwords()
    own: dict[str, Access] = {}
    for source in settings.sources:
        if source.name in found or source.name in passwords or source.proxy is not None:
            given = found.get(source.name, AccessSettings())
            own[source.name] = Access(
                proxies=general.proxies if source.proxy is None else _proxy_rules(settings.proxies(source.proxy)),
                url=source.url,
                headers=tuple((name.encode(), value.encode()) for name, value in given.headers),
                user_agent=given.user_agent.encode() if given.user_agent else None,
                authorities=authorities[given.authorities] if given.authorities else None,
            )
    return lambda name: own.get(name, general)


def _authorities(settings: Settings) -> tuple[dict[Path, SSLContext], list[ConfigError]]:
    """The certificate authorities in each file that sources name, and the files that cannot be read."""
    found: dict[Path, SSLContext] = {}
    mistakes: list[ConfigError] = []
    for source in settings.sources:
        path = settings.folder / source.tls_ca if source.tls_ca else None
        if path and path not in found:
            try:
                found[path] = authorities_of(str(path))
            except OSError as error:
                problem = "it has none" if isinstance(error, SSLError) else error.strerror
                expected = f"a file with certificates in PEM ({problem})"
                mistakes.append(settings.mistake(source.name, "tls_ca", values.shown(str(path)), expected))
    return found, mistakes


def _proxy_rules(urls: ProxyUrls) -> ProxyRules:
    http, https = (parse_proxy(url) if url else None for url in (urls.http, urls.https))
    return ProxyRules(http, https, urls.direct)


def document_workers(settings: Settings) -> Workers:
    """The processes for documents that are not plainly harmless; an async context manager."""
    return Workers(timeout=settings.parse.timeout, memory=settings.parse.memory)


def host_queues(settings: Settings, visited: Mapping[str, float], locks: SharedLocks | None = None) -> HostQueues:
    """The queues at hosts; `visited` says how many seconds ago another process visited which hosts."""
    rules = {host: HostRule(_delay(settings, each), each.connections) for host, each in settings.hosts.items()}
    return HostQueues(settings.http.host_gap, rules, visited, locks)


def _lately_visited(settings: Settings, database: Database, now: datetime) -> dict[str, float]:
    """The hosts whose delay may not be over yet, and how many seconds ago they were visited."""
    longest = max([settings.http.host_gap, *(_delay(settings, each) for each in settings.hosts.values())])
    visited = host_pauses.recently_visited_hosts(database, now - longest)
    return {host: (now - when).total_seconds() for host, when in visited.items()}


def _delay(settings: Settings, host: HostSettings) -> timedelta:
    return settings.http.host_gap if host.gap is None else host.gap
