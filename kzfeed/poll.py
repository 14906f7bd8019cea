"""One poll of one source: fetch, read, compare, decide the next state, commit.

Every poll that can be stored ends in a record. A failed poll affects no other poll.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import structlog

from kzfeed.article.build import key_of_article
from kzfeed.article.window import compare_windows, filtered_entries
from kzfeed.batching import Batcher
from kzfeed.clock import utc_now
from kzfeed.errors import ClaimExpired, DocumentError
from kzfeed.fetch.client import Fetcher, Hop
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.hosts import host_of
from kzfeed.model.articles import Article, Document, Feed, ParsedDocument, WindowComparison, WindowEntry
from kzfeed.model.filters import FilterResult, Filters
from kzfeed.model.polls import Failed, Fetched, NotModified, Outcome, Poll, Source
from kzfeed.sandbox.pool import Workers
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.policy import Circumstances, VisitResult, flaw_of, next_state, next_visit, parse_failure
from kzfeed.store.commit import PollCommit
from kzfeed.store.engine import Database
from kzfeed.store.windows import archived_keys
from kzfeed.text import joined_flaws

Judge = Callable[[Source, VisitResult], VisitResult]
"""Returns the result of a visit, in an outage of this machine with the failure as one of the kind `offline`."""

READING_PLACES = 16
"""How many documents may wait for the reading thread. A worker takes longer to start than these take to be read."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Poller:
    """What all polls of a process share.

    `windows` reads the last windows of sources (`store.windows.last_windows`), `commits` writes polls
    (`store.commit.commit_polls`), both in batches. `reading_thread` reads harmless documents; a document takes one of
    `reading_places` while it waits for that thread.
    """

    fetcher: Fetcher
    database: Database
    host_queues: HostQueues
    bounds: IntervalBounds
    workers: Workers
    commits: Batcher[PollCommit, Poll]
    windows: Batcher[Source, list[WindowEntry]]
    reading_thread: Executor
    reading_places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READING_PLACES))
    max_entries: int = 5000
    clock: Callable[[], datetime] = utc_now
    random: Callable[[], float] = field(default=random.random)

    async def poll(
        self,
        source: Source,
        *,
        is_claimed: Callable[[], bool] = lambda: True,
        judge: Judge = lambda source, visit: visit,
    ) -> Poll:
        """Visit the source and commit what the visit brought. Waits for a slot at its host.

        Raises ClaimExpired if the claim has expired before a request, or before a commit without articles, and
        DatabaseError if the poll cannot be committed: then the source is unchanged.
        """
        commit = await self._visit(source, is_claimed, judge)
        # The document is not held any more: it is large, and the commit may have to wait.
        record = await self.commits.ask(commit)
        _log_poll(source, record, commit.source, commit.window)
        return record

    async def _visit(self, source: Source, is_claimed: Callable[[], bool], judge: Judge) -> PollCommit:
        """Visit the source, and decide what to store of the visit."""
        started, outcome = await self._fetch(source, is_claimed)
        visit, articles = await self._read(source, outcome)
        # Articles are stored whoever has the claim: a later visit might not show them any more.
        if not articles.kept:
            _require_claim(source, is_claimed)
        visit = judge(source, visit)
        now = self.clock()
        filtered: list[WindowEntry] = []
        if visit.feed:
            before = await self.windows.ask(source) if source.window_at else []
            visit = replace(visit, window=_compared(source, visit.feed, before, articles.shown, now))
            filtered = filtered_entries(articles.shown, articles.filtered, before, now)
        after = next_state(source, visit, Circumstances(now, self.bounds, self.random()))
        return PollCommit(
            after.source,
            replace(_record(source, visit, started, now), filtered=len(articles.filtered)),
            articles.kept,
            filtered,
            before=source,
            window=visit.window or WindowComparison(),
            pause=after.host_pause,
            paused_host=after.paused_host,
        )

    async def _fetch(self, source: Source, is_claimed: Callable[[], bool]) -> tuple[datetime, Outcome]:
        async def follow(hop: Hop) -> None:
            await slot.move_to(hop.host)
            _require_claim(source, is_claimed)

        async with self.host_queues.slot(host_of(source.url)) as slot:
            _require_claim(source, is_claimed)
            started = self.clock()
            return started, await self.fetcher.visit(next_visit(source), on_hop=follow)

    async def _read(self, source: Source, outcome: Outcome) -> tuple[VisitResult, FilterResult]:
        """The feed and the filtered articles of a fetched document, unless it has the same bytes as the last one."""
        if not isinstance(outcome, Fetched):
            return VisitResult(outcome), FilterResult()
        body_hash = hashlib.sha256(outcome.body).hexdigest()
        if body_hash == source.body_hash:
            return VisitResult(outcome, body_hash=body_hash), FilterResult()
        document = Document(
            body=outcome.body,
            content_type=outcome.headers.get("content-type"),
            url=outcome.url,
            timezone=source.timezone,
            now=self.clock(),
            max_entries=self.max_entries,
            reading=source.reading,
        )
        try:
            feed, read = await self._read_document(document)
            articles = await _filtered(read, source.filters)
            if feed.dropped and (source.last_document_at or articles.filtered):
                # Of a document with too many entries, those come first that are neither archived nor filtered out.
                archived = await asyncio.to_thread(archived_keys, self.database, source.id)
                archived |= set(map(key_of_article, articles.filtered))
                feed, read = await self.workers.read(replace(document, archived=archived))
                articles = await _filtered(read, source.filters)
        except DocumentError as error:
            failure = parse_failure(source, outcome, error.kind, str(error))
            return VisitResult(failure, body_hash=body_hash), FilterResult()
        if articles.flaw:
            feed = replace(feed, flaw=joined_flaws(feed.flaw, articles.flaw))
        return VisitResult(outcome, feed, body_hash=body_hash), articles

    async def _read_document(self, document: Document) -> ParsedDocument:
        # Many documents at once are read by the workers, on the other cores: a busy thread would hold up all polls.
        if self.workers.are_idle and not self.reading_places.locked():
            async with self.reading_places:
                reading = asyncio.get_running_loop().run_in_executor(self.reading_thread, _read_if_harmless, document)
                if harmless := await reading:
                    return harmless
        return await self.workers.read(document)


def _require_claim(source: Source, is_claimed: Callable[[], bool]) -> None:
    if not is_claimed():
        raise ClaimExpired(f"the claim on {source.name} has expired: the source is left to other daemons")


def _compared(
    source: Source, feed: Feed, before: Sequence[WindowEntry], articles: Sequence[Article], now: datetime
) -> WindowComparison:
    """Compare the window of the source with the last one."""
    whole = not (feed.cut_off or feed.dropped or feed.skipped)
    return compare_windows(before, articles, before_at=source.window_at, now=now, whole=whole)


async def _filtered(articles: tuple[Article, ...], filters: Filters) -> FilterResult:
    if not filters:
        return FilterResult(articles, articles)
    # Imported late: a process without filters does not need regular expressions with a time limit.
    from kzfeed.article.filters import apply_filters

    # In a thread, so that other polls go on between two searches.
    return await asyncio.to_thread(apply_filters, articles, filters, time.thread_time)


def _read_if_harmless(document: Document) -> ParsedDocument | None:
    # Imported late: it takes a while, and a process whose polls bring nothing new does not need it.
    from kzfeed.sandbox.document_reader import read_if_harmless

    return read_if_harmless(document)


def _record(source: Source, visit: VisitResult, started: datetime, ended: datetime) -> Poll:
    """The record of a poll before the commit, which finds out whether anything is new."""
    record = partial(Poll, source.id, started, ended - started, http_status=visit.outcome.status)
    match visit.outcome:
        case Failed() as failed:
            return record(outcome="failed", error_kind=failed.kind, error=failed.error)
        case NotModified():
            return record(outcome="not-modified")
        case Fetched() as fetched:
            entries = len(visit.feed.entries) if visit.feed else 0
            flaw = flaw_of(source, visit)
            return record(outcome="unchanged", body_bytes=len(fetched.body), entries=entries, flaw=flaw)


def _log_poll(source: Source, poll: Poll, after: Source, window: WindowComparison) -> None:
    """Log one event for the poll, and one for each change that an operator should know of.

    A poll without news, and each further failure of a row, are events for debugging.
    """
    event = log.bind(
        source=source.name,
        outcome=poll.outcome,
        http_status=poll.http_status,
        entries=poll.entries,
        new=poll.new_articles,
        revised=poll.revised_articles,
        filtered=poll.filtered,
        duration_ms=poll.duration_ms,
    )
    if poll.flaw:
        event = event.bind(flaw=poll.flaw)
    if poll.outcome == "failed":
        is_ours = poll.error_kind == "offline"
        is_further = source.status != "active" if is_ours else source.failing_since is not None
        log_it = event.debug if is_further else event.info if is_ours else event.warning
        log_it("poll", error_kind=poll.error_kind, error=poll.error, failures=after.failure_count)
    elif poll.outcome == "new" or after.flaw != source.flaw:
        event.info("poll")
    else:
        event.debug("poll")
    if gap := window.gap:
        log.warning("gap", source=source.name, from_at=gap.from_at, to_at=gap.to_at)
    if after.url != source.url:
        log.warning("moved", source=source.name, from_url=source.url, to_url=after.url)
    if after.status == "gone" and source.status != "gone":
        log.error("source retired, its articles are kept", source=source.name, error=after.last_error)
    if after.status == "active" and source.failing_since:
        name = "source back" if source.status == "gone" else "recovered"
        log.info(name, source=source.name, failing_since=source.failing_since, failures=source.failure_count)
