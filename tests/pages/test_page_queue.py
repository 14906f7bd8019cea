"""The queue of pages: claims with a lease, one page of each host at a time, nothing lost by a kill."""

from datetime import timedelta

import pytest

from kzfeed.store import tables
from kzfeed.store.queue.leases import NewClaim
from kzfeed.store.queue.page_queue import claim_pages, release_pages, renew_pages
from kzfeed.store.queue.schedule_corrections import move_schedule_back
from tests.etiquette.recording_server import Reply
from tests.pages.conftest import ITEM, Archive, Item, feed, page

LEASE = timedelta(seconds=12)


@pytest.fixture
def archive(archive_on_each_engine: Archive) -> Archive:
    return archive_on_each_engine


def claim(archive: Archive, owner: str, limit: int = 10) -> list[int]:
    """The articles whose pages this owner claims now."""
    claimed = claim_pages(archive.database, NewClaim(owner, archive.clock.now, LEASE), limit=limit)
    return [page.article_id for page in claimed]


def three_pages(archive: Archive) -> None:
    """A source with two articles at its own host and one at another."""
    other = archive.server.page("/b/3.html", page(), host="127.0.0.2").url
    archive.add_source().respond_with(feed(ITEM, Item("第二", "/a/2.html"), Item("第三", other)))
    archive.poll()
    archive.clock.now += timedelta(seconds=1)


def test_one_page_of_each_host_is_claimed_at_a_time(archive: Archive) -> None:
    three_pages(archive)

    assert sorted(claim(archive, "a")) == [1, 3]


def test_a_claimed_page_is_nobody_elses_until_the_lease_is_over(archive: Archive) -> None:
    three_pages(archive)
    assert sorted(claim(archive, "a")) == [1, 3]
    assert claim(archive, "b") == [2]

    assert renew_pages(archive.database, "a", [1], archive.clock.now + 3 * LEASE) == {1}
    archive.clock.now += 2 * LEASE

    assert sorted(claim(archive, "b")) == [2, 3]


def test_pages_of_a_process_that_ends_are_free_at_once(archive: Archive) -> None:
    three_pages(archive)
    claim(archive, "a")
    release_pages(archive.database, "a")

    assert sorted(claim(archive, "b")) == [1, 3]


def test_a_claim_that_passed_to_another_brings_no_second_result(archive: Archive) -> None:
    three_pages(archive)
    claim(archive, "a")
    archive.server.page("/a/1.html", page())
    archive.clock.now += 2 * LEASE
    archive.fetch_pages(owner="b")

    assert len(archive.server.page("/a/1.html").seen) == 1
    assert archive.article()["revision"] == 2


def test_pages_are_not_put_off_by_a_clock_that_was_ahead_for_a_while(archive: Archive) -> None:
    year = timedelta(days=365)
    archive.clock.now += year
    archive.add_source().respond_with(feed(ITEM))
    fetched = archive.server.page("/a/1.html", Reply(500))
    archive.poll()
    archive.fetch_pages()

    archive.clock.now -= year
    move_schedule_back(archive.database, archive.clock.now, tolerance=timedelta(seconds=5))
    fetched.respond_with(page())

    assert archive.fetch_pages(timedelta(hours=1)) == []
    assert [record.outcome for record in archive.fetch_pages(timedelta(hours=2))] == ["stored"]


def test_no_more_pages_are_claimed_than_wanted(archive: Archive) -> None:
    three_pages(archive)

    assert len(claim(archive, "a", limit=1)) == 1


def test_pages_of_a_source_that_is_removed_or_wants_none_any_more_are_left(archive: Archive) -> None:
    three_pages(archive)
    archive.add_source(full_text=None)

    assert claim(archive, "a") == []
    archive.add_source()
    assert sorted(claim(archive, "a")) == [1, 3]


def test_pages_are_queued_in_the_transaction_that_stores_their_articles(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    archive.poll()

    (queued,) = archive.rows(tables.page_fetches)
    assert queued["next_try_at"] == archive.clock.now
    assert (queued["article_id"], queued["host"], queued["tries"]) == (1, "127.0.0.1", 0)


def test_an_article_without_a_link_has_no_page(archive: Archive) -> None:
    archive.add_source().respond_with(feed(Item(link="", guid="tag:x,2026:1")))
    archive.poll()

    assert archive.rows(tables.page_fetches) == []
