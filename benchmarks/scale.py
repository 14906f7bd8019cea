"""What size costs: `python -m benchmarks.scale` prints what the store's work takes in a small archive and in a large,
and what a daemon of many sources takes.

Both archives are there at once and take turns, each on an engine of its own, so that whatever else the machine does
meanwhile falls on both alike. CPU time is this process's and that of PostgreSQL's process behind our connection.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from statistics import median

from benchmarks import scale_rows, scale_sources
from benchmarks.__main__ import note, say
from benchmarks.measure import Broken
from benchmarks.scale_clock import Cost
from benchmarks.scale_rows import Shape, fill
from benchmarks.scale_work import TASKS, Archive, Task
from kzfeed.store.engine import Database
from tests.databases import PostgreSQLServer, postgresql_server

SMALL = 100_000
GOAL = 1.3
WARM_UP = 6
"""So many samples of each task are not counted: PostgreSQL keeps statements only from the sixth time on."""
BYTES_AN_ARTICLE = 1700
"""What an archive takes on the disk at most while it is made."""
MOST_BYTES = 25e9

# --- the table -------------------------------------------------------------------------------------------------------

HEAD = (
    "| engine | work | samples | CPU ms at {small:,} | at {large:,} | × | wall ms at {small:,} | at {large:,} | × |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--articles", type=int, default=10_000_000, help="in the large archive")
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--only", choices=["articles", "sources"], help="archives of two sizes, or many sources")
    options = parser.parse_args(arguments)
    engines = ["sqlite", "postgresql"] if options.engine == "both" else [options.engine]
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    say(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, load {os.getloadavg()[0]:.1f}", "")
    if options.only != "sources":
        say(*(line.format(small=SMALL, large=options.articles) for line in HEAD))
        for engine in engines:
            for line in articles(engine, Shape(SMALL), Shape(options.articles), TASKS):
                say(line)
        say("")
    if options.only != "articles":
        for line in scale_sources.rows(engines):
            say(line)
    return 0


def articles(engine: str, little: Shape, big: Shape, tasks: Sequence[Task]) -> Iterator[str]:
    """Both archives made, a line for each task, both deleted."""
    require_room(little, big)
    with archive_of(engine, little) as one, archive_of(engine, big) as other:
        for task in tasks:
            yield row(engine, task, *measure(task, one, other))


def measure(task: Task, one: Archive, other: Archive) -> tuple[list[Cost], list[Cost]]:
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for archive in (one, other):
        scale_rows.checkpoint(archive.database)
    for sample in range(-WARM_UP, task.samples):
        # Each of them goes first as often as the other.
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
    """Raise Broken rather than fill the disk."""
    needed = sum(shape.articles for shape in shapes) * BYTES_AN_ARTICLE + 3e9
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > min(free, MOST_BYTES):
        raise Broken(f"needs {needed / 1e9:.0f} GB in {tempfile.gettempdir()}, {free / 1e9:.0f} are free")


@contextmanager
def archive_of(engine: str, shape: Shape) -> Iterator[Archive]:
    """An archive of this shape, alone on its engine, until the end of the block."""
    with ExitStack() as stack:
        server: PostgreSQLServer | None = None
        if engine == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-"))
            url = f"sqlite:///{folder}/kzfeed.db"
        else:
            server = stack.enter_context(postgresql_server())
            url = server.url
        database = Database(url)
        began = time.monotonic()
        fill(database, shape, server)
        size = scale_rows.size(database)
        note(f"{engine}: {shape.articles:,} articles, {size / 1e9:.2f} GB, {time.monotonic() - began:.0f} s")
        yield Archive(database, shape)
        database.close()


if __name__ == "__main__":
    sys.exit(main())
