"""What the headers of an answer say of time: how long it stays fresh, when to come back, how often to ask.

Header values in, lengths of time out. Nonsense never raises and never makes a visit come sooner or a wait endless.
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

# A name, and after an equals sign a quoted string or whatever stands before the next separator. Some servers part
# directives with semicolons; what stands between quotes is no directive.
_DIRECTIVE = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s\",;]*))?|\"(?:[^\"\\]|\\.)*\"")


class Wait(NamedTuple):
    """A length of time not to come sooner than, and why, in a short phrase."""

    length: timedelta
    reason: str


def freshness(headers: Mapping[str, str], now: datetime) -> Wait:
    """How long an answer stays fresh (RFC 9111 §4.2): max-age, else Expires − Date, less Age; at most 24 h.

    An answer without Date is dated `now` (RFC 9110 §6.6.1). A max-age that is no number is none, whatever Expires says.
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
    # Where proxies made a list of it, the first is the one that counts (RFC 9111 §5.1).
    age = timedelta(seconds=seconds(headers.get("age", "").partition(",")[0]))
    return Wait(min(max(lifetime - age, _NO_TIME), MAX_FRESHNESS), reason)


def _cache_control(value: str) -> dict[str, str]:
    """The directives by name, in lower case; without an argument, "". Of two with one name the first counts."""
    directives: dict[str, str] = {}
    for name, argument in _DIRECTIVE.findall(value.lower()):
        if name:
            directives.setdefault(name, argument.strip('"'))
    return directives


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After asks for, in seconds or until a date (RFC 9110 §10.2.3); at most 7 days, None for nonsense."""
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
    """What X-Poll-Interval asks for in seconds, at most 24 h."""
    return min(timedelta(seconds=seconds(headers.get("x-poll-interval"))), MAX_FRESHNESS)


def seconds(value: str | None) -> int:
    """Digits as seconds, however many they are; anything else as none."""
    text = value.strip() if value else ""
    if not text or not re.fullmatch(r"\d+", text, re.ASCII):
        return 0
    digits = text.lstrip("0")
    return min(int(digits or "0"), _MAX_SECONDS) if len(digits) <= 10 else _MAX_SECONDS


def http_date(value: str | None) -> datetime | None:
    """A date in any of the three forms of RFC 9110 §5.6.7, also with another zone; None for anything else."""
    if not value or len(value) > _MAX_DATE:
        return None
    try:
        when = parsedate_to_datetime(value)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
