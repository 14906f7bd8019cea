"""Values in batches, because one statement takes only so many and memory holds only so many bodies."""

from collections.abc import Iterable
from typing import TypeVar

BATCH = 5_000
"""The most values in one IN list: SQLite limits the parameters of a statement."""
BODY_BATCH = 200
"""The most articles whose bodies are in memory at a time."""

Value = TypeVar("Value", int, str)


def in_batches(values: Iterable[Value], size: int = BATCH) -> Iterable[list[Value]]:
    """The values, sorted, in lists of at most `size`."""
    ordered = sorted(values)
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
