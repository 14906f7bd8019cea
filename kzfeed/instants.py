"""Instants as kzfeed stores and writes them: in UTC, in whole milliseconds."""

from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESOLUTION = timedelta(milliseconds=1)
"""Two instants that differ by less may be one when they are stored."""
DAY_MS = 86_400_000
"""Milliseconds of a day."""


def typed_instant(text: str) -> datetime:
    """The instant that a person typed: ISO 8601, also a year or a month alone. Without an offset it is in UTC.

    Raises ValueError.
    """
    try:
        written = datetime.fromisoformat(text + {4: "-01-01", 7: "-01"}.get(len(text), ""))
        return written.astimezone(UTC) if written.tzinfo else written.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            "expected a time such as 2024, 2024-05-31 or 2024-05-31T18:00 in UTC, or 2024-05-31T18:00+08:00"
        ) from None


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


def json_text(value: object) -> str:
    """The text of an instant or of a day in JSON (ISO 8601). Raises TypeError for other values."""
    if isinstance(value, datetime):
        return iso_text(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
