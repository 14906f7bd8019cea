"""Charts as SVG, each with its title and the same figures as a table.

Positions are percentages, so that a chart fits any width while its text and its hatching keep their size. Colours are
in the style sheet.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from markupsafe import Markup, escape

from kzfeed.instants import time_text
from kzfeed.text import printable, shortened

PLOT_HEIGHT = 100
_LABELS_HEIGHT = 18
_GREATEST_WIDTH = 6
"""Percent of the width that a column has where there are few."""
_BAND_ROW_HEIGHT, _BAND_HEIGHT = 38, 16
_BAND_TOP, _BAND_NAME_BASELINE = 18, 13
"""Where the bands of a row begin below its top, and the baseline of the name above them."""
_LEAST_BAND_WIDTH = 0.4
"""Percent of the width that the shortest band has, so that it can be seen."""
_MAX_BAND_NAME_LENGTH = 60
_CELL, _CELL_DISTANCE = 11, 13
_HEAT_LEFT, _HEAT_TOP = 30, 16
_HEAT_LEVELS = 4

FormatNumber = Callable[[int], str]
"""Writes a number as a language writes it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, and the address that it links to, if any."""

    text: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of a chart: the headings of the columns, and rows whose first cell is the heading of the row."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its title, the picture, the same as a table, and the colours by their class in the style sheet."""

    title: str
    svg: Markup
    table: Table
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what it stands for, its number, and the address that it links to."""

    label: str
    number: int
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a stacked chart: its class in the style sheet, its name, and its number in each column."""

    css_class: str
    name: str
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time, and what is said of it."""

    first: datetime
    last: datetime
    label: str


@dataclass(frozen=True, slots=True)
class BandRow:
    """The bands of one source, and the address of its page."""

    name: str
    address: str
    bands: Sequence[Band]


# --- bars ------------------------------------------------------------------------------------------------------------


def bar_chart(title: str, head: Sequence[str], bars: Sequence[Bar], format_number: FormatNumber) -> Chart:
    """Bars in proportion to their numbers, each a link. There must be one at least."""
    most = max(bar.number for bar in bars)
    columns = zip(_columns(len(bars), most), bars, strict=True)
    drawn = Markup().join(_bar(bar, column, format_number) for column, bar in columns if bar.number)
    rows = [(Cell(bar.label, bar.address), Cell(format_number(bar.number))) for bar in bars if bar.number]
    picture = _plot(title, drawn, format_number(most), [bar.label for bar in bars])
    return Chart(title, picture, Table(head, rows))


@dataclass(frozen=True, slots=True)
class _PlotColumn:
    """A column of a plot: its left side and width in percent, and the number that would fill it."""

    left: float
    width: float
    most: int

    def rectangle(self, css_class: str, below: int, number: int) -> Markup:
        """A part of the column that is as high as `number`, above other parts as high as `below`."""
        height = max(100 * (number / self.most), 1)
        gap = min(1.0, self.width * 0.15)
        return Markup('<rect class="{}" x="{:.1f}%" y="{:.1f}%" width="{:.1f}%" height="{:.1f}%"/>').format(
            css_class, self.left + gap / 2, 100 - 100 * (below / self.most) - height, self.width - gap, height
        )


def _columns(count: int, most: int) -> Iterator[_PlotColumn]:
    """So many columns of a plot: the first and the last one at its edges, above their labels."""
    width = min(100 / count, _GREATEST_WIDTH)
    step = (100 - width) / max(count - 1, 1)
    return (_PlotColumn(number * step, width, most) for number in range(count))


def _bar(bar: Bar, column: _PlotColumn, format_number: FormatNumber) -> Markup:
    label = f"{bar.label}: {format_number(bar.number)}"
    drawn = column.rectangle("bar", 0, bar.number)
    if bar.address is None:
        return Markup("<g><title>{}</title>{}</g>").format(_text(label), drawn)
    # Not in the order of the tabulator key: the table has the same links.
    return Markup('<a href="{}" tabindex="-1"><title>{}</title>{}</a>').format(_text(bar.address), _text(label), drawn)


def stacked_chart(
    title: str, head: Sequence[str], labels: Sequence[str], series: Sequence[Series], format_number: FormatNumber
) -> Chart:
    """Columns of several colours. There must be one at least."""
    stacks = list(zip(labels, zip(*(each.numbers for each in series), strict=True), strict=True))
    most = max(1, *(sum(numbers) for _, numbers in stacks))
    drawn = Markup().join(
        _stack(label, list(zip(series, numbers, strict=True)), column, format_number)
        for column, (label, numbers) in zip(_columns(len(stacks), most), stacks, strict=True)
        if any(numbers)
    )
    rows = [
        (Cell(label), *(Cell(format_number(each)) for each in numbers)) for label, numbers in stacks if any(numbers)
    ]
    legend = [(each.css_class, each.name) for each in series]
    names = [each.name for each in series]
    return Chart(title, _plot(title, drawn, format_number(most), labels), Table([*head, *names], rows), legend)


def _stack(
    label: str, numbers: Sequence[tuple[Series, int]], column: _PlotColumn, format_number: FormatNumber
) -> Markup:
    parts, below = [], 0
    for series, number in numbers:
        if number:
            parts.append(column.rectangle(series.css_class, below, number))
        below += number
    named = ", ".join(f"{series.name} {format_number(number)}" for series, number in numbers if number)
    return Markup("<g><title>{}</title>{}</g>").format(_text(f"{label}: {named}"), Markup().join(parts))


def _plot(title: str, drawn: Markup, most: str, labels: Sequence[str]) -> Markup:
    """Drawn columns between the greatest number above and the first and last label below."""
    height = PLOT_HEIGHT + 2 * _LABELS_HEIGHT
    baseline = _LABELS_HEIGHT + PLOT_HEIGHT
    below = Markup('<text x="0" y="{}">{}</text>').format(height - 4, _text(labels[0]))
    if len(labels) > 1:
        below += Markup('<text x="100%" y="{}" text-anchor="end">{}</text>').format(height - 4, _text(labels[-1]))
    return _svg(
        title,
        height,
        Markup(
            '<text x="0" y="12">{}</text><svg x="0" y="{}" width="100%" height="{}">{}</svg>'
            '<line class="axis" x1="0" x2="100%" y1="{}" y2="{}"/>{}'
        ).format(most, _LABELS_HEIGHT, PLOT_HEIGHT, drawn, baseline, baseline, below),
    )


# --- bands -----------------------------------------------------------------------------------------------------------


def band_chart(
    name: str, title: str, head: Sequence[str], span: tuple[datetime, datetime], rows: Sequence[BandRow]
) -> Chart:
    """A row for each source with hatched bands within a span of time. `name` must be unique on its page."""
    height = _BAND_ROW_HEIGHT * len(rows) + _LABELS_HEIGHT
    first, last = span
    hatching = Markup(
        '<defs><pattern id="{}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect class="hatch" width="3" height="6"/></pattern></defs>'
    ).format(f"hatch-{name}")
    drawn = Markup().join(_band_row(name, row, span, _BAND_ROW_HEIGHT * place) for place, row in enumerate(rows))
    labels = Markup('<text x="0" y="{}">{}</text><text x="100%" y="{}" text-anchor="end">{}</text>').format(
        height - 4, f"{first.date()}", height - 4, f"{last.date()}"
    )
    cells = [
        (Cell(row.name, row.address), Cell(time_text(band.first)), Cell(time_text(band.last)))
        for row in rows
        for band in row.bands
    ]
    return Chart(title, _svg(title, height, hatching + drawn + labels), Table(head, cells))


def _band_row(name: str, row: BandRow, span: tuple[datetime, datetime], top: int) -> Markup:
    first, last = span
    length = max((last - first) / timedelta(seconds=1), 1)
    bands = Markup()
    for band in row.bands:
        begin, end = (
            100 * ((min(max(when, first), last) - first) / timedelta(seconds=1)) / length
            for when in (band.first, band.last)
        )
        width = max(end - begin, _LEAST_BAND_WIDTH)
        bands += Markup(
            "<g><title>{}</title>"
            '<rect class="band" fill="url(#{})" x="{:.2f}%" y="{}" width="{:.2f}%" height="{}"/></g>'
        ).format(_text(band.label), f"hatch-{name}", min(begin, 100 - width), top + _BAND_TOP, width, _BAND_HEIGHT)
    return Markup('<text x="0" y="{}">{}</text><rect class="lane" x="0" y="{}" width="100%" height="{}"/>{}').format(
        top + _BAND_NAME_BASELINE,
        _text(shortened(row.name, _MAX_BAND_NAME_LENGTH)),
        top + _BAND_TOP,
        _BAND_HEIGHT,
        bands,
    )


# --- heat map --------------------------------------------------------------------------------------------------------


def heat_map(
    title: str,
    head: Sequence[str],
    counts: Mapping[date, int],
    days: tuple[date, date],
    format_number: FormatNumber,
) -> Chart:
    """A square for each day from the first to the last of `days`, darker for more; a column for each week.

    `head` has the heading for the first day of a week, and the short names of the seven days, Monday first.
    """
    first, last = days
    weekdays = head[1:]
    shown = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    weeks = [list(week) for _, week in groupby(shown, _monday)]
    limits = _limits([counts[day] for day in shown if counts.get(day)])
    squares = "".join(
        _square(day, counts.get(day, 0), limits, column, format_number)
        for column, week in enumerate(weeks)
        for day in week
    )
    names = Markup().join(
        Markup('<text x="0" y="{}">{}</text>').format(_HEAT_TOP + _CELL_DISTANCE * row + 10, _text(weekdays[row]))
        for row in (0, 2, 4)
    )
    months = Markup().join(_month_names(weeks))
    width = _HEAT_LEFT + _CELL_DISTANCE * len(weeks)
    rows = [
        (
            Cell(f"{_monday(week[0])}"),
            *(Cell(_of_weekday(week, weekday, counts, format_number)) for weekday in range(7)),
        )
        for week in weeks
        if any(counts.get(day) for day in week)
    ]
    picture = _svg(title, _HEAT_TOP + 7 * _CELL_DISTANCE, months + names + Markup(squares), width)  # noqa: S704 - numbers and escaped text
    return Chart(title, picture, Table(head, rows))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _limits(numbers: Sequence[int]) -> list[int]:
    """The numbers from which the second to the last colour begin: a quarter of the days has each colour."""
    ordered = sorted(numbers)
    return [ordered[len(ordered) * level // _HEAT_LEVELS] for level in range(1, _HEAT_LEVELS)] if ordered else []


def _square(day: date, count: int, limits: Sequence[int], column: int, format_number: FormatNumber) -> str:
    # Not by Markup.format, which takes as long for a year as all queries of a page.
    x, y = _HEAT_LEFT + _CELL_DISTANCE * column, _HEAT_TOP + _CELL_DISTANCE * day.weekday()
    level = 1 + sum(count >= limit for limit in limits) if count else 0
    square = f'<rect class="heat{level}" x="{x}" y="{y}" width="{_CELL}" height="{_CELL}"'
    return f"{square}><title>{day}: {escape(format_number(count))}</title></rect>" if count else f"{square}/>"


def _month_names(weeks: Sequence[Sequence[date]]) -> Iterator[Markup]:
    """The number of each month above its first day, in January with the year."""
    for column, week in enumerate(weeks):
        begins = next((day for day in week if day.day == 1), None)
        if begins and column + 3 <= len(weeks):
            label = f"{begins}"[:7] if begins.month == 1 else f"{begins:%m}"
            yield Markup('<text x="{}" y="11">{}</text>').format(_HEAT_LEFT + _CELL_DISTANCE * column, label)


def _of_weekday(week: Sequence[date], weekday: int, counts: Mapping[date, int], format_number: FormatNumber) -> str:
    day = next((day for day in week if day.weekday() == weekday), None)
    return "" if day is None else format_number(counts.get(day, 0))


# --- SVG -------------------------------------------------------------------------------------------------------------


def _svg(title: str, height: int, inner: Markup, width: int | None = None) -> Markup:
    """The picture. It has the role of a group if it holds links, whose names the role of an image would hide."""
    role = "group" if "<a " in inner else "img"
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="{}" aria-label="{}" width="{}" height="{}">'
        "<title>{}</title>{}</svg>"
    ).format(role, _text(title), "100%" if width is None else width, height, _text(title), inner)


def _text(text: str) -> str:
    """The text without the characters that XML forbids."""
    return printable(text).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
