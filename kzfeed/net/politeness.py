"""When to come back, and with what headers: a source's state, what a visit brought and `now` in, the new state out.

Pure: the clock, chance and the regular next visit (interval or cron) are arguments. The rules are etiquette.md's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from kzfeed.model import Failed, Feed, Fetched, NotModified, Outcome, Overlap, Source, Validators

MAX_FRESHNESS = timedelta(hours=24)
MAX_RETRY_AFTER = timedelta(days=7)
MAX_BACK_OFF = timedelta(hours=24)
MAX_BACK_OFF_OF_THE_DEAD = timedelta(days=7)
DEAD_AFTER = timedelta(days=30)
CHALLENGE_BACK_OFF = timedelta(hours=24)
_NO_TIME = timedelta()
UNCHANGED_BACK_OFF = 4
"""How many intervals a host without validators waits at most while its body does not change."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What the operator says of politeness."""

    min_interval: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Settled:
    """The state of a source after a visit; `host_pause` is until when its whole host wants no visits."""

    source: Source
    host_pause: datetime | None = None


def settle(
    source: Source,
    outcome: Outcome,
    feed: Feed | None,
    window: Overlap | None = None,
    *,
    now: datetime,
    regular: datetime,
    body_hash: str | None = None,
    manners: Manners = Manners(),
    jitter: float = 0.0,
) -> Settled:
    """What the visit that ended at `now` changes.

    `feed` is what a Fetched document said of itself and `window` how it overlaps the last one, both None where it was
    the same bytes as before. `regular` is when the source's own rhythm would bring the next visit; `jitter` is a draw
    from 0 ≤ x < 1.
    """
    source = replace(source, last_polled_at=now)
    match outcome:
        case Failed():
            return _after_failure(source, outcome, now, regular, manners, jitter)
        case NotModified():
            validators = _updated(source.validators, outcome)
        case Fetched():
            validators = _fresh(outcome)
    unchanged = isinstance(outcome, Fetched) and body_hash == source.body_hash
    if feed is not None:
        source = replace(
            source,
            title=source.title or feed.title,
            site_url=feed.site_url or source.site_url,
            own_wait=min(max(feed.ttl or _NO_TIME, feed.update_every or _NO_TIME), MAX_FRESHNESS) or None,
            skip_hours=feed.skip_hours,
            skip_days=feed.skip_days,
            last_document_at=now,
        )
    waits = [regular - now, manners.min_interval, source.own_wait or _NO_TIME, freshness(outcome.headers)]
    waits.append(_poll_interval(outcome.headers))
    if unchanged and validators is None:
        # Nothing can say "not modified" here: come less often while the answer stays the same.
        since_change = now - (source.last_document_at or now)
        waits.append(min(since_change, UNCHANGED_BACK_OFF * (regular - now)))
    return Settled(
        replace(
            source,
            validators=validators,
            body_hash=body_hash or source.body_hash,
            status="active",
            last_success_at=now,
            failing_since=None,
            failure_count=0,
            last_error=None,
            not_before=None,
            next_poll_at=_beside_skipped_hours(now + max(waits), source),
        )
    )


def _after_failure(
    source: Source, failed: Failed, now: datetime, regular: datetime, manners: Manners, jitter: float
) -> Settled:
    failing_since = source.failing_since or now
    interval = max(regular - now, manners.min_interval)
    longest = MAX_BACK_OFF_OF_THE_DEAD if now - failing_since >= DEAD_AFTER else MAX_BACK_OFF
    wait = min(interval * 2 ** min(source.failure_count + 1, 20), longest)
    wait *= 1 - 0.3 * jitter
    if failed.kind == "challenge":
        wait = max(wait, CHALLENGE_BACK_OFF)
    asked = (
        retry_after(failed.headers, now) if failed.status in (429, 503) or 300 <= (failed.status or 0) < 400 else None
    )
    if asked:
        wait = max(wait, asked)
    # What was answered cannot be trusted to mean "the same as before": ask without conditions the next time.
    doubtful = failed.kind in ("not-a-feed", "empty", "unexpected-status")
    after = replace(
        source,
        validators=None if doubtful else source.validators,
        status="gone" if failed.kind == "gone" else "failing",
        failing_since=failing_since,
        failure_count=source.failure_count + 1,
        last_error=f"{failed.kind}: {failed.error}",
        not_before=now + asked if asked else None,
        next_poll_at=None if failed.kind == "gone" else now + wait,
    )
    whole_host = failed.status in (429, 503) and asked is not None
    return Settled(after, host_pause=after.not_before if whole_host else None)


def _fresh(fetched: Fetched) -> Validators | None:
    etag, last_modified = fetched.headers.get("etag"), fetched.headers.get("last-modified")
    return Validators(fetched.url, etag, last_modified) if etag or last_modified else None


def _updated(before: Validators | None, answer: NotModified) -> Validators | None:
    # A 304 may omit what it does not change: keep the old one.
    if before is None:
        return None
    etag, last_modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    return replace(before, etag=etag or before.etag, last_modified=last_modified or before.last_modified)


def freshness(headers: Mapping[str, str]) -> timedelta:
    """How long an answer stays fresh (RFC 9111 §4.2): max-age, else Expires − Date, less Age; at most 24 h."""
    directives = headers.get("cache-control", "").lower()
    if re.search(r"\bno-(cache|store)\b", directives):
        return timedelta()
    if found := re.search(r"(?:^|[,\s])max-age=\"?(\d{1,9})", directives):
        lifetime = timedelta(seconds=int(found[1]))
    else:
        expires, date = _http_date(headers.get("expires")), _http_date(headers.get("date"))
        lifetime = expires - date if expires and date else timedelta()
    age = timedelta(seconds=_seconds(headers.get("age")))
    return min(max(lifetime - age, timedelta()), MAX_FRESHNESS)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """What Retry-After asks for, in seconds or until a date (RFC 9110 §10.2.3); at most 7 days, None without one."""
    value = headers.get("retry-after", "").strip()
    until = _http_date(value)
    if re.fullmatch(r"\d+", value, re.ASCII):
        wait = timedelta(seconds=_seconds(value))
    elif until:
        wait = until - now
    else:
        return None
    return min(max(wait, timedelta()), MAX_RETRY_AFTER)


def _poll_interval(headers: Mapping[str, str]) -> timedelta:
    return min(timedelta(seconds=_seconds(headers.get("x-poll-interval"))), MAX_FRESHNESS)


def _beside_skipped_hours(when: datetime, source: Source) -> datetime:
    """The first moment from `when` on that the feed does not ask to skip (RSS 2.0 skipHours in GMT, skipDays)."""
    hours, days = source.skip_hours, source.skip_days
    if len(hours) >= 24 or len(days) >= 7:
        return when
    while when.hour in hours or when.weekday() in days:
        when = when.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return when


def _seconds(value: str | None) -> int:
    """Digits as seconds, more than ten of them as an age; anything else as none."""
    found = re.fullmatch(r"\s*(\d+)\s*", value or "", re.ASCII)
    return min(int(found[1][:10]), 10**9) if found else 0


def _http_date(value: str | None) -> datetime | None:
    try:
        when = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
