"""Loop that kills whatever indexes an archive, at random instants, while the archive changes and searches run.

After every few kills the index catches up, and searches must find exactly what the reference finds. A search between
two kills may find something else only if it says that the index lags.
"""

import json
import math
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.search.query import parse
from kzfeed.store import tables
from kzfeed.store.engine import RECONNECT_S, Database
from kzfeed.store.search.index import Index, IndexUnusable
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.results import index_query
from kzfeed.store.search.sqlite_schema import file_of
from tests.databases import Databases, PostgreSQLServer
from tests.faults.changing_archive import ChangingArchive
from tests.faults.kill_loops import KILLS_A_ROUND, Figures
from tests.faults.processes import Launcher
from tests.fork_server import clean_environment, fork_server
from tests.search.reference import Text, found
from tests.search.texts import strings
from tests.store.search_archive import expected, hit_ids

KILLS_A_COMPARISON = 5
"""Kills after which the index catches up and is compared."""
INDEXER = "kzfeed of this test"
"""The name under which PostgreSQL knows the processes that are killed."""
SEARCH_PAUSE_S = 0.2
"""The time between two searches beside kills."""
_FIXED_QUERIES = ("中", "的", "在", "title:中国", "中国 -美国", "一 since:2021 until:2022-02", "人 source:b")
_ALL = 1_000_000


@dataclass
class IndexFigures(Figures):
    """Result of the loop. `compared` searches of a complete index, and `checked` ones beside kills, were exact."""

    ways: Counter[str] = field(default_factory=Counter)
    """What was killed, and how often."""
    compared: int = 0
    checked: int = 0
    said: Counter[str] = field(default_factory=Counter)
    """What searches beside kills said in place of an exact answer."""


def indexing_kills(
    databases: Databases,
    engine: str,
    kills: int,
    chance: random.Random,
    sentences: Sequence[str],
    server: PostgreSQLServer | None = None,
    on_progress: Callable[[IndexFigures], None] = lambda figures: None,
) -> IndexFigures:
    """Kill this many times what indexes; with the server, sometimes that or a backend instead of the process."""
    figures = IndexFigures()
    while figures.kills < kills:
        url = databases.new(engine)
        with ChangingArchive(url, sentences, chance_of(chance)) as archive:
            killer = _Killer(databases.folder, archive, figures, chance, server)
            with _Searcher(archive, figures, chance_of(chance), killer):
                for number in range(1, min(kills - figures.kills, KILLS_A_ROUND) + 1):
                    archive.wait_for_changes()
                    killer.kill()
                    if chance.random() < 0.5:
                        killer.search_at_once()
                    if number % KILLS_A_COMPARISON == 0:
                        _compare(archive, databases.folder, figures, chance)
            _compare(archive, databases.folder, figures, chance)
        figures.wrong += _verify(url, databases.folder)
        figures.rounds += 1
        on_progress(figures)
    return figures


def chance_of(chance: random.Random) -> random.Random:
    """A generator for another thread, whose numbers follow from the seed of this one."""
    return random.Random(chance.random())


class _Killer:
    """Killer of the processes that index one archive, and of what they need of PostgreSQL."""

    def __init__(
        self,
        folder: Path,
        archive: ChangingArchive,
        figures: IndexFigures,
        chance: random.Random,
        server: PostgreSQLServer | None,
    ) -> None:
        self._folder = folder
        self._archive = archive
        self._figures = figures
        self._chance = chance
        self._server = server
        self._url_file = folder / "url"
        self._url_file.write_text(f"{archive.url}\n", "utf-8")
        self._lengths = {"search": 0.5, "search --rebuild": 1.0, "process of the index": 0.5}
        self.away_until = 0.0
        """The instant until which the server may be away, and connections may say that it is."""

    def kill(self) -> None:
        """Start what indexes, often a second process beside it, and kill both or one of them."""
        chance = self._chance
        others = [self._start(chance.choice([*self._lengths]))] if chance.random() < 0.3 else []
        what = chance.choice([*self._lengths])
        way = chance.choices(("SIGKILL", "backend", "server"), (8, 1, 1))[0] if self._server else "SIGKILL"
        began = time.monotonic()
        process = self._start(what)
        status = fork_server().wait(process, chance.uniform(0, self._lengths[what]))
        if status is not None:
            self._figures.too_late += 1
            self._lengths[what] = time.monotonic() - began
        else:
            # What was killed may not have been near its end, where the index is replaced.
            self._lengths[what] = min(1.2 * self._lengths[what], 20)
            way = self._kill(process, way)
            self._figures.kills += 1
            self._figures.ways[f"{way} of {what}" if way != "server" else "server"] += 1
        for other in others:
            if chance.random() < 0.5:
                os.kill(other, signal.SIGKILL)
            fork_server().wait(other)

    def _start(self, what: str) -> int:
        environment = clean_environment(PGAPPNAME=INDEXER)
        log = str(self._folder / "kzfeed.log")
        if what == "process of the index":
            module = "tests.faults.index_process"
            return fork_server().start(
                [], self._folder, environment, stdin=str(self._url_file), stderr=log, module=module
            )
        words = [*what.split(), "中", "--database", self._archive.url]
        return fork_server().start(words, self._folder, environment, stderr=log)

    def _kill(self, process: int, way: str) -> str:
        if way == "server":
            self._kill_server()
        elif way == "backend" and not self._end_backends():
            way = "SIGKILL"  # it has none yet
        if way == "SIGKILL":
            os.kill(process, signal.SIGKILL)
        if fork_server().wait(process) is None:
            self._figures.wrong.append(f"a process goes on 180 s after the kill of its {way}")
            os.kill(process, signal.SIGKILL)
            fork_server().wait(process)
        return way

    def _kill_server(self) -> None:
        assert self._server
        self.away_until = math.inf
        self._server.crash()
        self._server.start()
        self.away_until = time.monotonic() + 3 * RECONNECT_S

    def _end_backends(self) -> int:
        database = Database(self._archive.url)
        with database.read() as connection:
            ended = connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s "
                "AND datname = current_database()",
                (INDEXER,),
            ).all()
        database.close()
        return len(ended)

    def search_at_once(self) -> None:
        """Search as a user does after a kill: the answer is exact, or the command says that it may not be."""
        with self._archive.paused():
            texts = self._archive.texts()
            query = strings(1, texts, self._chance)[0]
            words = ["search", query, "--json", "--limit", str(_ALL), "--database", self._archive.url]
            ran = fork_server().run(words, self._folder, clean_environment())
        if ran.returncode or "lags" in ran.stderr:
            self._figures.said[ran.stderr.strip().splitlines()[-1].partition(": ")[0]] += 1
            return
        self._figures.checked += 1
        positions = {each.id: (each.title, each.source) for each in texts}
        wanted = [positions[each] for each in expected(texts, query)]
        answer = [(each["title"], each["source"]) for each in json.loads(ran.stdout)]
        if answer != wanted:
            self._figures.wrong.append(f"`kzfeed search {query}` finds {len(answer)} articles, not {len(wanted)}")


class _Searcher:
    """Thread that searches all the time: it must find exactly what fits of what the index says that it holds."""

    def __init__(self, archive: ChangingArchive, figures: IndexFigures, chance: random.Random, killer: _Killer) -> None:
        self._archive = archive
        self._figures = figures
        self._chance = chance
        self._killer = killer
        self._has_index = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._search_all_the_time)

    def _search_all_the_time(self) -> None:
        database = Database(self._archive.url)
        with open_index(database) as index:
            while not self._stopping.wait(SEARCH_PAUSE_S):
                try:
                    self._search(database, index)
                    self._has_index = True
                except IndexUnusable as error:
                    if self._has_index:
                        self._figures.wrong.append(f"there was an index, and now {error.reason}")
                    self._figures.said[error.reason] += 1
                except DatabaseError as error:
                    if time.monotonic() > self._killer.away_until:
                        self._figures.wrong.append(f"a search fails: {error}")
                    self._figures.said["the database does not answer"] += 1
                except Exception as error:  # noqa: BLE001 - the thread must tell what is wrong
                    self._figures.wrong.append(f"a search fails: {error!r}")
        database.close()

    def _search(self, database: Database, index: Index) -> None:
        before = _state(database)
        with self._archive.paused():
            texts = self._archive.texts()
        query = self._chance.choice([*_FIXED_QUERIES, *strings(7, texts, self._chance)])
        with index.search(index_query(database, parse(query)), None, _ALL) as (hits, connection):
            ids = [hit.article_id for hit in hits]
            rows = connection.execute(_ROWS).all()
            change = tables.article_changes.c
            changed = connection.execute(sa.select(change.id, change.article_id)).all()
        if before is None or _state(database) != before:
            return  # the index has moved on meanwhile, and nobody knows which of its states answered
        missing = {row.article_id for row in changed if row.id > before[1]}
        held = [Text(*row) for row in rows if row.id <= before[0] and row.id not in missing]
        known = {each.id for each in held}
        wanted = [each.id for each in found(parse(query), held)]
        answer = [each for each in ids if each in known]
        self._figures.checked += 1
        if answer != wanted:
            self._figures.wrong.append(
                f"beside kills, {query} finds {len(answer)} articles instead of {len(wanted)} at {before}"
            )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()


_article, _source = tables.articles.c, tables.sources.c
_ROWS = sa.select(_article.id, _article.title, _article.text, _source.name, _article.published_at).join_from(
    tables.articles, tables.sources, _article.source_id == _source.id
)


def _state(archive: Database) -> tuple[Any, ...] | None:
    """The ids of the last article and the last change that the index holds, and when it was written."""
    database, file = archive, None
    if archive.file is not None:
        file = file_of(archive.file)
        if not file.exists():
            return None
        database = Database(f"sqlite:///{file}")
    try:
        with database.read() as connection:
            if not sa.inspect(connection).has_table("search_state"):
                return None
            row = connection.exec_driver_sql("SELECT article_id, change_id, indexed_at FROM search_state").one()
            return tuple(row)
    finally:
        if file:
            database.close()


def _compare(archive: ChangingArchive, folder: Path, figures: IndexFigures, chance: random.Random) -> None:
    """Let the index catch up, and compare what searches find with what the sources have shown."""
    database = Database(archive.url)
    with archive.paused(), ExitStack() as stack:
        stack.callback(database.close)
        index = stack.enter_context(open_index(database))
        texts = archive.texts()
        lost = sum(each.id < 0 for each in texts)
        if lost:
            figures.wrong.append(f"{lost} articles that a source showed are not stored")
        _search_until_nothing_lacks(Launcher(folder), archive.url, index)
        for query in (*_FIXED_QUERIES, *strings(13, texts, chance)):
            answer, wanted = hit_ids(database, index, query), expected(texts, query)
            figures.compared += 1
            if answer != wanted:
                figures.wrong.append(f"{query} finds {len(answer)} articles instead of {len(wanted)}")


def _search_until_nothing_lacks(launcher: Launcher, url: str, index: Index) -> None:
    """Search until the index is complete. For a few seconds a search takes the killed process for one at work."""
    until = time.monotonic() + 300
    while launcher.run(url, "search", "中亚") != 0 or index.lag().articles:
        assert time.monotonic() < until, "the index stays behind"
        time.sleep(0.5)


def _verify(url: str, folder: Path) -> Iterable[str]:
    ran = fork_server().run(["verify", "--database", url], folder, clean_environment())
    return [] if ran.returncode == 0 else [f"`kzfeed verify` exits with {ran.returncode}: {ran.stdout[-500:]}"]
