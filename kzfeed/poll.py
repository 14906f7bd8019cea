"""One source, one poll: fetch, read, settle, commit, written once for the daemon and for polls by hand.

A poll always ends in a record: whatever fails costs this poll and nothing else.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog

from kzfeed.document import Document, Read
from kzfeed.errors import DocumentError
from kzfeed.model import Article, Failed, Feed, Fetched, NotModified, Outcome, Poll, Source, Visit
from kzfeed.net.fetch import Fetcher
from kzfeed.net.hosts import HostTurns
from kzfeed.net.politeness import Manners, settle
from kzfeed.store.archive import commit_poll
from kzfeed.store.engine import Database
from kzfeed.workers import Workers

log = structlog.get_logger()


def utc_now() -> datetime:
    """The clock at the edge."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Poller:
    """What the polls of one process share: network, database, host turns, and where time and chance come from.

    `writer` is where commits run: one thread, since there is one writer at a time anyway.
    """

    fetcher: Fetcher
    database: Database
    turns: HostTurns
    manners: Manners
    workers: Workers
    writer: Executor
    max_entries: int = 5000
    clock: Callable[[], datetime] = utc_now
    chance: Callable[[], float] = field(default=random.random)

    async def poll(self, source: Source) -> Poll:
        """Visit the source when its host's turn comes, and write down what came of it.

        Raises DatabaseError where even the record could not be written: then the source is as it was before.
        """
        async with self.turns.turn(host_of(source)):
            started = self.clock()
            visit = Visit(source.url, validators=source.validators, trusted_host=host_of(source))
            outcome = await self.fetcher.visit(visit)
        feed: Feed | None = None
        articles: tuple[Article, ...] = ()
        body_hash = None
        if isinstance(outcome, Fetched):
            body_hash = hashlib.sha256(outcome.body).hexdigest()
            if body_hash != source.body_hash:
                try:
                    feed, articles = await self._read(source, outcome)
                except DocumentError as error:
                    outcome = Failed(error.kind, str(error), status=outcome.status, headers=outcome.headers)
        now = self.clock()
        settled = settle(
            source,
            outcome,
            feed,
            now=now,
            regular=regular_visit(source, now),
            body_hash=body_hash,
            manners=self.manners,
            jitter=self.chance(),
        )
        record = _record(source, outcome, feed, started, now)
        commit = partial(commit_poll, self.database, settled.source, record, articles, pause=settled.host_pause)
        # To the end, also when the daemon is told to stop: a thread cannot be called back.
        record = await asyncio.shield(asyncio.get_running_loop().run_in_executor(self.writer, commit))
        _report(source, record, settled.source, feed)
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
        return await self.workers.read(document)


def regular_visit(source: Source, now: datetime) -> datetime:
    """When the source's own rhythm, interval or cron expression, brings the next visit after `now`."""
    if source.cron is None:
        return now + source.every
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab(source.cron, timezone=ZoneInfo(source.timezone or "UTC"))
    upcoming = trigger.get_next_fire_time(None, now + timedelta(seconds=1))
    return upcoming.astimezone(UTC) if upcoming else now + source.every


def host_of(source: Source) -> str:
    """The host that the operator configured for the source."""
    return urlsplit(source.url).hostname or ""


def _record(source: Source, outcome: Outcome, feed: Feed | None, started: datetime, now: datetime) -> Poll:
    """The poll as far as it is known before the commit, which says whether anything was new."""
    poll = Poll(source_id=source.id, started_at=started, duration=now - started, outcome="unchanged")
    match outcome:
        case Failed():
            kind, error = outcome.kind, outcome.error
            return replace(poll, outcome="failed", http_status=outcome.status, error_kind=kind, error=error)
        case NotModified():
            return replace(poll, outcome="not-modified", http_status=outcome.status)
        case Fetched():
            entries = len(feed.entries) if feed else 0
            return replace(poll, http_status=outcome.status, body_bytes=len(outcome.body), entries=entries)


def _report(source: Source, poll: Poll, after: Source, feed: Feed | None) -> None:
    """One event a poll."""
    event = log.bind(
        source=source.name,
        outcome=poll.outcome,
        http_status=poll.http_status,
        entries=poll.entries,
        new=poll.new_articles,
        revised=poll.revised_articles,
        duration_ms=round(poll.duration.total_seconds() * 1000),
    )
    if feed and feed.flaw:
        event = event.bind(flaw=feed.flaw)
    if poll.outcome == "failed":
        event.warning("poll", error_kind=poll.error_kind, error=poll.error, failures=after.failure_count)
    else:
        event.info("poll")
