"""Instants as kzfeed stores and writes them: in UTC, in whole milliseconds."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESOLUTION = timedelta(milliseconds=1)
"""Two instants that differ by less may be one when they are stored."""
DAY_MS = 86_400_000
"""Milliseconds of a day."""


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
