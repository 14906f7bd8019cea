"""Visits the synthetic publishers in virtual time: by the policy that the daemon obeys, or every hour come what may."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.simulation.world import Answer, Publisher
from kzfeed.model.articles import Feed, Gap, WindowComparison
from kzfeed.model.polls import Failed, Fetched, NotModified, Outcome, Source
from kzfeed.schedule.interval import IntervalBounds, stable_offset
from kzfeed.schedule.policy import Circumstances, VisitResult, next_state, next_visit

START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Record:
    """What came of visiting one publisher. `missed` are the numbers of entries that no visit saw in time.

    `delays` are in seconds, from publication to archive, of what was published after the first visit.
    """

    requests: int = 0
    refused: int = 0
    documents: int = 0
    gaps: int = 0
    missed: set[int] = field(default_factory=set)
    delays: list[float] = field(default_factory=list)
    _seen: int | None = None

    def see(self, publisher: Publisher, end: int, now: float) -> tuple[int, int]:
        """The feed was read while it had `end` entries; how many of its window were there before, and its size."""
        first = publisher.first(end)
        before = self._seen
        if before is not None:
            self.missed.update(range(before, first))
            self.delays += [now - publisher.published[number] for number in range(max(before, first), end)]
        self._seen = end
        return max(0, (before or 0) - first), end - first

    def close(self, publisher: Publisher, until: float) -> "Record":
        """The end: what has left the window since the last look is missed too."""
        if self._seen is not None:
            self.missed.update(range(self._seen, publisher.first(publisher.end(until))))
        return self


Visitor = Callable[[Publisher, float], Record]


def every(interval: float, *, refused: bool = True) -> Visitor:
    """At a fixed interval, whatever the server says; with conditional requests at least. Or as if it refused nobody."""

    def visit(publisher: Publisher, until: float) -> Record:
        record, known, last = Record(), None, None
        now = interval * stable_offset(publisher.name)
        while now < until:
            answer = publisher.answer(now, last if refused else None, known)
            last = now
            record.requests += 1
            record.refused += answer.status == 429
            if answer.status == 200:
                record.documents += 1
                known = answer.end
                record.see(publisher, answer.end, now)
            now += interval
        return record.close(publisher, until)

    return visit


def politely(bounds: IntervalBounds, *, auto: bool, start: timedelta = timedelta(hours=1)) -> Visitor:
    """As kzfeed does, with the first visit at the source's own place within the interval that it begins with."""

    def visit(publisher: Publisher, until: float) -> Record:
        source = Source(1, publisher.name, "https://feed.example/", every=start, auto=auto)
        chance, record, last = Random(publisher.name), Record(), None
        now = start.total_seconds() * stable_offset(publisher.name)
        while now < until:
            vouched = next_visit(source).validators
            known = int(vouched.etag.strip('"')) if vouched and vouched.etag else None
            answer = publisher.answer(now, last, known)
            record.requests += 1
            record.refused += answer.status == 429
            last = now
            source = _next_state(source, publisher, answer, now, record, bounds, chance.random())
            assert source.next_poll_at
            now = (source.next_poll_at - START).total_seconds()
        return record.close(publisher, until)

    return visit


def _next_state(
    source: Source,
    publisher: Publisher,
    answer: Answer,
    now: float,
    record: Record,
    bounds: IntervalBounds,
    jitter: float,
) -> Source:
    """The source after this answer, as poll.py would have it."""
    outcome: Outcome = Failed("http-status", str(answer.status), answer.status, answer.headers)
    feed, window, body_hash = None, None, None
    if answer.status == 304:
        outcome = NotModified(source.url, answer.headers)
    elif answer.status == 200:
        outcome = Fetched(source.url, 200, answer.headers, b"")
        body_hash = str(answer.end)
        record.documents += 1
        if body_hash != source.body_hash:
            feed = Feed("rss", ttl=timedelta(seconds=publisher.ttl) if publisher.ttl else None)
            window = _window(source, publisher, answer.end, now, record)
    moment = START + timedelta(seconds=now)
    visit = VisitResult(outcome, feed, window, body_hash)
    return next_state(source, visit, Circumstances(moment, bounds, jitter)).source


def _window(source: Source, publisher: Publisher, end: int, now: float, record: Record) -> WindowComparison:
    """What `article.window.compare_windows` says of such windows."""
    shared, entries = record.see(publisher, end, now)
    oldest, newest = publisher.published[publisher.first(end)], publisher.published[end - 1]
    span = timedelta(seconds=newest - oldest) if publisher.dated and entries > 1 else None
    gap = None
    if source.window_at and not shared:
        gap = Gap(source.window_at, START + timedelta(seconds=now))
        record.gaps += 1
    return WindowComparison(entries, shared, span, gap, becomes_reference=True)
