"""Waits that response headers ask for: Cache-Control, Expires, Retry-After and X-Poll-Interval.

A malformed value counts as absent. Every wait is bounded.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

MAX_FRESHNESS = timedelta(hours=24)
MAX_RETRY_AFTER = timedelta(days=7)
_NO_TIME = timedelta()
_MAX_SECONDS = 10**9
_MAX_DATE = 100

# A name with an optional value: a quoted string, or anything up to the next separator. Some servers separate
# directives by semicolons. The second alternative skips quoted strings, which hold no directives.
_DIRECTIVE = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s\",;]*))?|\"(?:[^\"\\]|\\.)*\"")


class Wait(NamedTuple):
    """The least time until the next poll, and its reason in a short phrase."""

    length: timedelta
    reason: str


def freshness(headers: Mapping[str, str], now: datetime) -> Wait:
    """How long an answer stays fresh, at most 24 h (rule 6, RFC 9111 §4.2.1): max-age, else Expires − Date, minus Age.

    An answer without Date is dated `now` (RFC 9110 §6.6.1). A max-age that is not a number is 0, whatever Expires
    says.
    """
    directives = _cache_control(headers.get("cache-control", ""))
    if "no-store" in directives or directives.get("no-cache") == "":
        return Wait(_NO_TIME, "")
    if "max-age" in directives:
        lifetime, reason = timedelta(seconds=seconds(directives["max-age"])), "max-age of the answer"
    else:
        lifetime, reason = _NO_TIME, "Expires of the answer"
        if expires := http_date(headers.get("expires")):
            lifetime = expires - (http_date(headers.get("date")) or now)
    # Proxies may have made a list of it: its first member counts (RFC 9111 §5.1).
    age = timedelta(seconds=seconds(headers.get("age", "").partition(",")[0]))
    return Wait(min(max(lifetime - age, _NO_TIME), MAX_FRESHNESS), reason)


def _cache_control(value: str) -> dict[str, str]:
    """The arguments of the directives by their names in lower case, "" without one. The first of a name counts."""
    directives: dict[str, str] = {}
    for name, argument in _DIRECTIVE.findall(value.lower()):
        if name:
            directives.setdefault(name, argument.strip('"'))
    return directives


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait that Retry-After asks for, in seconds or until a date, at most 7 days (rule 7, RFC 9110 §10.2.3).

    None where it is absent or malformed.
    """
    if not value:
        return None
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        whole, point, _ = text.partition(".")
        wait = timedelta(seconds=seconds(whole) + (1 if point else 0))
    elif until := http_date(text):
        wait = until - now
    else:
        return None
    return min(max(wait, _NO_TIME), MAX_RETRY_AFTER)


def poll_interval(headers: Mapping[str, str]) -> timedelta:
    """The wait that X-Poll-Interval asks for in seconds, at most 24 h (rule 20)."""
    return min(timedelta(seconds=seconds(headers.get("x-poll-interval"))), MAX_FRESHNESS)


def seconds(value: str | None) -> int:
    """A number of seconds, bounded; 0 for anything but digits."""
    text = value.strip() if value else ""
    if not text or not re.fullmatch(r"\d+", text, re.ASCII):
        return 0
    digits = text.lstrip("0")
    return min(int(digits or "0"), _MAX_SECONDS) if len(digits) <= 10 else _MAX_SECONDS


def http_date(value: str | None) -> datetime | None:
    """A date in one of the three forms of RFC 9110 §5.6.7, in any time zone; None for anything else."""
    if not value or len(value) > _MAX_DATE:
        return None
    try:
        when = parsedate_to_datetime(value)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
