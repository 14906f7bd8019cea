"""The next state of a source after a visit: when it is polled again, with which request, and why then.

Pure functions of the stored state, the outcome and `now`. Rules are numbered as in docs/politeness.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kzfeed.hosts import host_of
from kzfeed.instants import RESOLUTION
from kzfeed.model.articles import Feed, WindowComparison
from kzfeed.model.polls import Failed, FailureKind, Fetched, NotModified, Outcome, Source, Validators, Visit
from kzfeed.schedule.interval import (
    IntervalBounds,
    adapt_intervals,
    after_skipped_hours,
    base_interval,
    cron_firing,
    interval_wait,
)
from kzfeed.schedule.response_headers import MAX_FRESHNESS, Wait, freshness, poll_interval, retry_after
from kzfeed.text import joined_flaws

MAX_BACK_OFF = timedelta(hours=24)
MAX_BACK_OFF_OF_DEAD_SOURCE = timedelta(days=7)
DEAD_AFTER = timedelta(days=30)
CHALLENGE_BACK_OFF = timedelta(hours=24)
ASK_IN_FULL_AFTER = timedelta(days=7)
"""How long a server may answer nothing but 304 before it is asked without validators."""
MOVED_AFTER = timedelta(hours=24)
MOVED_POLLS = 3
UNCHANGED_BACK_OFF = 4
"""The longest wait, in intervals, for a server without validators whose document does not change."""

_VALIDATOR_NAMES = {b"etag": "ETag", b"last-modified": "Last-Modified"}
_DOUBTFUL: tuple[FailureKind, ...] = ("not-a-feed", "empty", "unexpected-status")
_NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class VisitResult:
    """What a visit brought.

    `feed` is what a fetched document says of itself, `window` the comparison with the window before. Both
    are None where the document has the same bytes as the last one, or none was fetched.
    """

    outcome: Outcome
    feed: Feed | None = None
    window: WindowComparison | None = None
    body_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The other inputs of the decision.

    `now` is the end of the visit, `bounds` are the operator's, `jitter` is a random number, 0 ≤ x < 1.
    """

    now: datetime
    bounds: IntervalBounds
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class NextState:
    """The state of a source after a visit. No source of `paused_host` may be polled before `host_pause`."""

    source: Source
    host_pause: datetime | None = None
    paused_host: str | None = None


def next_visit(source: Source) -> Visit:
    """The next request to the source's server (rules 1 and 18).

    Only the host that the operator configured may have a private address, not one that a redirect names.
    """
    return Visit(
        source.url,
        validators=None if source.ask_in_full else source.validators,
        trusted_host=host_of(source.configured_url or source.url),
        source_name=source.name,
    )


def parse_failure(source: Source, fetched: Fetched, kind: FailureKind, words: str) -> Failed:
    """A fetched document that could not be parsed, as a failure. HTML where a feed was is a bot challenge (rule 12)."""
    if kind == "not-a-feed" and source.last_document_at and _is_html(fetched):
        kind, words = "challenge", f"an HTML page where a feed was: {words}"
    return Failed(
        kind,
        words,
        fetched.status,
        fetched.headers,
        redirect_retry_after=fetched.redirect_retry_after,
        url=fetched.url,
    )


def _is_html(fetched: Fetched) -> bool:
    media_type = fetched.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = fetched.body[:1024].lower()
    return media_type in ("text/html", "application/xhtml+xml") or b"<!doctype html" in start or b"<html" in start


def flaw_of(source: Source, visit: VisitResult) -> str | None:
    """What is wrong with the fetched document, though it could be read; None without one."""
    if not isinstance(visit.outcome, Fetched):
        return None
    if visit.feed is None:
        return source.flaw  # the same bytes as last time
    if visit.feed.entries or source.window_at is None:
        return visit.feed.flaw
    return joined_flaws("it has no entries, but had some before", visit.feed.flaw)


def own_wait(feed: Feed) -> timedelta:
    """The pause between two polls that the feed asks for (ttl, sy:updatePeriod), limited as rule 6 says; 0 if none."""
    return min(max(feed.ttl or _NO_TIME, feed.update_every or _NO_TIME), MAX_FRESHNESS)


def next_state(source: Source, visit: VisitResult, at: Circumstances) -> NextState:
    """The state of the source after the visit."""
    if isinstance(visit.outcome, Failed):
        return _after_failure(source, visit.outcome, at)
    return NextState(_after_success(source, visit.outcome, visit, at))


def replanned(before: Source, after: Source, at: Circumstances) -> datetime | None:
    """The time of the next poll after the operator changed the interval or the cron expression; None if neither
    changed.

    The new interval counts from the last poll. What else put the poll off, such as Retry-After or failures, still does.
    """
    polled, planned = after.last_polled_at, after.next_poll_at
    if polled is None or planned is None or before.url != after.url or _timing(before) == _timing(after):
        return None
    was_due = polled + interval_wait(before, polled, at.bounds).length + RESOLUTION
    if after.cron:
        due = at.now + interval_wait(after, at.now, at.bounds).length
    else:
        due = polled + max(after.own_wait or _NO_TIME, interval_wait(after, polled, at.bounds).length)
    return after_skipped_hours(due if planned <= was_due else max(due, planned), after)


def _timing(source: Source) -> tuple[object, ...]:
    return source.every, source.auto, source.cron, source.cron and source.timezone


# --- after a success -------------------------------------------------------------------------------------------------


def _after_success(before: Source, outcome: Fetched | NotModified, visit: VisitResult, at: Circumstances) -> Source:
    now, feed = at.now, visit.feed
    source = _with_document(adapt_intervals(before, visit.window, now, at.bounds), visit, now)
    if isinstance(outcome, NotModified) and before.body_hash is None:
        # The validators are those of the document before the incomplete one: that one is the present document again.
        source = replace(source, flaw=None, refused_validators=None)
    source = _with_address(source, outcome.permanent_url, now)
    # Rule 4: the validators of a document that is cut off or was read in part would vouch for entries not stored.
    incomplete = _why_incomplete(feed)
    validators = before.validators if incomplete else _validators(before, outcome)
    not_modified_since = before.not_modified_since or now if isinstance(outcome, NotModified) else None
    waits = [
        interval_wait(source, now, at.bounds),
        Wait(at.bounds.min_interval, "the minimum interval"),
        Wait(source.own_wait or _NO_TIME, "the feed's own ttl or update period"),
        freshness(outcome.headers, now),
        Wait(poll_interval(outcome.headers), "X-Poll-Interval of the answer"),
    ]
    if isinstance(outcome, Fetched) and visit.body_hash == before.body_hash and validators is None and not source.cron:
        waits.append(_unchanged(source, now, at.bounds))
    asked = retry_after(outcome.redirect_retry_after, now)
    if asked:
        waits.append(Wait(asked, "Retry-After"))
    due, reason = _scheduled(source, waits, now)
    return replace(
        source,
        validators=validators,
        refused_validators=_refused_validators(source, outcome, incomplete),
        not_modified_since=not_modified_since,
        # Rule 18: validators that match for ever may have lost touch with the document.
        ask_in_full=not_modified_since is not None and now - not_modified_since >= ASK_IN_FULL_AFTER,
        # Without a hash the next document is read, even if it has the same bytes as this one or the one before.
        body_hash=None if incomplete else visit.body_hash or before.body_hash,
        status="active",
        last_polled_at=now,
        last_success_at=now,
        failing_since=None,
        failure_count=0,
        last_error_kind=None,
        last_error=None,
        gone_at=None,
        not_before=now + asked if asked else None,
        next_poll_at=due,
        next_poll_reason=reason,
    )


def _unchanged(source: Source, now: datetime, bounds: IntervalBounds) -> Wait:
    """Rule 5: a server without validators is polled less often while its document stays the same."""
    since_change = now - (source.last_document_at or now)
    usual = base_interval(source, bounds)
    longest = UNCHANGED_BACK_OFF * usual
    if source.auto:
        longest = min(longest, max(bounds.max_interval, usual))
    return Wait(min(since_change, longest), "the same body again, without validators")


def _with_document(source: Source, visit: VisitResult, now: datetime) -> Source:
    """The source with what its document says of itself and of polling times (rules 6 and 15)."""
    feed = visit.feed
    if feed is None:
        return source
    wait = own_wait(feed)
    return replace(
        source,
        title=source.title or feed.title,
        site_url=feed.site_url or source.site_url,
        own_wait=wait if wait > _NO_TIME else None,
        skip_hours=feed.skip_hours,
        skip_days=feed.skip_days,
        last_document_at=now,
        window_at=now if visit.window and visit.window.becomes_reference else source.window_at,
        flaw=flaw_of(source, visit),
    )


def _with_address(source: Source, permanent_url: str | None, now: datetime) -> Source:
    """Rule 9: the target of permanent redirects becomes the source's address after several polls over a day."""
    if not permanent_url or permanent_url == source.url:
        return replace(source, moved_to=None, moved_since=None, moved_polls=0) if source.moved_to else source
    if permanent_url != source.moved_to or source.moved_since is None:
        return replace(source, moved_to=permanent_url, moved_since=now, moved_polls=1)
    polls = source.moved_polls + 1
    if polls >= MOVED_POLLS and now - source.moved_since >= MOVED_AFTER:
        return replace(source, url=permanent_url, moved_to=None, moved_since=None, moved_polls=0)
    return replace(source, moved_polls=polls)


def _validators(source: Source, outcome: Fetched | NotModified) -> Validators | None:
    """Rule 2: a 200 replaces both validators, a 304 only those that it carries: it may omit the others."""
    etag, last_modified = outcome.headers.get("etag") or None, outcome.headers.get("last-modified") or None
    if isinstance(outcome, Fetched):
        return Validators(outcome.url, etag, last_modified) if etag or last_modified else None
    before = source.validators
    if before is None or not (etag or last_modified):
        return before
    return Validators(before.url, etag or before.etag, last_modified or before.last_modified)


def _why_incomplete(feed: Feed | None) -> str | None:
    """Why not all entries of the document are stored; None if they are, or if there is no new document."""
    if feed is None or not (feed.cut_off or feed.dropped):
        return None
    return "the document breaks off" if feed.cut_off else "not all of its entries are stored yet"


def _refused_validators(source: Source, outcome: Fetched | NotModified, incomplete: str | None) -> str | None:
    """The validators of the answer that are not kept, each with the reason; None if there are none."""
    if isinstance(outcome, NotModified):
        return source.refused_validators
    refused = {}
    for name, value in outcome.head.fields if outcome.head else ():
        known = _VALIDATOR_NAMES.get(name.lower())
        if known and value and known.lower() not in outcome.headers:
            has_controls = any(byte < 32 or byte == 127 for byte in value)
            refused[known] = "it has control characters" if has_controls else f"it is {len(value):,} bytes long"
    if incomplete:
        refused |= {name: incomplete for name in _VALIDATOR_NAMES.values() if outcome.headers.get(name.lower())}
    return "; ".join(f"{name} ({why})" for name, why in refused.items()) or None


# --- after a failure -------------------------------------------------------------------------------------------------


def _after_failure(source: Source, failed: Failed, at: Circumstances) -> NextState:
    now = at.now
    is_ours = failed.kind == "offline"
    failing_since, failures = source.failing_since or now, source.failure_count + (not is_ours)
    fires_at = cron_firing(source, now)
    interval = max(fires_at - now, at.bounds.min_interval) if fires_at else base_interval(source, at.bounds)
    asked = asked_wait(failed, now)
    waits = [
        Wait(interval, "no connection from this machine")
        if is_ours
        else Wait(back_off(interval, failures, now - failing_since, at.jitter), _back_off_reason(failures)),
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
        # After such an answer a 304 cannot be trusted to mean that nothing has changed.
        ask_in_full=source.ask_in_full or _is_doubtful(failed),
        status="gone" if gone else "failing",
        gone_at=(source.gone_at or now) if gone else None,
        last_polled_at=now,
        failing_since=source.failing_since if is_ours else failing_since,
        failure_count=failures,
        last_error_kind=failed.kind,
        last_error=failed.error,
        not_before=max(pauses, default=None),
        next_poll_at=None if gone else due,
        next_poll_reason="gone (410)" if gone else reason,
    )
    host = paused_host(failed, source.url) if asked else None
    return NextState(after, host_pause=now + asked if host else None, paused_host=host)


def _is_doubtful(failed: Failed) -> bool:
    return failed.kind in _DOUBTFUL or (failed.kind == "challenge" and failed.status == 200)


def back_off(interval: timedelta, failures: int, failing_for: timedelta, jitter: float) -> timedelta:
    """Rule 11: twice the interval after one failure, four times after two, and so on up to a limit."""
    longest = MAX_BACK_OFF_OF_DEAD_SOURCE if failing_for >= DEAD_AFTER else MAX_BACK_OFF
    # The exponent is bounded because a timedelta cannot hold 2^1,000 intervals.
    return min(min(interval, longest) * (1 << min(failures, 12)) * (1 + jitter / 4), longest)


def asked_wait(failed: Failed, now: datetime) -> timedelta:
    """Rule 7: the wait that Retry-After asks for, in the answer or in a redirect before it."""
    answered = failed.headers.get("retry-after") if failed.status and failed.status >= 300 else None
    asked = (retry_after(answered, now), retry_after(failed.redirect_retry_after, now))
    return max(filter(None, asked), default=_NO_TIME)


def paused_host(failed: Failed, url: str) -> str | None:
    """Rule 8: the host that nobody may visit during `asked_wait`; None if the answer speaks only of the address `url`.

    It is that of the server that answered, which after a redirect is another one than that of `url`.
    """
    return host_of(failed.url or url) if failed.status in (429, 503) else None


def _back_off_reason(failures: int) -> str:
    return "back-off after a failure" if failures == 1 else "back-off after failures"


def _scheduled(source: Source, waits: Sequence[Wait], now: datetime) -> tuple[datetime, str]:
    """The time at which the longest wait has ended and the feed allows a visit (rule 15), and the reason."""
    wait = max(waits, key=lambda each: each.length)
    due = now + wait.length
    allowed = after_skipped_hours(due, source)
    return allowed, wait.reason if allowed == due else "put off by the feed's skipHours or skipDays"
