"""How often a source is visited by itself: its interval, what it learns from its windows, its place among many.

A source's state and what a visit showed in, lengths of time out. What servers and feeds ask for is not weighed here.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import sqrt

from kzfeed.model import Overlap, Source
from kzfeed.schedule.cron import next_firing
from kzfeed.schedule.response_headers import Wait

AUTO_DOUBLES_IN = timedelta(days=7)
"""How long `auto` takes to double an interval that is short enough: a quiet weekend must not make it forget Monday."""
STEADY_SHARE = 30
"""Which part of its interval a source may be late by, so that many with one interval drift apart."""
_NO_TIME = timedelta()
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IntervalBounds:
    """What the operator says of politeness: the least time between two visits, and the most that `auto` may wait."""

    min_interval: timedelta = timedelta(minutes=15)
    max_interval: timedelta = timedelta(hours=2)


def base_interval(source: Source, bounds: IntervalBounds) -> timedelta:
    """The time between two visits while nothing is the matter, for a source without a cron expression."""
    length = min(source.auto_interval or source.every, bounds.max_interval) if source.auto else source.every
    return max(length, bounds.min_interval)


def cron_firing(source: Source, after: datetime) -> datetime | None:
    """The next firing of the source's cron expression; None where it has none."""
    return next_firing(source.cron, source.timezone or "UTC", after) if source.cron else None


def interval_wait(source: Source, now: datetime, bounds: IntervalBounds) -> Wait:
    """The wait until the next poll by the source's cron expression or interval alone."""
    if fires_at := cron_firing(source, now):
        return Wait(fires_at - now, "its cron expression")
    usual = base_interval(source, bounds)
    if source.hurried_interval and source.hurried_interval < usual:
        usual, reason = (
            max(source.hurried_interval, bounds.min_interval),
            "more often until its windows overlap by half",
        )
    elif usual == bounds.min_interval and not source.auto and source.every < usual:
        reason = "the minimum interval"
    else:
        reason = "its auto interval" if source.auto else "its interval"
    return Wait(usual * (1 + stable_offset(source.name) / STEADY_SHARE), reason)


# --- what windows teach ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Movement:
    """How far the window moved on since the last visit, `elapsed` ago; None where it did not move.

    `fits` is the interval at which half of it would stay (for `auto`: what `_room` says) if it goes on like that.
    `lasting` is the same, reckoned from when the window moved last: a day's entries all at once are no reason to come
    every few minutes for weeks.
    """

    elapsed: timedelta
    fits: timedelta | None = None
    lasting: timedelta | None = None
    too_far: bool = False
    gap: bool = False


def adapt_intervals(source: Source, window: Overlap | None, now: datetime, bounds: IntervalBounds) -> Source:
    """The source with the intervals that its window suggests; `window` is None where the document had not changed.

    After a gap, also with a fixed interval, visits come as often as allowed, then half as often each time that half of
    the window is still there. `auto` begins like that, hurries after less than a gap, and keeps in mind at which
    interval the busiest stretch of the last week or so left half of the window in place.
    """
    adapts = source.auto or source.hurried_interval or (window and window.gap)
    if source.cron or not adapts:
        learned = source.auto_interval or source.hurried_interval
        return replace(source, auto_interval=None, hurried_interval=None) if learned else source
    if source.last_success_at is None:
        return replace(source, hurried_interval=bounds.min_interval)
    moved = _movement(source, window, now)
    source = replace(source, auto_interval=_auto(source, moved, bounds) if source.auto else None)
    hurried = _hurried(source, moved, bounds)
    if hurried and hurried >= base_interval(source, bounds):
        hurried = None
    return replace(source, hurried_interval=hurried)


def _movement(source: Source, window: Overlap | None, now: datetime) -> _Movement:
    elapsed = max(now - (source.last_success_at or now), _NO_TIME)
    fresh = window.entries - window.shared if window and source.last_document_at else 0
    if window is None or source.last_document_at is None or fresh <= 0:
        return _Movement(elapsed)
    may_go = _room(window.entries) if source.auto else window.entries / 2
    since_moved = max(now - source.last_document_at, _NO_TIME)
    return _Movement(
        elapsed,
        fits=elapsed * (may_go / fresh),
        lasting=since_moved * (may_go / fresh),
        too_far=fresh > may_go,
        gap=window.gap is not None,
    )


def _room(entries: int) -> float:
    """How many entries of a window may go at a time: half, of a small one less, for there chance weighs more.

    So many may be expected that four standard deviations above it (of a Poisson process) still fit into the window.
    """
    return min(entries / 2, (sqrt(entries + 4) - 2) ** 2)


def _auto(source: Source, moved: _Movement, bounds: IntervalBounds) -> timedelta:
    interval = base_interval(source, bounds)
    if moved.too_far and moved.lasting is not None:
        # Not below a quarter at once: what is only a burst is hurried after anyway.
        learned = max(min(moved.lasting, interval), interval / 4)
    else:
        learned = interval * 2.0 ** (min(moved.elapsed, 2 * interval) / AUTO_DOUBLES_IN)
        if moved.fits is not None:
            learned = min(learned, max(moved.fits, interval))
    return max(min(learned, bounds.max_interval), bounds.min_interval)


def _hurried(source: Source, moved: _Movement, bounds: IntervalBounds) -> timedelta | None:
    before = source.hurried_interval
    if moved.gap:
        return bounds.min_interval
    if moved.too_far and moved.fits is not None and (before or source.auto):
        return max(min(moved.fits, before or moved.fits), bounds.min_interval)
    if before is None:
        return None
    return max(min(2 * before, moved.fits or 2 * before), moved.elapsed)


# --- a place among many ----------------------------------------------------------------------------------------------


def stable_offset(name: str) -> float:
    """A source's own place, 0 ≤ x < 1, the same for ever."""
    return int.from_bytes(sha256(name.encode("utf-8")).digest()[:6], "big") / 2**48


def spread_start(name: str, interval: timedelta, count: int, now: datetime) -> datetime:
    """When a source gets its turn that is due together with others, `count` in all.

    A few at once; the more they are, the longer the stretch that they are spread over: 2 s for 50, 20 s for 100, and
    the whole interval of an hour from 600 on. The same again after a restart: nobody is put off twice.
    """
    stretch = min(interval, timedelta(seconds=count**3 // 50_000))
    if not stretch:
        return now
    return now + (stretch * stable_offset(name) - (now - _EPOCH)) % stretch


def after_skipped_hours(when: datetime, source: Source) -> datetime:
    """`when`, or as many hours later as the feed asks to skip (RSS 2.0: skipHours in GMT, skipDays)."""
    hours, days = source.skip_hours, source.skip_days
    if len(hours) >= 24 or len(days) >= 7:
        return when
    while when.hour in hours or when.weekday() in days:
        when += timedelta(hours=1)  # whole hours: sources stay apart
    return when
