"""The settings put to work: from one frozen Settings and a database to a daemon that runs, and what it is made of."""

from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog

from kzfeed import __version__
from kzfeed.batches import Batches
from kzfeed.config.proxies import ProxyUrls
from kzfeed.config.settings import HostSettings, Settings
from kzfeed.daemon import Daemon
from kzfeed.fetch.addresses import Lookup, system_lookup
from kzfeed.fetch.client import Fetcher, FetchLimits, ProxiesOf
from kzfeed.fetch.host_queue import HostQueues, HostRule
from kzfeed.fetch.proxy import ProxyRules, parse_proxy
from kzfeed.model import Source
from kzfeed.poll import Poller, next_firing, utc_now
from kzfeed.sandbox.pool import Workers
from kzfeed.schedule.interval import IntervalBounds, after_skipped_hours, interval_wait, spread_start
from kzfeed.store import host_pauses, sources
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.windows import last_windows

BATCH = 600
POLL = 8
"""How much is committed at a time: an article weighs 1, a poll by itself as much as 8. So it is 75 polls without news,
or 21 first contacts of twenty articles: where more wait for each other, the processes that read run out of work."""
ROUNDING = timedelta(milliseconds=10)
"""Instants are stored in milliseconds."""

log = structlog.get_logger()


async def run(settings: Settings, database: Database, *, load: Callable[[], Settings]) -> None:
    """Poll what is due until a signal says to stop; on SIGHUP put in force what `load` reads.

    Raises DatabaseError, also where another daemon has an SQLite database.
    """
    with database.only_daemon():
        apply(settings, database, utc_now())
        async with poller(settings, database) as polls:
            reload = _reloader(settings, database, load, polls.fetcher)
            await Daemon(polls, slots=settings.http.max_connections, reload=reload).run()


def apply(settings: Settings, database: Database, now: datetime) -> None:
    """Make the sources those that are configured; where a rhythm is another now, it counts from the last poll."""
    before = {source.id: source for source in sources.load(database)}
    sources.configure(database, settings.source_configs(), now, spread=spread_start)
    bounds = interval_bounds(settings)
    for source in sources.load(database):
        replanned = source.id in before and _replanned(before[source.id], source, bounds, now)
        if replanned:
            sources.reschedule(database, source, replanned)


def _replanned(before: Source, after: Source, bounds: IntervalBounds, now: datetime) -> datetime | None:
    """When the next visit is by the new rhythm, where it is another one and nothing but the old one set the time."""
    polled, planned = after.last_polled_at, after.next_poll_at
    if polled is None or planned is None or _rhythm(before) == _rhythm(after) or before.url != after.url:
        return None
    by_rhythm = polled + interval_wait(before, polled, next_firing(before, polled), bounds).length + ROUNDING
    fires_at = next_firing(after, now)
    due = fires_at or polled + max(after.own_wait or timedelta(), interval_wait(after, polled, None, bounds).length)
    # What else put it off, a server's wish or failures, still does.
    return after_skipped_hours(due if planned <= by_rhythm else max(due, planned), after)


def _rhythm(source: Source) -> tuple[object, ...]:
    return source.every, source.auto, source.cron, source.cron and source.timezone


def _reloader(
    in_force: Settings, database: Database, load: Callable[[], Settings], fetcher: Fetcher
) -> Callable[[], None]:
    """What SIGHUP does: the sources of a changed file, and a word on what only a restart brings into force."""

    def reload() -> None:
        fresh = load()
        apply(fresh, database, utc_now())
        fetcher.proxies_of = proxies_of(fresh.model_copy(update={"http": in_force.http}))
        ours, theirs = (settings.model_dump(exclude={"sources", "defaults", "log"}) for settings in (in_force, fresh))
        waiting = sorted(section for section in ours if ours[section] != theirs[section])
        log.info("configuration reloaded", origin=fresh.origin, sources=len(fresh.sources))
        if waiting:
            log.warning("settings changed that need a restart", sections=waiting)

    return reload


# --- what all of them need -------------------------------------------------------------------------------------------


def _weight(commit: PollCommit) -> int:
    return POLL + len(commit.articles)


@asynccontextmanager
async def poller(
    settings: Settings, database: Database, *, clock: Callable[[], datetime] = utc_now, lookup: Lookup = system_lookup
) -> AsyncIterator[Poller]:
    """What polls need, by the settings."""
    with (
        # One thread each: there is one writer at a time anyway, and several readers would only keep the loop waiting.
        ThreadPoolExecutor(1, thread_name_prefix="writer") as writer,
        ThreadPoolExecutor(1, thread_name_prefix="reader") as reader,
    ):
        async with (
            fetcher(settings, lookup) as visits,
            document_workers(settings) as workers,
            Batches(partial(commit_polls, database), writer, most=BATCH, weight=_weight) as commits,
            Batches(partial(last_windows, database), writer) as windows,
        ):
            yield Poller(
                fetcher=visits,
                workers=workers,
                database=database,
                host_queues=host_queues(settings, _lately_visited(settings, database, clock())),
                bounds=interval_bounds(settings),
                commits=commits,
                windows=windows,
                reader=reader,
                max_entries=settings.parse.max_entries,
                clock=clock,
            )


def fetcher(settings: Settings, lookup: Lookup = system_lookup) -> Fetcher:
    """What makes the visits; an async context manager."""
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
        proxies_of=proxies_of(settings),
    )


def proxies_of(settings: Settings) -> ProxiesOf:
    """The proxies of each source by its name; they come from the settings at every start and are never stored."""
    general = _proxy_rules(settings.proxies())
    own = {
        source.name: _proxy_rules(settings.proxies(source.proxy))
        for source in settings.sources
        if source.proxy is not None
    }
    return lambda name: own.get(name, general)


def _proxy_rules(urls: ProxyUrls) -> ProxyRules:
    http, https = (parse_proxy(url) if url else None for url in (urls.http, urls.https))
    return ProxyRules(http, https, urls.direct)


def document_workers(settings: Settings) -> Workers:
    """The processes for documents that are not plainly harmless; an async context manager."""
    return Workers(timeout=settings.parse.timeout, memory=settings.parse.memory)


def host_queues(settings: Settings, visited: Mapping[str, float]) -> HostQueues:
    """The queues at hosts; `visited` says how many seconds ago another process visited which hosts."""
    rules = {host: HostRule(_gap(settings, each), each.connections) for host, each in settings.hosts.items()}
    return HostQueues(settings.http.host_gap, rules, visited)


def _lately_visited(settings: Settings, database: Database, now: datetime) -> dict[str, float]:
    """The hosts whose gap may not be over yet, and how many seconds ago they were visited."""
    longest = max([settings.http.host_gap, *(_gap(settings, each) for each in settings.hosts.values())])
    visited = host_pauses.recently_visited_hosts(database, now - longest)
    return {host: (now - when).total_seconds() for host, when in visited.items()}


def _gap(settings: Settings, host: HostSettings) -> timedelta:
    return settings.http.host_gap if host.gap is None else host.gap


def interval_bounds(settings: Settings) -> IntervalBounds:
    """The bounds of every source's rhythm."""
    return IntervalBounds(min_interval=settings.http.min_interval, max_interval=settings.http.max_interval)
