"""The settings put to work: from one frozen Settings and a database to polls by hand or a daemon that runs."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from urllib.parse import urlsplit

import structlog

from kzfeed import __version__, check
from kzfeed import config_values as values
from kzfeed.config import Settings
from kzfeed.daemon import Daemon
from kzfeed.document import Document
from kzfeed.errors import DatabaseError, DocumentError, UsageError
from kzfeed.model import Failed, Fetched, Outcome, Poll, Source, Visit
from kzfeed.net.addresses import Lookup, system_lookup
from kzfeed.net.fetch import Fetcher, FetchLimits, Hop
from kzfeed.net.hosts import HostRule, HostTurns
from kzfeed.net.rhythm import Manners, beside_skipped_hours, regular_wait, turn_in_crowd
from kzfeed.poll import Poller, host_of, next_firing, utc_now
from kzfeed.redact import redacted
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.workers import Workers

SPARE = timedelta(seconds=15)
"""What a poll may take beside fetching and parsing: its host's gap, and the commit."""

FAREWELL = timedelta(seconds=6)
"""How long after a signal the daemon's process ends, whatever it waits for."""
ROUNDING = timedelta(milliseconds=10)
"""Instants are stored in milliseconds."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PollReport:
    """A poll by hand, as it is printed. `outcome` is a poll's, or `skipped` where the source may not be visited now."""

    source: str
    outcome: str
    http_status: int | None = None
    entries: int = 0
    new: int = 0
    revised: int = 0
    error: str | None = None
    error_kind: str | None = None
    duration_ms: int = 0


async def run(settings: Settings, database: Database, *, load: Callable[[], Settings]) -> None:
    """Poll what is due until a signal says to stop; on SIGHUP put in force what `load` reads.

    Raises DatabaseError, also where another daemon has an SQLite database.
    """
    with database.only_daemon():
        apply(settings, database, utc_now())
        async with poller(settings, database) as polls:
            daemon = Daemon(
                polls,
                slots=settings.http.max_connections,
                lease=settings.http.timeout + settings.parse.timeout + SPARE,
                reload=_reloader(settings, database, load),
                on_stop=_end_in_any_case,
            )
            await daemon.run()


def _end_in_any_case() -> None:
    """See to it that the process ends: a thread that waits for a database cannot be called back.

    Nothing is lost by it, for what a transaction had not finished was never there.
    """
    last_resort = threading.Timer(FAREWELL.total_seconds(), os._exit, [0])
    last_resort.daemon = True
    last_resort.start()


def apply(settings: Settings, database: Database, now: datetime) -> None:
    """Make the sources those that are configured; where a rhythm is another now, it counts from the last poll."""
    before = {source.id: source for source in sources.listed(database)}
    sources.configure(database, settings.source_configs(), now, turn=turn_in_crowd)
    manners = _manners(settings)
    for source in sources.listed(database):
        replanned = source.id in before and _replanned(before[source.id], source, manners, now)
        if replanned:
            sources.reschedule(database, source, replanned)


def _replanned(before: Source, after: Source, manners: Manners, now: datetime) -> datetime | None:
    """When the next visit is by the new rhythm, where it is another one and nothing but the old one set the time."""
    polled, planned = after.last_polled_at, after.next_poll_at
    if polled is None or planned is None or _rhythm(before) == _rhythm(after) or before.url != after.url:
        return None
    by_rhythm = polled + regular_wait(before, polled, next_firing(before, polled), manners).length + ROUNDING
    fires_at = next_firing(after, now)
    due = fires_at or polled + max(after.own_wait or timedelta(), regular_wait(after, polled, None, manners).length)
    # What else put it off, a server's wish or failures, still does.
    return beside_skipped_hours(due if planned <= by_rhythm else max(due, planned), after)


def _rhythm(source: Source) -> tuple[object, ...]:
    return source.every, source.auto, source.cron, source.cron and source.timezone


def _reloader(in_force: Settings, database: Database, load: Callable[[], Settings]) -> Callable[[], None]:
    """What SIGHUP does: the sources of a changed file, and a word on what only a restart brings into force."""

    def reload() -> None:
        fresh = load()
        apply(fresh, database, utc_now())
        ours, theirs = (settings.model_dump(exclude={"sources", "defaults", "log"}) for settings in (in_force, fresh))
        waiting = sorted(section for section in ours if ours[section] != theirs[section])
        log.info("configuration read again", origin=fresh.origin, sources=len(fresh.sources))
        if waiting:
            log.warning("these settings changed too, and wait for a restart", sections=waiting)

    return reload


async def poll_once(
    settings: Settings,
    database: Database,
    names: Sequence[str],
    *,
    force: bool,
    on_report: Callable[[PollReport], None] | None = None,
) -> list[PollReport]:
    """Poll the named sources, or all that are configured, once; reports in the order of the sources' names.

    `on_report` hears of each as it ends. A poll that could not be stored is a report of the kind `database`. Raises
    UsageError for a name that is not configured, DatabaseError.
    """
    now = utc_now()
    sources.configure(database, settings.source_configs(), now)
    wanted = [source for source in sources.listed(database, names) if source.enabled]
    if unknown := set(names) - {source.name for source in wanted}:
        known = ", ".join(config.name for config in settings.source_configs()) or "none"
        raise UsageError(
            f"no source {', '.join(sorted(unknown))} is configured in {settings.origin}; there are: {known}"
        )
    slots = asyncio.Semaphore(settings.http.max_connections)
    reports: dict[str, PollReport] = {}

    async with poller(settings, database) as polls:

        async def poll_in_turn(queue: Iterator[Source]) -> None:
            for source in queue:
                async with slots:
                    done = reports[source.name] = await _poll_by_hand(polls, source, force=force)
                if on_report:
                    on_report(done)

        async with asyncio.TaskGroup() as group:
            # One after the other at each host: what the server tells the first of them may be meant for all.
            for host, of_host in groupby(sorted(wanted, key=host_of), key=host_of):
                queue = iter(list(of_host))
                for _ in range(polls.turns.connections(host)):
                    group.create_task(poll_in_turn(queue))
    return [reports[source.name] for source in wanted]


async def _poll_by_hand(polls: Poller, source: Source, *, force: bool) -> PollReport:
    now = polls.clock()
    try:
        reason = None if force else _why_not_now(source, sources.paused_hosts(polls.database, now), now)
        if reason:
            return PollReport(source.name, "skipped", error=reason)
        return _as_report(source, await polls.poll(source))
    except DatabaseError as error:
        return PollReport(source.name, "failed", error=str(error), error_kind="database")


async def check_feed(settings: Settings, url: str, timezone: str | None = None) -> check.FeedReport:
    """Visit a feed once, as a poll would, and say what would become of it. Nothing is stored. Raises UsageError."""
    try:
        values.feed_url(url)
        zone = values.timezone(timezone) if timezone else settings.defaults.timezone
    except ValueError as error:
        raise UsageError(f"expected {error}, found {redacted(timezone or url)!r}") from None
    hops: list[Hop] = []
    visit = Visit(url, trusted_host=urlsplit(url).hostname)
    async with _fetcher(settings) as fetcher, _turns(settings).turn(visit.trusted_host or "") as turn:

        async def on_hop(hop: Hop) -> None:
            hops.append(hop)
            await turn.move_to(hop.host)

        outcome: Outcome = await fetcher.visit(visit, on_hop=on_hop)
    now = utc_now()
    read = None
    if isinstance(outcome, Fetched):
        content_type = outcome.headers.get("content-type")
        document = Document(outcome.body, content_type, outcome.url, zone, now, settings.parse.max_entries)
        try:
            async with _workers(settings) as workers:
                read = await workers.read(document)
        except DocumentError as error:
            outcome = Failed(error.kind, str(error), outcome.status, outcome.headers)
    redirects = [check.Redirect(hop.status, hop.url) for hop in hops]
    return check.report(check.Checking(url, zone, now, _manners(settings)), outcome, redirects, read)


# --- what all of them need -------------------------------------------------------------------------------------------


@asynccontextmanager
async def poller(
    settings: Settings, database: Database, *, clock: Callable[[], datetime] = utc_now, lookup: Lookup = system_lookup
) -> AsyncIterator[Poller]:
    """What polls need, by the settings."""
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:
        async with _fetcher(settings, lookup) as fetcher, _workers(settings) as workers:
            yield Poller(
                fetcher=fetcher,
                workers=workers,
                database=database,
                turns=_turns(settings),
                manners=_manners(settings),
                writer=writer,
                max_entries=settings.parse.max_entries,
                clock=clock,
            )


def _fetcher(settings: Settings, lookup: Lookup = system_lookup) -> Fetcher:
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
    return Fetcher(user_agent=user_agent, limits=limits, max_connections=http.max_connections, lookup=lookup)


def _workers(settings: Settings) -> Workers:
    return Workers(timeout=settings.parse.timeout, memory=settings.parse.memory)


def _turns(settings: Settings) -> HostTurns:
    gap = settings.http.host_gap
    rules = {
        host: HostRule(gap if each.gap is None else each.gap, each.connections) for host, each in settings.hosts.items()
    }
    return HostTurns(gap, rules)


def _manners(settings: Settings) -> Manners:
    return Manners(min_interval=settings.http.min_interval, max_interval=settings.http.max_interval)


def _why_not_now(source: Source, paused: dict[str, datetime], now: datetime) -> str | None:
    if source.status == "gone":
        return f"retired: {source.last_error}"
    pauses = [pause for pause in (source.not_before, paused.get(host_of(source))) if pause and pause > now]
    return f"its server asked to be left alone until {max(pauses):%Y-%m-%d %H:%M:%S} UTC" if pauses else None


def _as_report(source: Source, poll: Poll) -> PollReport:
    return PollReport(
        source=source.name,
        outcome=poll.outcome,
        http_status=poll.http_status,
        entries=poll.entries,
        new=poll.new_articles,
        revised=poll.revised_articles,
        error=poll.error,
        error_kind=poll.error_kind,
        duration_ms=round(poll.duration.total_seconds() * 1000),
    )
