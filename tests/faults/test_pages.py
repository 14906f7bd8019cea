"""Pages of articles in a running daemon: they come after their polls, and a kill between the two loses none."""

import json
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.conftest import ENGINES
from tests.databases import Databases
from tests.etiquette.program import within
from tests.faults.processes import DAEMON, Running, configure
from tests.faults.web_server import FeedServer, Reply, Request

HOST = "127.0.9.20"
OPTIONS = json.dumps({"tick": 0.1})
SHORT_LEASE = json.dumps({"lease": 1, "tick": 0.1})
"""For pages that are taken over. A daemon on a busy machine may lose such a lease."""
PAGE = "<meta charset=utf-8><div class=post-content>灯塔照亮整条海岸线。</div>".encode()


def feed(pages: int = 1) -> bytes:
    """A feed with this many articles, whose pages are /1.html, /2.html and so on."""
    items = (
        f"<item><title>第{number}</title><link>/{number}.html</link><description>灯塔</description></item>"
        for number in range(1, pages + 1)
    )
    return f"<rss version='2.0'><channel><title>s</title>{''.join(items)}</channel></rss>".encode()


def configured(folder: Path, server: FeedServer) -> None:
    """Write a kzfeed.toml with the feed of the server and a selector."""
    file = configure(folder, {"s": f"{server.addresses[HOST]}/feed"}, every="1h")
    file.write_text(file.read_text("utf-8") + 'full_text = "css:div.post-content"\n', "utf-8")


def articles(url: str) -> list[tuple[int, str, str]]:
    """Revision, origin and text of every article."""
    database = Database(url)
    with database.read() as connection:
        article = tables.articles.c
        rows = connection.execute(sa.select(article.revision, article.content_from, article.text)).all()
    database.close()
    return [tuple(row) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_that_was_being_fetched_when_the_daemon_was_killed_is_fetched_by_the_next_one(
    engine: str, databases: Databases, tmp_path: Path
) -> None:
    may_answer = threading.Event()

    def answer(request: Request) -> Reply:
        if request.path == "/feed":
            return Reply(200, feed())
        if request.path == "/1.html":
            return Reply(200, PAGE, not_before=may_answer, content_type="text/html")
        return Reply(404)

    url = databases.new(engine)
    with FeedServer(answer, [HOST]) as server:
        configured(tmp_path, server)
        with Running(tmp_path, url, SHORT_LEASE, module=DAEMON) as killed:
            killed.wait_for("poll", outcome="new")
            server.wait_for_requests(3)  # the feed, robots.txt and the page
            killed.process.kill()
        may_answer.set()
        with Running(tmp_path, url, OPTIONS, module=DAEMON) as daemon:
            daemon.wait_for("page", outcome="stored")
            assert daemon.stop() == 0

        assert [request.path for request in server.requests] == ["/feed", "/robots.txt", "/1.html", "/1.html"]
    assert articles(url) == [(2, "page", "灯塔照亮整条海岸线。")]


@pytest.mark.slow
def test_a_daemon_that_is_stopped_during_a_slow_page_ends_in_time_and_leaves_the_page_due(
    databases: Databases, tmp_path: Path
) -> None:
    may_answer = threading.Event()

    def answer(request: Request) -> Reply:
        if request.path == "/feed":
            return Reply(200, feed())
        return Reply(404) if request.path == "/robots.txt" else Reply(200, PAGE, not_before=may_answer)

    url = databases.new("sqlite")
    with FeedServer(answer, [HOST]) as server:
        configured(tmp_path, server)
        with Running(tmp_path, url, OPTIONS, module=DAEMON) as daemon:
            server.wait_for_requests(3)
            assert daemon.stop() == 0
        may_answer.set()

    assert articles(url) == [(1, "feed", "灯塔")]
    database = Database(url)
    with database.read() as connection:
        (row,) = connection.execute(sa.select(tables.page_fetches)).all()
    database.close()
    assert row.next_try_at is not None
    assert (row.claimed_by, row.tries) == (None, 0)


@pytest.mark.slow
def test_two_daemons_on_one_postgresql_fetch_each_page_once(databases: Databases, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/feed":
            return Reply(200, feed(12))
        return Reply(404) if request.path == "/robots.txt" else Reply(200, PAGE, content_type="text/html")

    url = databases.new("postgresql")
    with FeedServer(answer, [HOST]) as server:
        configured(tmp_path, server)
        with (
            Running(tmp_path, url, OPTIONS, module=DAEMON) as first,
            Running(tmp_path, url, OPTIONS, module=DAEMON) as second,
        ):
            within(120, lambda: len(first.named("page") + second.named("page")) >= 12)
            assert (first.stop(), second.stop()) == (0, 0)
        paths = [request.path for request in server.requests if request.path.endswith(".html")]
        stored = [*first.named("page"), *second.named("page")]

    assert sorted(paths) == sorted(f"/{number}.html" for number in range(1, 13))
    assert len(stored) == 12
    assert {origin for _, origin, _ in articles(url)} == {"page"}
