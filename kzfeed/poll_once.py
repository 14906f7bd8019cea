"""The command `kzfeed poll`: polls all sources, or the named ones, once."""

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from kzfeed.batching import Batcher
from kzfeed.clock import utc_now
from kzfeed.config.settings import Settings
from kzfeed.errors import DatabaseError, UsageError
from kzfeed.hosts import host_of
from kzfeed.instants import moment
from kzfeed.model.pages import DuePage, PageCounts, PageRecord
from kzfeed.model.polls import Poll, Source
from kzfeed.poll import Poller
from kzfeed.schedule.permission import pause_end, why_not_polled
from kzfeed.source_names import unknown_source
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.store.queue import host_pauses
from kzfeed.store.queue.page_queue import count_pages
from kzfeed.text import failure_text
from kzfeed.wiring import open_page_fetcher, open_poller, page_slots, usable_connections

OnPage = Callable[[DuePage, PageRecord], None]


@dataclass(frozen=True, slots=True)
class PollReport:
    """What `kzfeed poll` prints for a source; its fields are those of `--json`.

    `outcome` is that of the poll, or `skipped` where none was allowed.
    """

    source: str
    outcome: str
    http_status: int | None = None
    entries: int = 0
    new: int = 0
    revised: int = 0
    filtered: int = 0
    error: str | None = None
    error_kind: str | None = None
    duration_ms: int = 0
    flaw: str | None = None
    pages: PageCounts | None = None
    """What became of the pages of its articles, and how many wait; None where the text of the feed is archived."""


async def poll_once(
    settings: Settings,
    database: Database,
    names: Sequence[str],
    *,
    force: bool,
    on_report: Callable[[PollReport, int], None] | None = None,
    on_page: OnPage = lambda page, record: None,
) -> list[PollReport]:
    """Poll the named sources once, or all of the configuration; reports in the order of the sources' names.

    Then the pages of the articles are fetched that are due, for the sources that want them.

    Adds the sources of the configuration to the database and removes none. Where the configuration names no sources,
    those of the database are polled. `on_report` is called with each report and the number of all polls as soon as the
    poll has ended. A poll that could not be stored is reported with the error kind `database`. Raises UsageError for a
    name that no source has, and DatabaseError.
    """
    wanted = _wanted(settings, database, names)
    connections = usable_connections(settings)
    slots = asyncio.Semaphore(connections)
    reports: dict[str, PollReport] = {}

    async with open_poller(settings, database) as poller, _current_sources(poller, force=force) as current:

        async def poll_queue(queue: Iterable[str]) -> None:
            for name in queue:
                async with slots:
                    done = reports[name] = await _poll_source(poller, name, current)
                if on_report:
                    on_report(done, len(wanted))

        async with asyncio.TaskGroup() as group:
            # The sources of a host are polled one after another: the answer to the first may pause the whole host.
            for host, of_host in groupby(sorted(wanted, key=wanted.__getitem__), key=wanted.__getitem__):
                queue = iter(list(of_host))
                for _ in range(poller.host_queues.connections(host)):
                    group.create_task(poll_queue(queue))
        reports |= await _with_pages(settings, poller, reports, page_slots(connections), on_page)
    return [reports[name] for name in wanted]


async def _with_pages(
    settings: Settings, poller: Poller, reports: Mapping[str, PollReport], slots: int, on_page: OnPage
) -> dict[str, PollReport]:
    """The reports of sources that want pages, after those that are due have been fetched, `slots` at a time."""
    wanting = [name for name, report in reports.items() if report.pages is not None]
    if not wanting:
        return {}
    # Imported late: most polls want no pages.
    from kzfeed.jobs.page_fetches import PageFetchJob

    ids = {source.name: source.id for source in await asyncio.to_thread(sources.load, poller.database, wanting)}
    counts: dict[str, Counter[str]] = {name: Counter() for name in ids}

    def count(page: DuePage, record: PageRecord) -> None:
        counts[page.source_name][record.outcome] += 1
        on_page(page, record)

    async with open_page_fetcher(settings, poller) as page_fetcher:
        owner = f"poll:{os.getpid()}:{secrets.token_hex(4)}"
        await PageFetchJob(page_fetcher, owner, slots, source_ids=list(ids.values()), on_page=count).run_to_end()
    with_pages = {}
    for name, source_id in ids.items():
        left = await asyncio.to_thread(count_pages, poller.database, [source_id])
        done = PageCounts(**counts[name], waiting=left.waiting, next_try_at=left.next_try_at)
        with_pages[name] = replace(reports[name], pages=done)
    return with_pages


def _wanted(settings: Settings, database: Database, names: Sequence[str]) -> dict[str, str]:
    """The sources to poll, each with its host. Raises UsageError for a name that no source has."""
    if settings.names_sources:
        sources.add(database, settings.source_configs(), utc_now())
    else:
        sources.add_first(database, settings.source_configs(), utc_now())
    stored = sources.hosts_by_name(database)
    disabled = {source.name for source in settings.sources if not source.enabled}
    if not_polled := sorted(set(names) & disabled):
        raise UsageError(f"disabled, so not polled (see `kzfeed sources enable`): {', '.join(not_polled)}")
    if unknown := sorted(set(names) - stored.keys()):
        raise unknown_source(unknown[0], stored, f"is configured in {settings.origin} or in the database")
    if names:
        chosen = set(names)
    elif settings.names_sources:
        chosen = {source.name for source in settings.sources}
    else:
        chosen = set(stored)
    return {name: host for name, host in stored.items() if name in chosen}


SourceOrReason = Source | str
"""A source as it is in the database, or the reason why it may not be polled."""


@asynccontextmanager
async def _current_sources(poller: Poller, *, force: bool) -> AsyncIterator[Batcher[str, SourceOrReason]]:
    """Sources by name, read just before their polls: a daemon may have polled them since they were listed."""

    def look_up(names: Sequence[str]) -> list[SourceOrReason | Exception]:
        now = poller.clock()
        paused = host_pauses.paused_hosts(poller.database, now)
        found = {source.name: source for source in sources.load(poller.database, names)}
        return [_allowed(found.get(name), paused, now, force=force) for name in names]

    with ThreadPoolExecutor(1, thread_name_prefix="sources") as thread:
        async with Batcher[str, SourceOrReason](look_up, thread) as current:
            yield current


async def _poll_source(poller: Poller, name: str, current: Batcher[str, SourceOrReason]) -> PollReport:
    try:
        source = await current.ask(name)
        if isinstance(source, str):
            return PollReport(name, "skipped", error=source)
        return _report(source, await poller.poll(source))
    except DatabaseError as error:
        return PollReport(name, "failed", error=str(error), error_kind="database")


def _allowed(source: Source | None, paused: dict[str, datetime], now: datetime, *, force: bool) -> SourceOrReason:
    """The source, if it may be polled now. `force` overrules what its server asked for."""
    if source is None or (retired := why_not_polled(source)) == "removed":
        return "no longer configured"
    if retired == "disabled":
        return "disabled in the configuration"
    if force:
        return source
    if retired:
        return f"retired: {failure_text(source.last_error_kind, source.last_error)}"
    until = pause_end(source, paused.get(host_of(source.url)), now)
    return f"its server asked to be left alone until {moment(until)}" if until else source


def _report(source: Source, poll: Poll) -> PollReport:
    return PollReport(
        source=source.name,
        outcome=poll.outcome,
        http_status=poll.http_status,
        entries=poll.entries,
        new=poll.new_articles,
        revised=poll.revised_articles,
        filtered=poll.filtered,
        error=poll.error,
        error_kind=poll.error_kind,
        duration_ms=poll.duration_ms,
        flaw=poll.flaw,
        pages=PageCounts() if source.full_text else None,
    )
