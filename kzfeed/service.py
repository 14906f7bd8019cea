"""The settings put to work: from one frozen Settings and a database to polls by hand or a daemon that runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from kzfeed import __version__
from kzfeed.config import Settings
from kzfeed.daemon import Daemon
from kzfeed.errors import DatabaseError, UsageError
from kzfeed.model import Poll, Source
from kzfeed.net.fetch import Fetcher, FetchLimits
from kzfeed.net.hosts import HostTurns
from kzfeed.net.politeness import Manners
from kzfeed.poll import Poller, host_of, utc_now
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.workers import Workers

SPARE = timedelta(seconds=15)
"""What a poll may take beside fetching and parsing: its host's gap, and the commit."""


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


async def run(settings: Settings, database: Database) -> None:
    """Poll what is due until a signal says to stop."""
    sources.configure(database, settings.source_configs(), utc_now())
    lease = settings.http.timeout + settings.parse.timeout + SPARE
    async with _poller(settings, database) as poller:
        await Daemon(poller, slots=settings.http.max_connections, lease=lease).run()


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
    paused = sources.paused_hosts(database, now)
    slots = asyncio.Semaphore(settings.http.max_connections)

    async with _poller(settings, database) as poller:

        async def report(source: Source) -> PollReport:
            reason = None if force else _why_not_now(source, paused, now)
            if reason:
                done = PollReport(source.name, "skipped", error=reason)
            else:
                async with slots:
                    try:
                        done = _as_report(source, await poller.poll(source))
                    except DatabaseError as error:
                        done = PollReport(source.name, "failed", error=str(error), error_kind="database")
            if on_report:
                on_report(done)
            return done

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(report(source)) for source in wanted]
    return [task.result() for task in tasks]


@asynccontextmanager
async def _poller(settings: Settings, database: Database) -> AsyncIterator[Poller]:
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
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:
        async with (
            Fetcher(user_agent=user_agent, limits=limits, max_connections=http.max_connections) as fetcher,
            Workers(timeout=settings.parse.timeout, memory=settings.parse.memory) as workers,
        ):
            yield Poller(
                fetcher=fetcher,
                workers=workers,
                database=database,
                turns=HostTurns(http.host_gap),
                manners=Manners(min_interval=http.min_interval),
                writer=writer,
                max_entries=settings.parse.max_entries,
            )


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
