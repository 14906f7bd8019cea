"""Instants as kzfeed stores and writes them: in UTC, in whole milliseconds."""

import re
from datetime import UTC, date, datetime, timedelta

from kzfeed.errors import UsageError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESOLUTION = timedelta(milliseconds=1)
"""Two instants that differ by less may be one when they are stored."""
DAY_MS = 86_400_000
"""Milliseconds of a day."""

_TYPED = re.compile(
    r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2})"
    r"(?:[T ](\d{1,2})(:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[-+]\d{2}:\d{2})?))?)?)?",
    re.ASCII,
)


def typed_instant(text: str) -> datetime:
    """The instant that a person typed: a year, month, day, or time of a day (ISO 8601). Without an offset it is in UTC.

    Every option, query and address has this form of times. Raises ValueError.
    """
    match = _TYPED.fullmatch(text)
    try:
        if not match:
            raise ValueError
        year, month, day, hour, rest = match.groups()
        written = datetime.fromisoformat(f"{year}-{month or 1:0>2}-{day or 1:0>2}T{hour or 0:0>2}{rest or ':00'}")
        return written.astimezone(UTC) if written.tzinfo else written.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r}: expected a time such as 2024, 2024-05, 2024-05-31 or 2024-05-31T18:00 in UTC, "
            "or 2024-05-31T18:00+08:00"
        ) from None


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Raise UsageError if no time is both at `since` or later and before `until`."""
    if since and until and since >= until:
        raise UsageError(
            f"no time is since {_short(since)} and before {_short(until)}: give an until that is later than since"
        )


def _short(instant: datetime) -> str:
    """The instant without its time of day where that is midnight."""
    return iso_text(instant).removesuffix("T00:00:00.000Z")


def in_milliseconds(instant: datetime) -> datetime:
    """The instant as it is stored: in UTC, without the fraction of a millisecond."""
    utc = instant.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def milliseconds(instant: datetime) -> int:
    """Milliseconds from 1970 to the instant, rounded down."""
    return (instant - EPOCH) // RESOLUTION


def instant_of(milliseconds: int) -> datetime:
    """The instant that is so many milliseconds after the beginning of 1970. Raises OverflowError beyond year 9999."""
    return EPOCH + milliseconds * RESOLUTION


def iso_text(instant: datetime) -> str:
    """The instant as text (ISO 8601): `2022-01-11T17:39:03.000Z`."""
    return instant.astimezone(UTC).isoformat("T", "milliseconds").replace("+00:00", "Z")


def time_text(instant: datetime, smallest: str = "minutes") -> str:
    """The instant for people: `2022-01-11 17:39`. Not by strftime, which writes the year 1 as `1`."""
    return instant.replace(tzinfo=None).isoformat(" ", smallest)


def moment(when: datetime | None) -> str:
    """A time for people, to the second."""
    return f"{time_text(when, 'seconds')} UTC" if when else "an unknown time"


def length(time: timedelta) -> str:
    """A length of time in its two largest units, such as `1 h 30 min`."""
    seconds = max(round(time.total_seconds()), 0)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def json_text(value: object) -> str:
    """The text of an instant or of a day in JSON (ISO 8601). Raises TypeError for other values."""
    if isinstance(value, datetime):
        return iso_text(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
