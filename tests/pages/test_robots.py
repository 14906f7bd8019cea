"""robots.txt is obeyed: read at most once a day for each origin, and a page waits while it cannot be read."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kzfeed.store import sources, tables
from tests.etiquette.recording_server import Page, Reply
from tests.pages.conftest import ITEM, Archive, Item, feed, page

HOUR = timedelta(hours=1)


def with_robots(archive: Archive, *answers: Reply) -> tuple[Page, Page]:
    """A source with one article: its robots.txt, and its page."""
    archive.add_source().respond_with(feed(ITEM))
    robots = archive.server.page("/robots.txt", *answers)
    fetched = archive.server.page("/a/1.html", page())
    archive.poll()
    return robots, fetched


def rules(text: str) -> Reply:
    return Reply(200, [("Content-Type", "text/plain")], text.encode())


FORBIDDING = [
    "User-agent: *\nDisallow: /a",
    "\ufeffUser-agent: *\nDisallow: /a",
    "User-agent: kzfeed\nDisallow: /",
    "User-agent: *\nDisallow: /*.html$",
]
ALLOWING = ["", "User-agent: *\nDisallow: /b", "User-agent: *\nDisallow: /\n\nUser-agent: kzfeed\nAllow: /", "<html>"]


@pytest.mark.parametrize("text", FORBIDDING)
def test_a_page_that_robots_txt_forbids_is_not_fetched(archive: Archive, text: str) -> None:
    _, fetched = with_robots(archive, rules(text))

    (record,) = archive.fetch_pages()
    archive.fetch_pages(timedelta(days=9))

    assert (record.outcome, record.error_kind) == ("refused", "robots")
    assert "robots.txt does not allow this page" in (record.error or "")
    assert fetched.seen == []


@pytest.mark.parametrize("text", ALLOWING)
def test_a_page_that_robots_txt_allows_is_fetched(archive: Archive, text: str) -> None:
    _, fetched = with_robots(archive, rules(text))
    archive.fetch_pages()

    assert len(fetched.seen) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_robots_txt_that_is_not_there_allows_everything(archive: Archive, status: int) -> None:
    _, fetched = with_robots(archive, Reply(status))
    archive.fetch_pages()

    assert len(fetched.seen) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_page_waits_while_robots_txt_cannot_be_read(archive: Archive, status: int) -> None:
    robots, fetched = with_robots(archive, Reply(status), rules(""))

    (record,) = archive.fetch_pages()
    assert "robots.txt cannot be read, so the page was not fetched" in (record.error or "")
    assert (record.error or "").count("robots.txt") == 1
    assert fetched.seen == []

    archive.fetch_pages(3 * HOUR)
    assert (len(robots.seen), len(fetched.seen)) == (2, 1)


def test_a_robots_txt_with_retry_after_pauses_the_whole_host(archive: Archive) -> None:
    robots, fetched = with_robots(archive, Reply(503, [("Retry-After", "36000")]), rules(""))
    archive.fetch_pages()
    assert archive.fetch_pages(9 * HOUR) == []

    archive.fetch_pages(2 * HOUR)

    assert (len(robots.seen), len(fetched.seen)) == (2, 1)
    assert [row["host"] for row in archive.rows(tables.hosts)] == ["127.0.0.1"]


def test_a_robots_txt_that_cannot_be_read_is_asked_for_once_whatever_the_number_of_pages(archive: Archive) -> None:
    archive.add_source().respond_with(feed(*(Item(f"第{number}", f"/a/{number}.html") for number in range(5))))
    robots = archive.server.page("/robots.txt", Reply(500))
    archive.poll()

    assert len(archive.fetch_pages()) == 5
    assert len(robots.seen) == 1


def test_each_of_three_tries_asks_again_for_a_robots_txt_that_cannot_be_read(archive: Archive) -> None:
    robots, fetched = with_robots(archive, Reply(503), Reply(503), rules(""))
    often = replace(archive.configs["s"], every=HOUR / 4)
    sources.configure(archive.database, [often], archive.clock.now)
    for _ in range(50):
        archive.fetch_pages(HOUR / 10)

    assert (len(robots.seen), len(fetched.seen)) == (3, 1)


def test_a_page_of_a_site_that_is_down_for_days_is_fetched_when_robots_txt_can_be_read(archive: Archive) -> None:
    robots, fetched = with_robots(archive, Reply(503))
    often = replace(archive.configs["s"], every=HOUR / 4)
    sources.configure(archive.database, [often], archive.clock.now)
    for _ in range(30):
        archive.fetch_pages(4 * HOUR)
    assert 5 < len(robots.seen) < 15
    robots.respond_with(rules(""))

    assert [record.outcome for record in archive.fetch_pages(24 * HOUR)] == ["stored"]
    assert len(fetched.seen) == 1


def test_a_page_whose_robots_txt_cannot_be_read_for_a_week_fails_after_three_more_tries(archive: Archive) -> None:
    robots, fetched = with_robots(archive, Reply(503))
    for _ in range(20):
        archive.fetch_pages(24 * HOUR)
    asked = len(robots.seen)
    archive.fetch_pages(240 * HOUR)

    [row] = archive.rows(tables.page_fetches)
    assert (row["outcome"], row["tries"], row["next_try_at"]) == ("failed", 3, None)
    assert (len(robots.seen), len(fetched.seen)) == (asked, 0)


def test_robots_txt_is_fetched_once_a_day(archive: Archive) -> None:
    source = archive.add_source()
    robots = archive.server.page("/robots.txt", rules("User-agent: *\nDisallow: /b"))
    for number in range(9):
        archive.server.page(f"/a/{number}.html", page())
        source.respond_with(feed(Item(f"第{number}", f"/a/{number}.html")))
        archive.poll()
        assert len(archive.fetch_pages(6 * HOUR)) == 1

    assert len(robots.seen) in (2, 3)


def test_robots_txt_is_obeyed_where_a_redirect_leads(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    target = archive.server.page("/real.html", page())
    archive.server.page("/a/1.html", Reply(302, [("Location", target.url)]))
    archive.server.page("/robots.txt", rules("User-agent: *\nDisallow: /real"))
    archive.poll()

    (record,) = archive.fetch_pages()

    assert (record.outcome, record.error_kind) == ("refused", "robots")
    assert target.seen == []


def test_a_robots_txt_of_10_mb_costs_only_itself(archive: Archive) -> None:
    _, fetched = with_robots(archive, rules("Disallow: /x*y*z\n" * 600_000))

    (record,) = archive.fetch_pages()

    assert (record.outcome, record.error_kind) == ("failed", "too-large")
    assert fetched.seen == []
    assert archive.poll().outcome == "unchanged"


def test_only_the_beginning_of_a_large_robots_txt_counts(archive: Archive) -> None:
    start = "User-agent: *\n"
    # The limit cuts a rule in two, and its first half would forbid everything.
    large = start + "#" * (500 * 1024 - len(start + "\nDisallow: /")) + "\nDisallow: /x*y*z\nDisallow: /a\n"
    _, fetched = with_robots(archive, rules(large))
    archive.fetch_pages()

    assert len(fetched.seen) == 1
    (kept,) = archive.rows(tables.robots_txt)
    assert len(kept["rules"]) <= 500 * 1024


def test_the_pause_that_robots_txt_asks_for_is_kept_between_two_pages(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM, Item("第二", "/a/2.html")))
    archive.server.page("/robots.txt", rules("User-agent: *\nCrawl-delay: 60"))
    archive.server.page("/a/1.html", page())
    archive.server.page("/a/2.html", page())
    archive.poll()

    assert [len(archive.fetch_pages(timedelta(seconds=wait))) for wait in (1, 30, 31)] == [1, 0, 1]
