"""The search index beside the daemon, and after kills: it follows the archive, and nothing is lost."""

import random
import time
from pathlib import Path

import pytest

from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.search.index import IndexUnusable
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.upkeep import SMALL_LAG
from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.growing_feeds import document
from tests.faults.index_kills import indexing_kills
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply
from tests.search.reference import Text
from tests.store.search_archive import add_articles, add_sources, search

KILLS = 3
WORDS = ("中亚", "哈薩克斯坦", "普京", "北京", "中国", "在", "的", "一", "人", "Kazakhstan", "。")


def wait_until_indexed(database: Database, articles: int) -> list[int]:
    """What a search for 中亚 finds, once the index holds at least so many articles, all that there are."""
    until = time.monotonic() + 120
    with open_index(database) as index:
        while time.monotonic() < until:
            try:
                if index.articles() >= articles and not index.lag().articles:
                    return search(database, index, "中亚")
            except IndexUnusable:
                pass
            time.sleep(0.05)
    raise AssertionError("the index does not follow the archive")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_daemon_indexes_what_it_polls_and_what_others_store(engine: str, tmp_path: Path, postgresql: str) -> None:
    url = Databases(tmp_path, postgresql).new(engine)
    with FeedServer(lambda _: Reply(200, document("one", 0)), ["127.0.9.1"]) as server:
        configure(tmp_path, {"one": f"{server.addresses['127.0.9.1']}/feed"}, every="400ms")
        with Running(tmp_path, url, "run") as daemon:
            daemon.wait_for("poll")
            database = Database(url)
            assert wait_until_indexed(database, 1) == []

            add_articles(database, [Text(1000, "中亚", "", "a")])
            assert wait_until_indexed(database, 1000) == [1000]

            with daemon.paused():
                for file in tmp_path.glob("*.search.db*"):
                    file.unlink()
            assert wait_until_indexed(database, 1000) == [1000]

            assert daemon.stop() == 0
            database.close()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_large_archive_is_indexed_by_a_process_of_its_own(engine: str, tmp_path: Path, postgresql: str) -> None:
    url = Databases(tmp_path, postgresql).new(engine)
    database = Database(url)
    schema.upgrade(database)
    add_sources(database)
    add_articles(database, [Text(number, "中亚", "") for number in range(1, SMALL_LAG + 100)])
    configure(tmp_path, {"one": "http://127.0.9.2:9/feed"}, every="1h")
    with Running(tmp_path, url, "run") as daemon:
        daemon.wait_for("building the search index")
        # The process yields to all others of a busy machine.
        daemon.wait_for("search index complete", timeout=480)

        assert len(wait_until_indexed(database, SMALL_LAG)) == SMALL_LAG + 99
        assert daemon.stop() == 0
    database.close()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_kills_while_indexing_lose_nothing(engine: str, tmp_path: Path, postgresql: str) -> None:
    chance = random.Random()
    sentences = ["".join(chance.choices(WORDS, k=10)) for _ in range(200)]

    figures = indexing_kills(Databases(tmp_path, postgresql), engine, KILLS, chance, sentences)

    assert figures.wrong == []
    assert figures.kills >= KILLS
    assert figures.compared > 0
