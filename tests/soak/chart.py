"""Chart of a soak as SVG: memory, open files, lag and rows over time, with what was done to the daemon."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from tests.soak.program import Sample
from tests.soak.run import Event, Soak

WIDTH, LEFT, RIGHT = 820, 64, 16
TOP, PANEL, BETWEEN = 84, 130, 58
NAME = 140
"""The width of the name of a line."""
COLOURS = ("a", "b")
OUTAGES: dict[Event, Event] = {"network away": "network back", "portal": "portal away"}
"""What begins an outage, and what ends it."""
MARKS: dict[Event, str] = {"reload": "reload", "kill": "kill", "kill at rest": "kill"}
"""The class of the line of each event."""
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.background { fill: #ffffff; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.a { stroke: #0969da; } .b { stroke: #bc4c00; }
.outage { fill: #8c959f; opacity: 0.25; }
.kill { stroke: #cf222e; stroke-width: 1; stroke-dasharray: 5 3; }
.reload { stroke: #656d76; stroke-width: 1; stroke-dasharray: 1 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .background { fill: #0d1117; }
  .grid { stroke: #30363d; }
  .a { stroke: #58a6ff; } .b { stroke: #f0883e; }
  .outage { fill: #8b949e; opacity: 0.3; }
  .kill { stroke: #ff7b72; } .reload { stroke: #8b949e; }
}
"""


@dataclass(frozen=True)
class Line:
    """A named line: runs of points, a time in seconds and a value each, with a break between two runs."""

    name: str
    runs: Sequence[Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Panel:
    """A diagram; `title` names what its lines show and the unit."""

    title: str
    lines: Sequence[Line]


def chart(title: str, soak: Soak) -> str:
    """The whole chart."""
    panels = _panels(soak)
    length = max(sample.at for stretch in soak.stretches for sample in stretch.samples) - soak.began
    height = TOP + len(panels) * (PANEL + BETWEEN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="background" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        *_key(),
    ]
    for number, panel in enumerate(panels):
        parts += _drawn(panel, TOP + number * (PANEL + BETWEEN), length, soak)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panels(soak: Soak) -> list[Panel]:
    asked = sorted(seen.at for seen in soak.feeds.seen)
    return [
        Panel(
            "memory (MiB)",
            [
                _line("daemon", soak, lambda sample: sample.memory / 2**20),
                _line("its workers", soak, lambda sample: sample.workers / 2**20),
            ],
        ),
        Panel("open files", [_line("daemon", soak, lambda sample: sample.files)]),
        Panel(
            "lag behind the schedule (s)",
            [_line("longest due source", soak, lambda sample: sample.value("kzfeed_schedule_lag_seconds"))],
        ),
        Panel(
            "rows and requests (thousands)",
            [
                _line("articles", soak, lambda sample: sample.value("kzfeed_articles") / 1000),
                _line("requests", soak, lambda sample: bisect_right(asked, sample.at) / 1000),
            ],
        ),
    ]


def _line(name: str, soak: Soak, value: Callable[[Sample], float]) -> Line:
    return Line(name, [[(each.at - soak.began, value(each)) for each in run.samples] for run in soak.stretches])


def _key() -> Iterator[str]:
    """What the marks in all panels mean."""
    for number, (name, drawn) in enumerate(
        (
            ("kill -9 and a new start", '<line class="kill" x1="{0}" x2="{0}" y1="36" y2="50"/>'),
            ("reload with a changed list", '<line class="reload" x1="{0}" x2="{0}" y1="36" y2="50"/>'),
            ("no network, or a captive portal", '<rect class="outage" x="{0}" y="37" width="10" height="12"/>'),
        )
    ):
        x = LEFT + number * 200
        yield drawn.format(x) + f'<text x="{x + 16}" y="48">{name}</text>'


def _drawn(panel: Panel, top: float, length: float, soak: Soak) -> Iterator[str]:
    bottom = top + PANEL
    most = max((value for line in panel.lines for run in line.runs for _, value in run), default=0) or 1
    step = _step(most, 4)
    scale = step * -(-most // step)

    def x(seconds: float) -> float:
        return round(LEFT + seconds / length * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(bottom - value / scale * PANEL, 1)

    yield f'<text x="{LEFT}" y="{top - 8}">{escape(panel.title)}</text>'
    yield from _names(panel, top - 8)
    for number in range(round(scale / step) + 1):
        value = number * step
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value)}" y2="{y(value)}"/>'
        yield f'<text x="{LEFT - 8}" y="{y(value) + 4}" text-anchor="end">{value:,g}</text>'
    yield from _marks(soak, x, top)
    yield from _times(length, x, bottom)
    for line, colour in zip(panel.lines, COLOURS, strict=False):
        for run in line.runs:
            points = " ".join(f"{x(seconds)},{y(value)}" for seconds, value in run)
            yield f'<polyline class="line {colour}" points="{points}"/>'


def _names(panel: Panel, at: float) -> Iterator[str]:
    """What the lines are, in columns from the right."""
    for number, (line, colour) in enumerate(zip(panel.lines, COLOURS, strict=False)):
        x = WIDTH - RIGHT - NAME * (len(panel.lines) - number)
        yield f'<line class="line {colour}" x1="{x}" x2="{x + 18}" y1="{at - 4}" y2="{at - 4}"/>'
        yield f'<text x="{x + 24}" y="{at}">{escape(line.name)}</text>'


def _marks(soak: Soak, x: Callable[[float], float], top: float) -> Iterator[str]:
    for at, event in soak.events:
        place = x(at - soak.began)
        if event in MARKS:
            yield f'<line class="{MARKS[event]}" x1="{place}" x2="{place}" y1="{top}" y2="{top + PANEL}"/>'
        if event in OUTAGES:
            end = x(next(other for other, name in soak.events if name == OUTAGES[event] and other > at) - soak.began)
            yield f'<rect class="outage" x="{place}" y="{top}" width="{end - place:.1f}" height="{PANEL}"/>'


def _times(length: float, x: Callable[[float], float], bottom: float) -> Iterator[str]:
    unit, seconds = ("min", 60) if length >= 120 else ("s", 1)
    step = _step(length / seconds, 12)
    for number in range(floor(length / seconds / step) + 1):
        value = number * step
        yield f'<text x="{x(value * seconds)}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{bottom + 32}" text-anchor="end">time ({unit})</text>'


def _step(most: float, steps: int) -> float:
    """A round number of which about `steps` make `most`."""
    least = most / steps
    power = 10.0 ** floor(log10(least))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= least * 0.999)
