"""The intervals of sources: configured, by cron expression, or adapted to what their windows show.

What servers and feeds ask for is decided in `policy`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import sqrt

from kzfeed.model.articles import WindowComparison
from kzfeed.model.polls import Source
from kzfeed.schedule.cron import next_firing
from kzfeed.schedule.response_headers import Wait

AUTO_DOUBLES_IN = timedelta(days=7)
"""How long `auto` takes to double an interval: a quiet weekend must not lengthen it much."""
OFFSET_SHARE = 30
"""A source is polled later than its interval by up to this fraction of it, so that many with one interval spread."""
_NO_TIME = timedelta()
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IntervalBounds:
    """The operator's bounds: the least time between two polls of a source, and the longest interval of `auto`."""

    min_interval: timedelta = timedelta(minutes=15)
    max_interval: timedelta = timedelta(hours=2)


def base_interval(source: Source, bounds: IntervalBounds) -> timedelta:
    """The interval of a source without a cron expression, while nothing lengthens or shortens it."""
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
    return Wait(usual * (1 + stable_offset(source.name) / OFFSET_SHARE), reason)


# --- intervals adapted to windows ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _WindowChange:
    """How much of the window is new since the last success, which was `elapsed` ago.

    `fits` is the longest interval at which at most `_most_new` entries are new, at the pace since the last success;
    None where nothing is new. `lasting` is the same at the pace since the window last changed: a day's entries all at
    once are not a reason to poll every few minutes for weeks.
    """

    elapsed: timedelta
    fits: timedelta | None = None
    lasting: timedelta | None = None
    too_much: bool = False
    gap: bool = False


def adapt_intervals(source: Source, window: WindowComparison | None, now: datetime, bounds: IntervalBounds) -> Source:
    """The source with intervals adapted to its window; `window` is None where the document has not changed.

    After a gap a source is polled as often as allowed, also with a fixed interval. Then the interval doubles each time
    that half of the window has stayed. `auto` starts in the same way, and becomes more frequent before there is a gap:
    its interval is the one at which half of the window would have stayed in the busiest time of about a week.
    """
    adapts = source.auto or source.hurried_interval or (window and window.gap)
    if source.cron or not adapts:
        learned = source.auto_interval or source.hurried_interval
        return replace(source, auto_interval=None, hurried_interval=None) if learned else source
    if source.last_success_at is None:
        return replace(source, hurried_interval=bounds.min_interval)
    change = _window_change(source, window, now)
    source = replace(source, auto_interval=_auto_interval(source, change, bounds) if source.auto else None)
    hurried = _hurried_interval(source, change, bounds)
    if hurried and hurried >= base_interval(source, bounds):
        hurried = None
    return replace(source, hurried_interval=hurried)


def _window_change(source: Source, window: WindowComparison | None, now: datetime) -> _WindowChange:
    elapsed = max(now - (source.last_success_at or now), _NO_TIME)
    fresh = window.entries - window.shared if window and source.window_at else 0
    if window is None or source.window_at is None or fresh <= 0:
        return _WindowChange(elapsed)
    most_new = _most_new(window.entries) if source.auto else window.entries / 2
    since_moved = max(now - source.window_at, _NO_TIME)
    return _WindowChange(
        elapsed,
        fits=elapsed * (most_new / fresh),
        lasting=since_moved * (most_new / fresh),
        too_much=fresh > most_new,
        gap=window.gap is not None,
    )


def _most_new(entries: int) -> float:
    """How many entries of a window may be new at a poll: half of a large window, less of a small one.

    So many that four standard deviations above it, in a Poisson process, still fit into the window.
    """
    return min(entries / 2, (sqrt(entries + 4) - 2) ** 2)


def _auto_interval(source: Source, change: _WindowChange, bounds: IntervalBounds) -> timedelta:
    interval = base_interval(source, bounds)
    if change.too_much and change.lasting is not None:
        # One poll shortens the interval to a quarter at most: `hurried_interval` covers a single burst.
        learned = max(min(change.lasting, interval), interval / 4)
    else:
        learned = interval * 2.0 ** (min(change.elapsed, 2 * interval) / AUTO_DOUBLES_IN)
        if change.fits is not None:
            learned = min(learned, max(change.fits, interval))
    return max(min(learned, bounds.max_interval), bounds.min_interval)


def _hurried_interval(source: Source, change: _WindowChange, bounds: IntervalBounds) -> timedelta | None:
    before = source.hurried_interval
    if change.gap:
        return bounds.min_interval
    if change.too_much and change.fits is not None and (before or source.auto):
        return max(min(change.fits, before or change.fits), bounds.min_interval)
    if before is None:
        return None
    return max(min(2 * before, change.fits or 2 * before), change.elapsed)


# --- many sources at once --------------------------------------------------------------------------------------------


def stable_offset(name: str) -> float:
    """A number for this source, 0 ≤ x < 1, that never changes."""
    return int.from_bytes(sha256(name.encode("utf-8")).digest()[:6], "big") / 2**48


def spread_time(name: str, interval: timedelta, count: int, now: datetime) -> datetime:
    """The poll time of one of `count` sources that are due at once.

    A few are polled at once. The more there are, the longer the time over which they are spread: 2 s for 50, 20 s for
    100, the whole interval of an hour for 600 and more. A restart gives the same times, so no source is put off twice.
    """
    stretch = min(interval, timedelta(seconds=count**3 // 50_000))
    if not stretch:
        return now
    return now + (stretch * stable_offset(name) - (now - _EPOCH)) % stretch


def after_skipped_hours(when: datetime, source: Source) -> datetime:
    """`when`, or the first time after it by whole hours that is outside the feed's skipHours (GMT) and skipDays.

    Rule 15. A feed that skips all hours or all days skips none.
    """
    hours, days = source.skip_hours, source.skip_days
    if len(hours) >= 24 or len(days) >= 7:
        return when
    while when.hour in hours or when.weekday() in days:
        when += timedelta(hours=1)  # whole hours keep sources apart
    return when
