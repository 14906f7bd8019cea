"""Benchmark of the archive browser: `python -m benchmarks.web [--articles 1000000] [--database URL] [--texts FOLDER]`.

It makes an archive with a search index, starts `kzfeed web` on it, and times pages of every kind, one at a time: wall
time, CPU time, sizes and memory. Then it stores polls while 8 clients reload heavy pages, and compares the times of the
transactions with those without clients. `--database` keeps the archive, and finds it again.
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median, quantiles

import sqlalchemy as sa

from benchmarks.__main__ import machine, say
from benchmarks.web.archive import fill
from benchmarks.web.commits import slowdown
from benchmarks.web.pages import Kind, draw, kinds
from benchmarks.web.server import Server, serving
from kzfeed.store import schema, tables
from kzfeed.store.engine import Database
from kzfeed.store.search.opening import open_index
from tests.databases import postgresql_server
from tests.search.texts import sentences

HEAD = (
    "| pages | asked | CPU ms, median | p95 | most | wall ms, median | p95 | most | KB, most | goal: p95 ms |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)
HEAVY = ("newest articles", "filtered articles", "search", "diff of a long article", "source, with heat map")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--asked", type=int, default=100, help="pages of each kind")
    parser.add_argument("--rounds", type=int, default=10, help="of commits, with clients and without")
    parser.add_argument("--texts", type=Path, help="a folder with Chinese texts")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--database", help="URL of the archive, empty or of an earlier run")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = options.database or f"sqlite:///{folder}/kzfeed.db"
        if not options.database and options.engine == "postgresql":
            url = stack.enter_context(postgresql_server()).url
        database = stack.enter_context(closing(Database(url)))
        schema.upgrade(database)
        if not _has_articles(database):
            fill(database, options.articles, options.sources, sentences(options.texts) if options.texts else [])
            with open_index(database) as index:
                index.rebuild(lambda done, total: None)
        say(f"{machine()}, load {os.getloadavg()[0]:.1f}; {database.dialect}, {options.articles:,} articles", "", *HEAD)
        by_name = kinds(draw(database))
        with serving(url, folder) as server:
            for name, kind in by_name.items():
                say(_row(name, kind, server, options.asked))
            memory = f"memory of kzfeed web: {server.peak_mb():.0f} MB at most"
            say("", f"{memory}; {len(server.late)} answers took too long and were asked for again", "")
            heavy = [by_name[name].path(random.Random(number)) for name in HEAVY for number in range(20)]
            say(*slowdown(database, server.port, heavy, options.rounds))
    return 0


def _has_articles(database: Database) -> bool:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.max(tables.articles.c.id))).scalar() is not None


def _row(name: str, kind: Kind, server: Server, count: int) -> str:
    chance = random.Random(name)
    paths = [kind.path(chance) for _ in range(count + 5)]
    asked = [server.ask(path) for path in paths][5:]
    cells = [name, str(len(asked))]
    for each in ("cpu_ms", "wall_ms"):
        took = [getattr(page, each) for page in asked]
        cells += [f"{median(took):.1f}", f"{quantiles(took, n=20, method='inclusive')[-1]:.1f}", f"{max(took):.1f}"]
    cells += [f"{max(page.size for page in asked) / 1000:.0f}", str(kind.goal_ms)]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
