"""Pages of articles in a running daemon: they come after their polls, and a kill between the two loses none."""

import json
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply, Request

HOST = "127.0.9.20"
OPTIONS = json.dumps({"lease": 1, "tick": 0.1})
DAEMON = (sys.executable, "-m", "tests.faults.daemon", OPTIONS)
FEED = (
    "<rss version='2.0'><channel><title>s</title>"
    "<item><title>标题</title><link>/1.html</link><description>灯塔</description></item></channel></rss>"
).encode()
PAGE = "<meta charset=utf-8><div class=post-content>灯塔照亮整条海岸线。</div>".encode()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_that_was_being_fetched_when_the_daemon_was_killed_is_fetched_by_the_next_one(
    engine: str, databases: Databases, tmp_path: Path
) -> None:
    may_answer = threading.Event()

    def answer(request: Request) -> Reply:
        if request.path == "/feed":
            return Reply(200, FEED)
        if request.path == "/1.html":
            return Reply(200, PAGE, not_before=may_answer, content_type="text/html")
        return Reply(404)

    url = databases.new(engine)
    with FeedServer(answer, [HOST]) as server:
        file = configure(tmp_path, {"s": f"{server.addresses[HOST]}/feed"}, every="1h")
        file.write_text(file.read_text("utf-8") + 'full_text = "css:div.post-content"\n', "utf-8")
        with Running(tmp_path, url, command=DAEMON) as killed:
            killed.wait_for("poll", outcome="new")
            server.wait_for_requests(3)  # the feed, robots.txt and the page
            killed.process.kill()
        may_answer.set()
        with Running(tmp_path, url, command=DAEMON) as daemon:
            daemon.wait_for("page", outcome="stored")
            assert daemon.stop() == 0

        assert [request.path for request in server.requests] == ["/feed", "/robots.txt", "/1.html", "/1.html"]
    database = Database(url)
    with database.read() as connection:
        article = tables.articles.c
        rows = connection.execute(sa.select(article.revision, article.content_from, article.text)).all()
    database.close()
    assert rows == [(2, "page", "灯塔照亮整条海岸线。")]
