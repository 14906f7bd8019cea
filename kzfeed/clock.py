"""The system's clock. Decisions take the time as an argument; only the outermost code asks for it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current time."""
    return datetime.now(UTC)
