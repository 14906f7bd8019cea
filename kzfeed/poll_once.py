"""Every source, or those named, polled once: what `kzfeed poll` does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from kzfeed.batching import Batcher
from kzfeed.config.settings import Settings
from kzfeed.errors import DatabaseError, UsageError
from kzfeed.hosts import host_of
from kzfeed.model import Poll, Source
from kzfeed.poll import Poller, utc_now
from kzfeed.store import host_pauses, sources
from kzfeed.store.engine import Database
from kzfeed.wiring import poller


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
    sources.configure(database, settings.source_configs(), utc_now())
    wanted = sources.hosts_by_name(database, names)
    if unknown := set(names) - wanted.keys():
        known = ", ".join(config.name for config in settings.source_configs()) or "none"
        raise UsageError(
            f"no source {', '.join(sorted(unknown))} is configured in {settings.origin}; there are: {known}"
        )
    slots = asyncio.Semaphore(settings.http.max_connections)
    reports: dict[str, PollReport] = {}

    async with poller(settings, database) as polls, _as_they_are(polls, force=force) as present:

        async def poll_queue(queue: Iterable[str]) -> None:
            for name in queue:
                async with slots:
                    done = reports[name] = await _poll_by_hand(polls, name, present)
                if on_report:
                    on_report(done)

        async with asyncio.TaskGroup() as group:
            # One after the other at each host: what the server tells the first of them may be meant for all.
            for host, of_host in groupby(sorted(wanted, key=wanted.__getitem__), key=wanted.__getitem__):
                queue = iter(list(of_host))
                for _ in range(polls.host_queues.connections(host)):
                    group.create_task(poll_queue(queue))
    return [reports[name] for name in wanted]


Present = Source | str
"""A source as it is now, or why it may not be visited."""


@asynccontextmanager
async def _as_they_are(polls: Poller, *, force: bool) -> AsyncIterator[Batcher[str, Present]]:
    """How sources stand, by name, when their turn comes: a daemon may have visited them since they were listed."""

    def look_up(names: Sequence[str]) -> list[Present | Exception]:
        now = polls.clock()
        paused = host_pauses.paused_hosts(polls.database, now)
        found = {source.name: source for source in sources.load(polls.database, names)}
        return [_present(found.get(name), paused, now, force=force) for name in names]

    with ThreadPoolExecutor(1, thread_name_prefix="present") as thread:
        async with Batcher[str, Present](look_up, thread) as present:
            yield present


async def _poll_by_hand(polls: Poller, name: str, present: Batcher[str, Present]) -> PollReport:
    try:
        as_it_is = await present.ask(name)
        if isinstance(as_it_is, str):
            return PollReport(name, "skipped", error=as_it_is)
        return _as_report(as_it_is, await polls.poll(as_it_is))
    except DatabaseError as error:
        return PollReport(name, "failed", error=str(error), error_kind="database")


def _present(source: Source | None, paused: dict[str, datetime], now: datetime, *, force: bool) -> Present:
    """The source, if it may be visited; `force` overrules its server's wishes."""
    if source is None or source.status == "removed" or not source.enabled:
        return "no longer configured"
    if force:
        return source
    if source.status == "gone":
        return f"retired: {source.last_error}"
    pauses = [pause for pause in (source.not_before, paused.get(host_of(source.url))) if pause and pause > now]
    return f"its server asked to be left alone until {max(pauses):%Y-%m-%d %H:%M:%S} UTC" if pauses else source


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
        duration_ms=poll.duration_ms,
    )
