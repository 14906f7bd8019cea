"""The simulation in figures: what each way of polling costs and misses, by kind of publisher, as a Markdown table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from benchmarks.simulation.drive import Record, Visitor, every, politely
from benchmarks.simulation.world import DAY, HOUR, MINUTE, Publisher
from kzfeed.schedule.interval import IntervalBounds

AUTO = IntervalBounds(min_interval=timedelta(minutes=15), max_interval=timedelta(hours=2))
AUTO_FOR_LONG = IntervalBounds(min_interval=timedelta(minutes=15), max_interval=timedelta(hours=24))

HOURLY = "hourly, come what may"
FIXED = '`every = "1h"`'
ADAPTED = "`auto`, at most 2 h"
RARE = "`auto`, at most 24 h"

OFTEN = every(15 * MINUTE, refused=False)
"""As often as the operator allows, and no server minds: what this misses nobody can have."""

WAYS: Mapping[str, Visitor] = {
    HOURLY: every(HOUR),
    FIXED: politely(AUTO, auto=False),
    ADAPTED: politely(AUTO, auto=True),
    RARE: politely(AUTO_FOR_LONG, auto=True),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of several publishers and one way of polling. Requests are a source and day, the mean delay is in minutes."""

    sources: int
    entries: int
    requests: float
    missed: int
    delay: float

    def __str__(self) -> str:
        return f"{self.requests:.1f} · {self.missed} · {self.delay:.0f} min"


def figures(records: Sequence[Record], until: float) -> Figures:
    """What these came to together."""
    seen = sum(len(record.delays) for record in records)
    missed = sum(len(record.missed) for record in records)
    return Figures(
        sources=len(records),
        entries=seen + missed,
        requests=sum(record.requests for record in records) / len(records) / (until / DAY),
        missed=missed,
        delay=sum(sum(record.delays) for record in records) / max(seen, 1) / MINUTE,
    )


def by_kind(publishers: Sequence[Publisher], way: Visitor, until: float) -> dict[str, list[Record]]:
    """The records of each kind, in the order of the world."""
    records: dict[str, list[Record]] = {}
    for publisher in publishers:
        records.setdefault(publisher.kind, []).append(way(publisher, until))
    return records


def table(publishers: Sequence[Publisher], until: float) -> str:
    """One line a kind and one for all, one column a way: requests a source and day · entries missed · mean delay."""
    runs = {name: by_kind(publishers, way, until) for name, way in WAYS.items()}
    lines = [f"| kind | sources | entries | {' | '.join(runs)} |", "| --- " * (3 + len(runs)) + "|"]
    for kind in [*next(iter(runs.values())), "all"]:
        cells = [_of_kind(run, kind, until) for run in runs.values()]
        shown = " | ".join(map(str, cells))
        lines.append(f"| {kind} | {cells[0].sources} | {max(cell.entries for cell in cells):,} | {shown} |")
    often = figures([record for group in by_kind(publishers, OFTEN, until).values() for record in group], until)
    lines += ["", f"A poll every 15 minutes that no server refused would miss {often.missed}."]
    return "\n".join(lines)


def _of_kind(run: Mapping[str, list[Record]], kind: str, until: float) -> Figures:
    records = [record for group in run.values() for record in group] if kind == "all" else run[kind]
    return figures(records, until)
