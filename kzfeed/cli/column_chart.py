"""Chart of counts over time for a terminal: a column for each day, or for several days if the width requires it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

STEPS = (1, 7, 30, 91, 365, 3_650, 36_500, 365_000, 3_650_000)
"""The numbers of days that a column may stand for."""
HEIGHT = 5
_WIDEST = 9
_EIGHTHS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Column:
    """The sum of the counts from `first` on, up to the next column."""

    first: date
    number: int


def columns(counts: Mapping[date, int], first: date, last: date, most: int) -> tuple[int, list[Column]]:
    """At most `most` columns for the days from `first` to `last`, and how many days each stands for."""
    days = (last - first).days + 1
    step = next(step for step in STEPS if days <= step * most)
    sums = [0] * -(-days // step)
    for day, number in counts.items():
        sums[(day - first).days // step] += number
    return step, [Column(first + timedelta(days=step * place), number) for place, number in enumerate(sums)]


def column_chart(shown: Sequence[Column], step: int, width: int) -> Iterator[str]:
    """The lines of the chart: columns in proportion to their numbers, the axis, and dates below it.

    No line is wider than `width`; there is room for `width - 12` columns at least.
    """
    most = max(column.number for column in shown)
    scale = max(7, len(f"{most:,}"))
    each = min(_WIDEST, (width - scale - 2) // len(shown))
    # A column with an article in it is never invisible.
    eighths = [max(1, round(column.number / most * HEIGHT * 8)) if column.number else 0 for column in shown]
    for row in reversed(range(HEIGHT)):
        label = f"{most:,}" if row == HEIGHT - 1 else ""
        cells = (_EIGHTHS[min(8, max(0, eighth - 8 * row))] * max(1, each - 1) for eighth in eighths)
        yield f"{label:>{scale}} │" + "".join(f"{cell:<{each}}" for cell in cells).rstrip()
    yield f"{0:>{scale}} └" + "─" * (each * len(shown))
    yield " " * (scale + 2) + _dates(shown, step, each).rstrip()


def _dates(shown: Sequence[Column], step: int, each: int) -> str:
    """Dates below the columns, each beginning at its column, with two spaces between them at least."""
    line = ""
    for place, column in enumerate(shown):
        label = f"{column.first.day} {column.first:%b}" if step < 30 else f"{column.first:%b} {column.first.year}"
        begins = place * each
        if (not line or len(line) + 2 <= begins) and begins + len(label) <= max(each * len(shown), len(label)):
            line = f"{line:<{begins}}{label}"
    return line
