"""Tables and bar charts on standard output, as wide as the terminal, with characters of double width aligned."""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from kzfeed.cli import terminal
from kzfeed.cli.output import print_line
from kzfeed.errors import UsageError
from kzfeed.text import json_line, plural, printable

PART = 100
"""The number of rows that are measured and printed together; later rows may widen the columns."""
NARROWEST = 8
"""The narrowest column to which a table is shrunk; a table that needs narrower ones is printed value by value."""
WIDEST_WHOLE = 60
"""The widest column of a table in a file or a pipe. Longer values stay whole and move what follows them."""
MAX_BARS = 1_000
_TIME_WIDTH = len("2022-01-11 17:39:03.000")
_GUTTER = "  "
_EIGHTHS = " ▏▎▍▌▋▊▉"

Row = Sequence[Any]


def value_text(value: object) -> str:
    """A value of the database as text, times as SQLite stores them."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case datetime():
            in_utc = value.astimezone(UTC) if value.tzinfo else value
            return in_utc.replace(tzinfo=None).isoformat(" ", "milliseconds")
        case date():
            return value.isoformat()
        case bytes():
            return f"x'{value.hex()}'"
        case dict() | list():
            return json_line(value, default=value_text)
        case _:
            return str(value)


def _cell(value: object, width: int | None) -> str:
    """A value in one line, not much longer than `width`."""
    text = value_text(value)
    return printable(" ".join((text if width is None else text[: 4 * width]).split()))


def sized(text: str, width: int, *, to_the_right: bool = False) -> str:
    """The text, shortened or padded to exactly this width."""
    from rich.cells import cell_len, set_cell_size

    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    padding = " " * (width - length)
    return padding + text if to_the_right else text + padding


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)


def _numeric_columns(rows: Sequence[Row], count: int) -> list[bool]:
    """For each column, whether it holds numbers and nothing else but NULL."""
    columns = [[row[number] for row in rows if row[number] is not None] for number in range(count)]
    return [bool(values) and all(map(_is_number, values)) for values in columns]


# --- tables ----------------------------------------------------------------------------------------------------------


def fitted_widths(natural: Sequence[int], room: int | None) -> list[int] | None:
    """Widths of columns that fit into `room`; None if they would become too narrow. Without a room: up to WIDEST_WHOLE.

    The widest columns are shrunk. A column just wide enough for a time is shrunk only if the others do not suffice.
    """
    if room is None:
        return [min(width, WIDEST_WHOLE) for width in natural]
    for kept in (_TIME_WIDTH, 0):
        for limit in range(room, NARROWEST - 1, -1):
            widths = [width if width <= kept else min(width, limit) for width in natural]
            if sum(widths) <= room:
                return widths
    return None


def print_table(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print the rows under the names of their columns, and how many there are."""
    width, iterator = terminal.width(sys.stdout), iter(rows)
    names = [_cell(name, width) for name in columns]
    room = width and width - len(_GUTTER) * (len(names) - 1)
    part = list(islice(iterator, PART))
    cells = _cells(part, width)
    natural = _widest(map(len, names), [names, *cells])
    widths = fitted_widths(natural, room)
    if widths is None:
        print(f"({plural(_print_records(names, chain(part, iterator), width), 'row')})")
        return
    numeric = _numeric_columns(part, len(names))
    for line in (names, ["─" * each for each in widths]):
        _print_cells(line, widths, numeric, whole=room is None)
    count = 0
    while part:
        for line in cells:
            _print_cells(line, widths, numeric, whole=room is None)
        count += len(part)
        part = list(islice(iterator, PART))
        cells = _cells(part, width)
        natural = _widest(natural, cells)
        widths = fitted_widths(natural, room) or widths
    print(f"({plural(count, 'row')})")


def _cells(rows: Sequence[Row], width: int | None) -> list[list[str]]:
    return [[_cell(value, width) for value in row] for row in rows]


def _widest(widths: Iterable[int], rows: Iterable[Sequence[str]]) -> list[int]:
    """The widths, enlarged to those of the widest cells."""
    from rich.cells import cell_len

    wide = list(widths)
    for row in rows:
        wide = [
            max(before, len(cell) if cell.isascii() else cell_len(cell)) for before, cell in zip(wide, row, strict=True)
        ]
    return wide


def _print_cells(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], *, whole: bool) -> None:
    if whole:
        widths = _widest(widths, [cells])
    cells_as_wide = (
        sized(cell, width, to_the_right=right) for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    print(_GUTTER.join(cells_as_wide).rstrip())


def _print_records(names: Sequence[str], rows: Iterable[Row], width: int | None) -> int:
    """Print each value on a line of its own, with an empty line between rows; return the number of rows."""
    widest = max(map(len, names))
    count = 0
    for count, row in enumerate(rows, 1):
        if count > 1:
            print()
        for name, value in zip(names, row, strict=True):
            print_line(f"{name:<{widest}}{_GUTTER}{_cell(value, width)}")
    return count


# --- charts ----------------------------------------------------------------------------------------------------------


def print_chart(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print a bar for each row: its first column is the label, its last column of numbers the length.

    Raises UsageError if there is no such column, or if there are more than `MAX_BARS` rows.
    """
    held = list(islice(rows, MAX_BARS + 1))
    if len(held) > MAX_BARS:
        raise UsageError(f"the chart would have more than {MAX_BARS:,} bars: add GROUP BY or LIMIT to the query")
    if not held:
        print("(0 rows)")
        return
    numeric = _numeric_columns(held, len(columns))
    numbers = [number for number in range(1, len(columns)) if numeric[number]]
    if not numbers:
        raise UsageError("a chart needs a label in the first column and a number in a later one")
    width = terminal.width(sys.stdout) or 80
    for line in chart_lines([(_cell(row[0], 80), row[numbers[-1]]) for row in held], width):
        print(line)


def chart_lines(bars: Sequence[tuple[str, int | float | Decimal | None]], width: int) -> Iterator[str]:
    """A line for each label and number: the label, the number, and a bar of a length in proportion to it.

    The longest bar ends at `width`. A number below zero has no bar, and neither has NULL.
    """
    from rich.cells import cell_len

    labels = min(max(cell_len(label) for label, _ in bars), width // 2)
    numbers = [_number_text(number) for _, number in bars]
    number_width = max(map(len, numbers))
    room = max(1, width - labels - number_width - 2 * len(_GUTTER))
    most = max(float(number or 0) for _, number in bars)
    for (label, number), shown in zip(bars, numbers, strict=True):
        eighths = round(float(number) / most * room * 8) if number and number > 0 else 0
        full, rest = divmod(eighths, 8)
        bar = "█" * full + (_EIGHTHS[rest] if rest else "")
        yield _GUTTER.join((sized(label, labels), f"{shown:>{number_width}}", bar)).rstrip()


def _number_text(number: int | float | Decimal | None) -> str:
    if number is None:
        return "NULL"
    return f"{int(number):,}" if number == int(number) else f"{float(number):.6g}"
