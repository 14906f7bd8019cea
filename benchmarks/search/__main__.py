"""Benchmark of search: `python -m benchmarks.search [--articles 100000] [--texts FOLDER] [--database URL]`.

It makes an archive of articles of 1 KB, builds the index, and times the first page of many queries. With `--texts`
sentences come from the files of a folder, otherwise all from a dictionary. With `--engine postgresql` the archive is in
a PostgreSQL server of its own; `--database` keeps the archive, and finds it again.
"""

import argparse
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from benchmarks.search.texts import articles
from kzfeed.search.query import parse
from kzfeed.store import schema, tables
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.results import newest_results
from kzfeed.store.search.sqlite_schema import file_of
from kzfeed.store.search.upkeep import catch_up
from tests.databases import postgresql_server
from tests.search.reference import Text
from tests.search.texts import sentences
from tests.store.search_archive import add_articles, add_sources

LIVE = 2_000
"""Articles that are added and indexed at the end."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--texts", type=Path, help="a folder with Chinese texts")
    parser.add_argument("--queries", type=int, default=100, help="queries of each kind")
    parser.add_argument("--only-ask", action="store_true", help="use the index that is there")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--database", help="URL of the archive, empty or of an earlier run")
    options = parser.parse_args(arguments)
    real = sentences(options.texts) if options.texts else []
    with ExitStack() as stack:
        url = options.database
        if not url and options.engine == "postgresql":
            url = stack.enter_context(postgresql_server()).url
        database = Database(url or f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/kzfeed.db")
        schema.upgrade(database)
        with database.read() as connection:
            is_empty = connection.execute(sa.select(sa.func.max(tables.articles.c.id))).scalar() is None
        if is_empty:
            _fill(database, articles(options.articles + LIVE, real), options.articles)
        with open_index(database) as index:
            if not options.only_ask:
                _build(database, index, options.articles)
            _ask(database, index, options.queries)
            if options.only_ask:
                return
            _index_live(database, index, islice(articles(options.articles + LIVE, real), options.articles, None))
        database.close()


def _fill(database: Database, made: Iterator[Text], count: int) -> None:
    add_sources(database)
    for _ in range(0, count, 1000):
        add_articles(database, islice(made, min(1000, count)))


def _build(database: Database, index: Index, count: int) -> None:
    began, computed = time.monotonic(), time.process_time()
    index.rebuild(lambda done, total: None)
    took, computed = time.monotonic() - began, time.process_time() - computed
    _say(f"build: {count / took:,.0f} articles/s ({count / computed:,.0f} per second of CPU)")
    size = _index_size(database)
    with database.read() as connection:
        both = tables.articles.c.title + tables.articles.c.text
        is_sqlite = database.dialect == "sqlite"
        length = sa.func.length(sa.cast(both, sa.LargeBinary)) if is_sqlite else sa.func.octet_length(both)
        text = connection.execute(sa.select(sa.func.sum(length))).scalar_one()
    _say(f"index: {size / text:.2f} times the text of {text / 1e6:,.0f} MB")


def _index_size(database: Database) -> int:
    """Bytes that the index takes."""
    if database.file is None:
        with database.read() as connection:
            return int(connection.exec_driver_sql("SELECT pg_total_relation_size('search_docs')").scalar_one())
    with Database(f"sqlite:///{file_of(database.file)}").read() as connection:
        pages, free = (connection.exec_driver_sql(f"PRAGMA {each}_count").scalar_one() for each in ("page", "freelist"))
    return int((pages - free) * 16384)


def _ask(database: Database, index: Index, count: int) -> None:
    chance = random.Random(5)
    with database.read() as connection:
        highest = connection.execute(sa.select(sa.func.max(tables.articles.c.id))).scalar_one()
        ids = chance.sample(range(1, highest + 1), min(2000, highest))
        rows = [
            connection.execute(sa.select(tables.articles.c.text).where(tables.articles.c.id == each)).scalar_one()
            for each in ids
        ]
    runs = [run for row in rows for run in re.findall("[\u4e00-\u9fff]{10,}", row)]
    pairs = Counter(pair for row in rows for pair in {run[:2] for run in re.findall("(?=([\u4e00-\u9fff]{2}))", row)})
    frequent = [pair for pair, _ in pairs.most_common(30)]

    def part(size: int) -> str:
        run: str = chance.choice(runs)
        start = chance.randrange(len(run) - size + 1)
        return run[start : start + size]

    kinds = {
        "2 characters": [part(2) for _ in range(count)],
        "3 characters": [part(3) for _ in range(count)],
        "4 characters": [part(4) for _ in range(count)],
        "4 characters, absent": ["".join(chance.sample(part(10), 4)) for _ in range(count)],
        "1 character": [part(1) for _ in range(count)],
        "10 characters": [part(10) for _ in range(count)],
        "two frequent": [" ".join(chance.sample(frequent, 2)) for _ in range(count)],
        "frequent -frequent": ["{} -{}".format(*chance.sample(frequent, 2)) for _ in range(count)],
        "source": [f"{part(2)} source:c" for _ in range(count)],
        "month": [f"{chance.choice(frequent)} since:2018-05 until:2018-06" for _ in range(count)],
        "title": [f"title:{part(2)}" for _ in range(count)],
    }
    for kind, queries in kinds.items():
        for _ in range(2):  # the second time is counted
            took = [_time(database, index, query) for query in queries]
        wall, computed = ([each[number] for each in took] for number in (0, 1))
        _say(f"{kind}: {_figures(wall)}; CPU time {_figures(computed)}")


def _time(database: Database, index: Index, query: str) -> tuple[float, float]:
    """Milliseconds of wall time and of CPU time for the first page."""
    began, computed = time.perf_counter(), time.process_time()
    newest_results(database, index, parse(query), limit=20)
    return (time.perf_counter() - began) * 1000, (time.process_time() - computed) * 1000


def _figures(took: list[float]) -> str:
    p95 = statistics.quantiles(took, n=20)[-1]
    return f"median {statistics.median(took):.1f} ms, p95 {p95:.1f}, most {max(took):.1f}"


def _index_live(database: Database, index: Index, new: Iterator[Text]) -> None:
    add_articles(database, new)
    began = time.monotonic()
    count = catch_up(index)
    _say(f"live: {count / (time.monotonic() - began):,.0f} articles/s in batches")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
