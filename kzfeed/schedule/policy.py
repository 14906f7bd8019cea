"""When to come back, and with what headers: a source's state, what a visit brought and `now` in, the new state out.

Pure: the clock, chance and the time a cron expression fires are arguments. The rules are etiquette.md's; their numbers
stand beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kzfeed.hosts import host_of
from kzfeed.model import Failed, FailureKind, Feed, Fetched, NotModified, Outcome, Overlap, Source, Validators, Visit
from kzfeed.schedule.interval import IntervalBounds as IntervalBounds  # `settle` takes it: whoever calls it needs both
from kzfeed.schedule.interval import adapt_intervals, after_skipped_hours, base_interval, interval_wait
from kzfeed.schedule.response_headers import MAX_FRESHNESS, Wait, freshness, poll_interval, retry_after

MAX_BACK_OFF = timedelta(hours=24)
MAX_BACK_OFF_OF_THE_DEAD = timedelta(days=7)
DEAD_AFTER = timedelta(days=30)
CHALLENGE_BACK_OFF = timedelta(hours=24)
STUCK_AFTER = timedelta(days=7)
MOVED_AFTER = timedelta(hours=24)
MOVED_POLLS = 3
UNCHANGED_BACK_OFF = 4
"""How many intervals a host without validators waits at most while its body does not change."""

_DOUBTFUL: tuple[FailureKind, ...] = ("not-a-feed", "empty", "unexpected-status")
_NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Settled:
    """The state of a source after a visit; `host_pause` is until when the whole of `paused_host` wants no visits."""

    source: Source
    host_pause: datetime | None = None
    paused_host: str | None = None


def visit_to(source: Source) -> Visit:
    """What to ask of the source's server (rules 1 and 18). Only the operator names a private address, no redirect."""
    return Visit(
        source.url,
        validators=None if source.ask_in_full else source.validators,
        trusted_host=host_of(source.configured_url or source.url),
        source_name=source.name,
    )


def unreadable(source: Source, fetched: Fetched, kind: FailureKind, words: str) -> Failed:
    """The failure of a visit whose document could not be read. HTML where a feed was is a bot challenge (rule 12)."""
    if kind == "not-a-feed" and source.last_document_at and _is_html(fetched):
        kind, words = "challenge", f"an HTML page where a feed was: {words}"
    return Failed(kind, words, fetched.status, fetched.headers, redirect_retry_after=fetched.redirect_retry_after)


def _is_html(fetched: Fetched) -> bool:
    media_type = fetched.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = fetched.body[:1024].lower()
    return media_type in ("text/html", "application/xhtml+xml") or b"<!doctype html" in start or b"<html" in start


def settle(
    source: Source,
    outcome: Outcome,
    feed: Feed | None,
    window: Overlap | None = None,
    *,
    now: datetime,
    fires_at: datetime | None = None,
    body_hash: str | None = None,
    bounds: IntervalBounds,
    jitter: float = 0.0,
) -> Settled:
    """What the visit that ended at `now` changes.

    `feed` is what a Fetched document said of itself and `window` how it overlaps the last one, both None where it was
    the same bytes as before. `fires_at` is when the source's cron expression fires next, None where it has none.
    `jitter` is a draw from 0 ≤ x < 1.
    """
    if isinstance(outcome, Failed):
        return _after_failure(source, outcome, now, fires_at, bounds, jitter)
    return _after_success(source, outcome, feed, window, now, fires_at, body_hash, bounds)


# --- a visit that brought something ----------------------------------------------------------------------------------


def _after_success(
    before: Source,
    outcome: Fetched | NotModified,
    feed: Feed | None,
    window: Overlap | None,
    now: datetime,
    fires_at: datetime | None,
    body_hash: str | None,
    bounds: IntervalBounds,
) -> Settled:
    source = _as_told(adapt_intervals(before, window, now, bounds), feed, now)
    source = _addressed(source, outcome.permanent_url, now)
    # Rule 4: a document that breaks off must not vouch for the entries that it did not show.
    torn = feed is not None and feed.cut_off
    validators = before.validators if torn else _validators(before, outcome)
    not_modified_since = before.not_modified_since or now if isinstance(outcome, NotModified) else None
    waits = [
        interval_wait(source, now, fires_at, bounds),
        Wait(bounds.min_interval, "the least interval"),
        Wait(source.own_wait or _NO_TIME, "the feed's own ttl or update period"),
        freshness(outcome.headers, now),
        Wait(poll_interval(outcome.headers), "X-Poll-Interval of the answer"),
    ]
    if isinstance(outcome, Fetched) and body_hash == before.body_hash and validators is None and not source.cron:
        waits.append(_unchanged(source, now, bounds))
    asked = retry_after(outcome.redirect_retry_after, now)
    if asked:
        waits.append(Wait(asked, "Retry-After"))
    due, reason = _scheduled(source, waits, now)
    after = replace(
        source,
        validators=validators,
        not_modified_since=not_modified_since,
        # Rule 18: validators that match for ever may have lost touch with the document.
        ask_in_full=not_modified_since is not None and now - not_modified_since >= STUCK_AFTER,
        body_hash=before.body_hash if torn else body_hash or before.body_hash,
        status="active",
        last_polled_at=now,
        last_success_at=now,
        failing_since=None,
        failure_count=0,
        last_error=None,
        gone_at=None,
        not_before=now + asked if asked else None,
        next_poll_at=due,
        next_poll_reason=reason,
    )
    return Settled(after)


def _unchanged(source: Source, now: datetime, bounds: IntervalBounds) -> Wait:
    """Rule 5: nothing can say "not modified" here, so come less often while the answer stays the same."""
    since_change = now - (source.last_document_at or now)
    usual = base_interval(source, bounds)
    longest = UNCHANGED_BACK_OFF * usual
    if source.auto:
        longest = min(longest, max(bounds.max_interval, usual))
    return Wait(min(since_change, longest), "the same body again, without validators")


def _as_told(source: Source, feed: Feed | None, now: datetime) -> Source:
    """What the feed says of itself and of when to come (rules 6 and 15)."""
    if feed is None:
        return source
    own_wait = min(max(feed.ttl or _NO_TIME, feed.update_every or _NO_TIME), MAX_FRESHNESS)
    return replace(
        source,
        title=source.title or feed.title,
        site_url=feed.site_url or source.site_url,
        own_wait=own_wait if own_wait > _NO_TIME else None,
        skip_hours=feed.skip_hours,
        skip_days=feed.skip_days,
        last_document_at=now,
    )


def _addressed(source: Source, permanent_url: str | None, now: datetime) -> Source:
    """Rule 9: an address that permanent redirects led to, poll after poll for a day, becomes the source's own."""
    if not permanent_url or permanent_url == source.url:
        return replace(source, moved_to=None, moved_since=None, moved_polls=0) if source.moved_to else source
    if permanent_url != source.moved_to or source.moved_since is None:
        return replace(source, moved_to=permanent_url, moved_since=now, moved_polls=1)
    polls = source.moved_polls + 1
    if polls >= MOVED_POLLS and now - source.moved_since >= MOVED_AFTER:
        return replace(source, url=permanent_url, moved_to=None, moved_since=None, moved_polls=0)
    return replace(source, moved_polls=polls)


def _validators(source: Source, outcome: Fetched | NotModified) -> Validators | None:
    """Rule 2: a 200 replaces each validator; a 304 only what it carries, for it may omit what it does not change."""
    etag, last_modified = outcome.headers.get("etag") or None, outcome.headers.get("last-modified") or None
    if isinstance(outcome, Fetched):
        return Validators(outcome.url, etag, last_modified) if etag or last_modified else None
    before = source.validators
    if before is None or not (etag or last_modified):
        return before
    return Validators(before.url, etag or before.etag, last_modified or before.last_modified)


# --- a visit that brought nothing ------------------------------------------------------------------------------------


def _after_failure(
    source: Source, failed: Failed, now: datetime, fires_at: datetime | None, bounds: IntervalBounds, jitter: float
) -> Settled:
    failing_since, failures = source.failing_since or now, source.failure_count + 1
    interval = max(fires_at - now, bounds.min_interval) if fires_at else base_interval(source, bounds)
    asked = _asked(failed, now)
    waits = [
        Wait(_back_off(interval, failures, now - failing_since, jitter), _after(failures)),
        Wait(CHALLENGE_BACK_OFF if failed.kind == "challenge" else _NO_TIME, "back-off after a bot challenge"),
        Wait(asked, "Retry-After"),
        Wait(poll_interval(failed.headers), "X-Poll-Interval of the answer"),
    ]
    due, reason = _scheduled(source, waits, now)
    # Rule 10: only 410 retires a source, and only a visit that succeeds brings it back.
    gone = failed.kind == "gone" or source.status == "gone"
    pauses = [pause for pause in (source.not_before, now + asked) if pause and pause > now]
    after = replace(
        source,
        # What was answered cannot be trusted to mean "the same as before".
        ask_in_full=source.ask_in_full or _is_doubtful(failed),
        status="gone" if gone else "failing",
        gone_at=(source.gone_at or now) if gone else None,
        last_polled_at=now,
        failing_since=failing_since,
        failure_count=failures,
        last_error=f"{failed.kind}: {failed.error}",
        not_before=max(pauses, default=None),
        next_poll_at=None if gone else due,
        next_poll_reason="gone (410)" if gone else reason,
    )
    # Rule 8: a server that is overrun is so for all of its feeds; it may be another one than was asked first.
    if asked and failed.status in (429, 503):
        return Settled(after, host_pause=now + asked, paused_host=host_of(failed.url or source.url))
    return Settled(after)


def _is_doubtful(failed: Failed) -> bool:
    return failed.kind in _DOUBTFUL or (failed.kind == "challenge" and failed.status == 200)


def _back_off(interval: timedelta, failures: int, failing_for: timedelta, jitter: float) -> timedelta:
    """Rule 11: twice the interval after the first failure, twice that after the second, and so on up to a limit."""
    longest = MAX_BACK_OFF_OF_THE_DEAD if failing_for >= DEAD_AFTER else MAX_BACK_OFF
    # Bounded before it is multiplied: 2^1,000 intervals are more than a timedelta holds.
    return min(min(interval, longest) * (1 << min(failures, 12)) * (1 + jitter / 4), longest)


def _asked(failed: Failed, now: datetime) -> timedelta:
    """Rule 7: how long the server asked to be left alone, in its answer or on the way to it."""
    answered = failed.headers.get("retry-after") if failed.status and failed.status >= 300 else None
    asked = (retry_after(answered, now), retry_after(failed.redirect_retry_after, now))
    return max(filter(None, asked), default=_NO_TIME)


def _after(failures: int) -> str:
    return "back-off after a failure" if failures == 1 else f"back-off after {failures} failures"


def _scheduled(source: Source, waits: Sequence[Wait], now: datetime) -> tuple[datetime, str]:
    """When the longest of these is over and the feed has nothing against it (rule 15), and why it is then."""
    wait = max(waits, key=lambda each: each.length)
    due = now + wait.length
    allowed = after_skipped_hours(due, source)
    return allowed, wait.reason if allowed == due else f"{wait.reason}, put off by the feed's skipHours or skipDays"
