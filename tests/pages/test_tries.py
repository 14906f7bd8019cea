"""A page that fails is tried three times at most, later and later; a server that asks for a pause gets it."""

from datetime import timedelta

import pytest

from tests.etiquette.recording_server import Page, Reply
from tests.pages.conftest import ITEM, START, Archive, Item, feed, page, with_headers

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)


def failing(archive: Archive, reply: Reply) -> Page:
    """A source with one article, whose page answers so."""
    archive.add_source().respond_with(feed(ITEM))
    fetched = archive.server.page("/a/1.html", reply)
    archive.poll()
    return fetched


def test_a_page_is_tried_three_times_with_the_back_off_of_polls(archive: Archive) -> None:
    fetched = failing(archive, Reply(500))
    for _ in range(100):
        archive.fetch_pages(HOUR / 4)
    archive.fetch_pages(MONTH)

    waits = [later - earlier for earlier, later in zip(fetched.times, fetched.times[1:], strict=False)]
    assert len(fetched.seen) == 3
    assert [2 * HOUR <= waits[0] < 3 * HOUR, 4 * HOUR <= waits[1] < 5 * HOUR] == [True, True]


def test_a_page_that_comes_at_the_second_try_is_stored(archive: Archive) -> None:
    fetched = failing(archive, Reply(503))
    archive.fetch_pages()
    fetched.respond_with(page())

    assert [record.outcome for record in archive.fetch_pages(3 * HOUR)] == ["stored"]


def test_a_page_that_is_gone_is_not_tried_again(archive: Archive) -> None:
    fetched = failing(archive, Reply(410))
    archive.fetch_pages()
    archive.fetch_pages(MONTH)

    assert len(fetched.seen) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_pauses_all_pages_and_feeds_of_the_host(archive: Archive, status: int) -> None:
    archive.add_source().respond_with(feed(ITEM, Item("第二", "/a/2.html")))
    archive.server.page("/a/1.html", with_headers(Reply(status), ("Retry-After", "36000")))
    second = archive.server.page("/a/2.html", page())
    archive.poll()
    archive.fetch_pages()

    assert archive.fetch_pages(9 * HOUR) == []
    assert second.seen == []
    assert len(archive.fetch_pages(2 * HOUR)) == 2


def test_a_redirect_is_followed_and_addresses_are_resolved_where_it_leads(archive: Archive) -> None:
    failing(archive, Reply(302, [("Location", "/b/c/1.html")]))
    archive.server.page("/b/c/1.html", page("<p>灯塔照亮海岸。<a href='2.html'>二</a></p>"))
    archive.fetch_pages()

    assert "/b/c/2.html" in archive.article()["content"]
    assert archive.article()["url"].endswith("/a/1.html")


def test_a_restart_repeats_no_page_and_loses_none(archive: Archive) -> None:
    fetched = failing(archive, page())
    for owner in ("first", "second", "third"):
        archive.fetch_pages(owner=owner)

    assert len(fetched.seen) == 1


def test_the_page_asks_for_html_and_sends_nothing_but_what_a_poll_sends(archive: Archive) -> None:
    fetched = failing(archive, page())
    archive.fetch_pages()

    (request,) = fetched.seen
    assert [name for name, _ in request.fields] == ["host", "user-agent", "accept", "accept-encoding"]
    assert (request.header("accept") or b"").startswith(b"text/html")
    assert request.clock > START
