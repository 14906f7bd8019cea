"""Benchmark of size: `python -m benchmarks.scale` compares the store's work in a small archive and in a large one, and
measures a daemon that has many sources, claims while all sources are due, and several writers at once.

The two archives take turns, each on its own server, so that a disturbance falls on both alike. CPU time includes that
of PostgreSQL's process behind our connection.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from statistics import median

from benchmarks.__main__ import machine, say
from benchmarks.measure import Broken
from benchmarks.scale import archives, backlog, many_sources, start, writers
from benchmarks.scale.archives import Shape, fill
from benchmarks.scale.cost import Cost
from benchmarks.scale.work import TASKS, Archive, Task
from kzfeed.store.engine import Database
from tests.databases import PostgreSQLServer, postgresql_server

SMALL = 100_000
GOAL = 1.3
WARM_UP = 6
"""Samples of each task that are not counted. PostgreSQL caches a plan from the sixth execution on."""
BYTES_AN_ARTICLE = 1700
"""Most disk space that an archive takes while it is made."""
MAX_BYTES = 25e9

# --- the table -------------------------------------------------------------------------------------------------------

HEAD = (
    "| engine | work | samples | CPU ms at {small:,} | at {large:,} | × | wall ms at {small:,} | at {large:,} | × |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--articles", type=int, default=10_000_000, help="in the large archive")
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--only", choices=["articles", "sources", "start", "backlog", "writers"])
    options = parser.parse_args(arguments)
    engines = ["sqlite", "postgresql"] if options.engine == "both" else [options.engine]
    say(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, load {os.getloadavg()[0]:.1f}", "")
    if options.only in (None, "articles"):
        say(*(line.format(small=SMALL, large=options.articles) for line in HEAD))
        for engine in engines:
            for line in articles(engine, Shape(SMALL), Shape(options.articles), TASKS):
                say(line)
        say("")
    parts: dict[str, Iterator[str]] = {
        "sources": many_sources.rows(engines),
        "start": start.table(engines),
        "backlog": backlog.table(engines),
        "writers": writers.table() if "postgresql" in engines else iter(()),
    }
    for name, lines in parts.items():
        if options.only in (None, name):
            for line in lines:
                say(line)
            say("")
    return 0


def articles(engine: str, little: Shape, big: Shape, tasks: Sequence[Task]) -> Iterator[str]:
    """One line of the table for each task, measured in a small and a large archive that are made for it."""
    require_room(little, big)
    with archive_of(engine, little) as one, archive_of(engine, big) as other:
        for task in tasks:
            yield row(engine, task, *measure(task, one, other))


def measure(task: Task, one: Archive, other: Archive) -> tuple[list[Cost], list[Cost]]:
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for archive in (one, other):
        archives.checkpoint(archive.database)
    for sample in range(-WARM_UP, task.samples):
        # Each archive goes first in half of the samples.
        for place in (sample % 2, 1 - sample % 2):
            archive = (one, other)[place]
            cost = archive.clock.cost_of(task.prepare(archive, task.units))
            if sample >= 0:
                costs[place].append(cost)
    return costs


def row(engine: str, task: Task, one: Sequence[Cost], other: Sequence[Cost]) -> str:
    cells = [engine, task.title, str(len(one))]
    for name in ("cpu", "wall"):
        small, big = (median(getattr(cost, name) for cost in costs) for costs in (one, other))
        cells += [f"{small:,.2f}", f"{big:,.2f}", f"{big / small:.2f}{' !' if big / small > GOAL else ''}"]
    return f"| {' | '.join(cells)} |"


def require_room(*shapes: Shape) -> None:
    """Raise Broken if the disk has too little room for these archives."""
    needed = sum(shape.articles for shape in shapes) * BYTES_AN_ARTICLE + 3e9
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > min(free, MAX_BYTES):
        raise Broken(f"needs {needed / 1e9:.0f} GB in {tempfile.gettempdir()}, {free / 1e9:.0f} are free")


@contextmanager
def archive_of(engine: str, shape: Shape) -> Iterator[Archive]:
    """A new archive of this shape, for the length of the block."""
    with ExitStack() as stack:
        server: PostgreSQLServer | None = None
        if engine == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-"))
            url = f"sqlite:///{folder}/kzfeed.db"
        else:
            server = stack.enter_context(postgresql_server())
            url = server.url
        database = Database(url)
        fill(database, shape, server)
        yield Archive(database, shape)
        database.close()


if __name__ == "__main__":
    sys.exit(main())
