"""One source, one poll: fetch, read, settle, commit, written once for the daemon and for polls by hand.

A poll always ends in a record: whatever fails costs this poll and nothing else.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from kzfeed.article.change import overlap
from kzfeed.batches import Batches
from kzfeed.errors import DocumentError, UsageError
from kzfeed.fetch.client import Fetcher
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.hosts import host_of
from kzfeed.model import (
    Article,
    Document,
    Failed,
    Feed,
    Fetched,
    NotModified,
    Outcome,
    Overlap,
    Poll,
    Read,
    Shown,
    Source,
)
from kzfeed.sandbox.pool import Workers
from kzfeed.schedule import cron
from kzfeed.schedule.explain import explain, poll_line
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.policy import settle, unreadable, visit_to
from kzfeed.store import host_pauses, sources
from kzfeed.store.commit import PollCommit
from kzfeed.store.engine import Database
from kzfeed.store.queries import last_polls

log = structlog.get_logger()


def utc_now() -> datetime:
    """The clock at the edge."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Poller:
    """What the polls of one process share: network, database, host queues, and where time and chance come from.

    `commits` and `windows` are the ways into the store and out of it. `reader` is the thread in which a harmless
    document is read that comes alone.
    """

    fetcher: Fetcher
    database: Database
    host_queues: HostQueues
    bounds: IntervalBounds
    workers: Workers
    commits: Batches[PollCommit, Poll]
    windows: Batches[Source, list[Shown]]
    reader: Executor
    reading_here: asyncio.Lock = field(default_factory=asyncio.Lock)
    max_entries: int = 5000
    clock: Callable[[], datetime] = utc_now
    chance: Callable[[], float] = field(default=random.random)

    async def poll(self, source: Source) -> Poll:
        """Visit the source when its host's turn comes, and write down what came of it.

        Raises DatabaseError where even the record could not be written: then the source is as it was before.
        """
        async with self.host_queues.slot(host_of(source.url)) as slot:
            started = self.clock()
            outcome = await self.fetcher.visit(visit_to(source), on_hop=lambda hop: slot.move_to(hop.host))
        feed: Feed | None = None
        articles: tuple[Article, ...] = ()
        body_hash = None
        if isinstance(outcome, Fetched):
            body_hash = hashlib.sha256(outcome.body).hexdigest()
            if body_hash != source.body_hash:
                try:
                    feed, articles = await self._read(source, outcome)
                except DocumentError as error:
                    outcome = unreadable(source, outcome, error.kind, str(error))
        now = self.clock()
        window = await self._overlap(source, feed, articles, now) if feed else None
        settled = settle(
            source,
            outcome,
            feed,
            window,
            now=now,
            fires_at=next_firing(source, now),
            body_hash=body_hash,
            bounds=self.bounds,
            jitter=self.chance(),
        )
        record = _record(source, outcome, feed, started, now)
        commit = PollCommit(
            settled.source,
            record,
            articles,
            before=source,
            overlap=window or Overlap(),
            pause=settled.host_pause,
            paused_host=settled.paused_host,
        )
        del outcome  # while the commit waits for its turn, nobody needs the document any more
        record = await self.commits.ask(commit)
        _report(source, record, settled.source, feed, window)
        return record

    async def _read(self, source: Source, fetched: Fetched) -> Read:
        document = Document(
            body=fetched.body,
            content_type=fetched.headers.get("content-type"),
            url=fetched.url,
            timezone=source.timezone,
            now=self.clock(),
            max_entries=self.max_entries,
        )
        # Where documents come in crowds, reading is for the other cores: a busy thread would hold up all that is here.
        if self.workers.are_idle and not self.reading_here.locked():
            async with self.reading_here:
                reading = asyncio.get_running_loop().run_in_executor(self.reader, _read_harmless, document)
                if harmless := await reading:
                    return harmless
        return await self.workers.read(document)

    async def _overlap(self, source: Source, feed: Feed, articles: Sequence[Article], now: datetime) -> Overlap:
        before = await self.windows.ask(source) if source.last_document_at else []
        whole = not feed.cut_off and not feed.dropped
        return overlap(before, articles, before_at=source.last_document_at, now=now, whole=whole)


def _read_harmless(document: Document) -> Read | None:
    # Where nothing is new, no document is read, and what reads it takes a while to import.
    from kzfeed.sandbox.document import read_harmless

    return read_harmless(document)


@dataclass(frozen=True, slots=True)
class Explained:
    """Why the next poll of a source is when it is, in sentences, and what its last polls did, as rows and as lines."""

    source: Source
    why: list[str]
    polls: list[dict[str, Any]]
    poll_lines: list[str]


def explain_source(database: Database, name: str, now: datetime) -> Explained:
    """What is known of the source of this name. Raises UsageError where there is none."""
    found = sources.load(database, [name])
    if not found:
        known = ", ".join(source.name for source in sources.load(database)) or "none"
        raise UsageError(f"no source {name!r} has an address in this database; there are: {known}")
    paused_until = host_pauses.paused_hosts(database, now).get(host_of(found[0].url))
    polls = last_polls(database, found[0].id)
    return Explained(found[0], explain(found[0], paused_until, now), polls, list(map(poll_line, polls)))


def next_firing(source: Source, now: datetime) -> datetime | None:
    """When the cron expression of the source fires next after `now`; None where it has none, or never fires again."""
    if source.cron is None:
        return None
    return cron.next_firing(source.cron, source.timezone or "UTC", now)


def _record(source: Source, outcome: Outcome, feed: Feed | None, started: datetime, now: datetime) -> Poll:
    """The poll as far as it is known before the commit, which says whether anything was new."""
    record = partial(Poll, source.id, started, now - started, http_status=outcome.status)
    match outcome:
        case Failed():
            return record(outcome="failed", error_kind=outcome.kind, error=outcome.error)
        case NotModified():
            return record(outcome="not-modified")
        case Fetched():
            entries = len(feed.entries) if feed else 0
            return record(outcome="unchanged", body_bytes=len(outcome.body), entries=entries)


def _report(source: Source, poll: Poll, after: Source, feed: Feed | None, window: Overlap | None) -> None:
    """One event a poll, and one a gap: that is what somebody should look at."""
    event = log.bind(
        source=source.name,
        outcome=poll.outcome,
        http_status=poll.http_status,
        entries=poll.entries,
        new=poll.new_articles,
        revised=poll.revised_articles,
        duration_ms=poll.duration_ms,
    )
    if feed and feed.flaw:
        event = event.bind(flaw=feed.flaw)
    if poll.outcome == "failed":
        event.warning("poll", error_kind=poll.error_kind, error=poll.error, failures=after.failure_count)
    else:
        event.info("poll")
    if window and window.gap:
        log.warning("gap", source=source.name, from_at=window.gap.from_at, to_at=window.gap.to_at)
    if after.url != source.url:
        log.warning("moved", source=source.name, from_url=source.url, to_url=after.url)
    if after.status == "gone" and source.status != "gone":
        log.error("retired, its articles are kept", source=source.name, error=after.last_error)
