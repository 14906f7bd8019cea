"""A hostile page costs only itself: the other pages of its feed are stored, and so is everything else."""

import gzip
from datetime import timedelta

import pytest

from kzfeed.sandbox.pool import PAGE_COMMAND, Workers
from tests.etiquette.recording_server import Reply
from tests.pages.conftest import ITEM, Archive, Item, feed, page

HTML = ("Content-Type", "text/html")
SECOND = Item("第二", "/a/2.html")

HOSTILE = [
    pytest.param(Reply(200, [HTML], b"<p>", delay=60), "timeout", id="slow", marks=pytest.mark.slow),
    pytest.param(Reply(200, [HTML], b"<p>" * 2_000_000), "too-large", id="endless"),
    pytest.param(
        Reply(200, [HTML, ("Content-Encoding", "gzip")], gzip.compress(b"<p>" * 3_000_000)), "too-large", id="bomb"
    ),
    pytest.param(Reply(302, [("Location", "http://127.0.0.2:1/")]), "forbidden-address", id="redirect inward"),
    pytest.param(Reply(302, [("Location", "http://169.254.169.254/")]), "forbidden-address", id="redirect to metadata"),
    pytest.param(Reply(302, [("Location", "file:///etc/passwd")]), "bad-redirect", id="redirect to a file"),
    pytest.param(Reply(302, [("Location", "/a/1.html")]), "bad-redirect", id="redirect in a circle"),
    pytest.param(Reply(200, [HTML], b"<div class=post-content>", declared=99), "bad-response", id="torn"),
]


@pytest.mark.parametrize(("reply", "kind"), HOSTILE)
def test_a_hostile_page_costs_only_itself(archive: Archive, reply: Reply, kind: str) -> None:
    archive.add_source().respond_with(feed(ITEM, SECOND))
    archive.server.page("/a/1.html", reply)
    archive.server.page("/a/2.html", page())
    archive.poll()

    first, second = archive.fetch_pages()

    assert (first.outcome, first.error_kind) == ("failed", kind)
    assert second.outcome == "stored"
    assert archive.article()["text"] == "灯塔"


@pytest.mark.slow
def test_elements_nested_without_end_cost_only_their_own_page(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM, SECOND))
    archive.server.page("/a/1.html", page("<div>" * 100_000 + "灯塔"))
    archive.server.page("/a/2.html", page())
    archive.poll()

    async def fetch_with_short_patience() -> None:
        async with Workers(
            timeout=timedelta(seconds=2), memory=512 << 20, processes=1, command=PAGE_COMMAND
        ) as workers:
            await archive.fetch_due_pages(workers=workers)

    archive.clock.now += timedelta(seconds=1)
    archive.runner.run(fetch_with_short_patience())

    assert archive.article("第二")["content_from"] == "page"
    assert archive.versions()[0] == (1, "灯塔", "feed")


def test_a_page_whose_article_has_bytes_that_are_no_utf_8_is_refused_and_the_text_of_the_feed_stays(
    archive: Archive,
) -> None:
    archive.add_source().respond_with(feed(ITEM))
    body = "<div class=post-content>灯塔照亮整条海岸线。</div>".encode().replace("整".encode(), b"\xff")
    archive.server.page("/a/1.html", Reply(200, [("Content-Type", "text/html; charset=utf-8")], body))
    archive.poll()

    (record,) = archive.fetch_pages()
    assert (record.outcome, record.error) == ("refused", "bytes that are not utf-8 were replaced")
    assert archive.versions() == [(1, "灯塔", "feed")]


def test_bytes_that_are_no_utf_8_beside_the_article_do_not_cost_the_page(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    body = "<div class=post-content>灯塔照亮整条海岸线。</div><p>© ".encode() + b"\xff</p>"
    archive.server.page("/a/1.html", Reply(200, [("Content-Type", "text/html; charset=utf-8")], body))
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages()] == ["stored"]
    assert archive.article()["text"] == "灯塔照亮整条海岸线。"


def test_a_page_that_ends_within_a_character_fails_and_is_tried_again(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    body = "<div class=post-content>灯塔照亮整条海岸线".encode()
    cut, whole = (Reply(200, [("Content-Type", "text/html")], each) for each in (body[:-1], body))
    archive.server.page("/a/1.html", cut, whole)
    archive.poll()

    (record,) = archive.fetch_pages()
    assert (record.outcome, record.error_kind) == ("failed", "bad-response")
    assert record.error == "the page is not whole: it ends within a character of utf-8, so its end is missing"

    assert [record.outcome for record in archive.fetch_pages(timedelta(hours=3))] == ["stored"]
    assert archive.article()["text"] == "灯塔照亮整条海岸线"


@pytest.mark.parametrize("header", ["text/html", "text/html; charset=iso-8859-1"])
def test_a_page_in_gb18030_is_read_whatever_its_server_says(archive: Archive, header: str) -> None:
    archive.add_source().respond_with(feed(ITEM))
    html = "<meta charset=gb2312><div class=post-content>灯塔照亮整条海岸线，渡船在黄昏时靠岸。</div>"
    archive.server.page("/a/1.html", Reply(200, [("Content-Type", header)], html.encode("gb18030")))
    archive.poll()
    archive.fetch_pages()

    assert archive.article()["text"] == "灯塔照亮整条海岸线，渡船在黄昏时靠岸。"


def test_characters_that_no_database_stores_are_replaced(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page("灯塔照亮\x00整条&#0;海岸&#xD800;线。"))
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages()] == ["stored"]
    assert archive.article()["text"] == "灯塔照亮整条海岸\ufffd线。"
