"""The parts of a poll, built from the settings: the client, the queues of hosts, the poller and the page fetcher."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
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
from kzfeed.errors import ConfigError
from kzfeed.fetch.access import Access, AccessOf, authorities_of
from kzfeed.fetch.addresses import Lookup, system_lookup
from kzfeed.fetch.client import Fetcher, FetchLimits
from kzfeed.fetch.file_limit import allowed_connections
from kzfeed.fetch.host_queue import HostQueues, HostRule, SharedLocks
from kzfeed.fetch.proxy import ProxyRules, parse_proxy
from kzfeed.poll import Poller
from kzfeed.sandbox.pool import PAGE_COMMAND, Workers
from kzfeed.shared_host_locks import shared_host_locks
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.queue import host_pauses
from kzfeed.store.windows import last_windows

if TYPE_CHECKING:
    from kzfeed.page_fetch import PageFetcher

BATCH_WEIGHT = 600
POLL_WEIGHT = 5
"""How much one transaction commits: an article weighs 1, a poll 5. That is 120 polls without news, or 24 first polls of
twenty articles. With larger batches the workers run out of documents while their polls wait for the commit."""

log = structlog.get_logger()


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
async def open_poller(
    settings: Settings, database: Database, *, clock: Callable[[], datetime] = utc_now, lookup: Lookup = system_lookup
) -> AsyncIterator[Poller]:
    """A Poller with everything that it needs; an async context manager."""
    with (
        # One thread each: the database has one writer at a time, and more readers would take time from the event loop.
        ThreadPoolExecutor(1, thread_name_prefix="writer") as writer,
        ThreadPoolExecutor(1, thread_name_prefix="reader") as reading_thread,
    ):
        async with (
            fetcher(settings, lookup) as client,
            document_workers(settings) as workers,
            Batcher(partial(commit_polls, database), writer, most=BATCH_WEIGHT, weight=_weight) as commits,
            Batcher(partial(last_windows, database), writer) as windows,
            shared_host_locks(database) as locks,
        ):
            yield Poller(
                fetcher=client,
                workers=workers,
                database=database,
                host_queues=host_queues(settings, _lately_visited(settings, database, clock()), locks),
                bounds=settings.interval_bounds(),
                commits=commits,
                windows=windows,
                reading_thread=reading_thread,
                max_entries=settings.parse.max_entries,
                clock=clock,
            )


@asynccontextmanager
async def open_page_fetcher(settings: Settings, poller: Poller) -> AsyncIterator["PageFetcher"]:
    """A PageFetcher that shares the client and the queues of hosts with the poller; an async context manager."""
    # Imported late: most polls want no pages.
    from kzfeed.page_fetch import PageFetcher

    limits = settings.parse
    # Workers of their own: a page that takes long keeps no feed waiting.
    async with Workers(timeout=limits.timeout, memory=limits.memory, processes=1, command=PAGE_COMMAND) as workers:
        yield PageFetcher(
            fetcher=poller.fetcher,
            database=poller.database,
            host_queues=poller.host_queues,
            bounds=poller.bounds,
            workers=workers,
            delay=settings.http.host_gap,
            clock=poller.clock,
            random=poller.random,
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
