"""Windows from poll to poll: gaps, withdrawals, pinned articles, and when an article was last seen."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from tests.etiquette.conftest import DAY, HOUR, START, World
from tests.etiquette.documents import PORTAL
from tests.etiquette.recording_server import RecordingServer, Reply

pytestmark = pytest.mark.slow_on_postgresql

OLD = -24 * 365
"""The hour of a post that is years old."""


def feed(*hours: int | None) -> bytes:
    """A document with an article for each hour, in this order, published then and named after it; None has no date."""
    items = []
    for hour in hours:
        date = "" if hour is None else f"<pubDate>{START + hour * HOUR:%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
        items.append(f"<item><title>{hour}</title><link>https://e.example/{hour}</link>{date}</item>")
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


def shown(world: World, server: RecordingServer, *documents: bytes | Reply) -> World:
    """A source that has shown these documents, an hour apart."""
    replies = [each if isinstance(each, Reply) else Reply(200, [], each) for each in documents]
    world.add_source(server.page("/feed", *replies))
    for _ in documents:
        world.poll()
        world.clock.now += HOUR
    return world


def query(world: World, text: str) -> list[tuple[Any, ...]]:
    with world.database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(text))]


def gaps(world: World) -> int:
    return len(query(world, "SELECT id FROM gaps"))


def withdrawn(world: World) -> list[str]:
    marked = """SELECT a.title FROM sightings AS s JOIN articles AS a ON a.id = s.article_id
    WHERE s.withdrawn_at IS NOT NULL ORDER BY a.id"""
    return [title for (title,) in query(world, marked)]


# --- pinned articles -------------------------------------------------------------------------------------------------

RECENT = (-1, -2, -3, -4, -5)
NEXT = (1, -1, -2, -3, -4)
LATER = (9, 8, 7, 6, 5)


@pytest.mark.parametrize(
    ("pinned_first", "pinned_last"),
    [((OLD,), ()), ((), (OLD,)), ((OLD, OLD + 9), ()), ((OLD,), (OLD + 5,)), ((-6,), ()), ((None,), ())],
)
@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_pinned_articles_neither_hide_a_gap_nor_make_others_withdrawn(
    world_on_each_engine: World,
    server: RecordingServer,
    pinned_first: Sequence[int | None],
    pinned_last: Sequence[int | None],
    is_oldest_first: bool,
) -> None:
    step = -1 if is_oldest_first else 1
    if is_oldest_first:  # then the end of the document is where new entries come
        pinned_first, pinned_last = pinned_last, pinned_first
    windows = [(*pinned_first, *window[::step], *pinned_last) for window in (RECENT, NEXT, LATER)]

    world = shown(world_on_each_engine, server, *(feed(*window) for window in windows[:2]))
    assert (gaps(world), withdrawn(world)) == (0, [])

    server.page("/feed", Reply(200, [], feed(*windows[2])))
    world.poll()

    assert (gaps(world), withdrawn(world)) == (1, [])


def test_an_article_withdrawn_beside_a_pinned_one_is_marked(world: World, server: RecordingServer) -> None:
    shown(world, server, feed(OLD, *RECENT), feed(OLD, -1, -2, -4, -5))

    assert (gaps(world), withdrawn(world)) == (0, ["-3"])


def test_a_quiet_feed_with_one_new_article_after_a_year_has_no_gap(world: World, server: RecordingServer) -> None:
    shown(world, server, feed(OLD, OLD - 5, OLD - 9), feed(0, -1, OLD))

    assert (gaps(world), withdrawn(world)) == (0, [])


# --- documents that are no window ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "between",
    [
        [feed()],
        [feed(5, 4, 3)[:-60]],
        [feed(), feed()],
        [Reply(500)],
        [Reply(200, [], PORTAL)],
        [feed()[:-20]],
        [feed(), Reply(200, [], b"")],
    ],
    ids=["empty", "torn", "empty twice", "failed", "portal", "torn and empty", "empty and nothing"],
)
def test_a_document_without_a_window_in_between_hides_no_gap(
    world_on_each_engine: World, server: RecordingServer, between: list[bytes | Reply]
) -> None:
    world = shown(world_on_each_engine, server, feed(*RECENT), *between, feed(*LATER))

    assert query(world, "SELECT from_at, to_at FROM gaps")
    assert gaps(world) == 1
    assert withdrawn(world) == []


def test_an_empty_document_in_between_makes_no_gap_where_windows_overlap(world: World, server: RecordingServer) -> None:
    shown(world, server, feed(*RECENT), feed(), feed(1, *RECENT[:-1]))

    assert (gaps(world), withdrawn(world)) == (0, [])


def test_a_torn_document_that_overlaps_is_a_window(world: World, server: RecordingServer) -> None:
    shown(world, server, feed(*RECENT), feed(3, 2, 1, -1, -2)[:-60], feed(6, 5, 4, 3))

    assert gaps(world) == 0


# --- withdrawals -----------------------------------------------------------------------------------------------------


def test_a_withdrawal_leaves_its_stretch_after_the_article_is_back(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    whole, less = feed(*RECENT), feed(-1, -3, -4, -5)
    world = shown(world_on_each_engine, server, whole, less, less, whole, less)

    withdrawal = tables.withdrawals.c
    with world.database.read() as connection:
        stretches = connection.execute(sa.select(withdrawal.from_at, withdrawal.to_at).order_by(withdrawal.from_at))
        assert [tuple(row) for row in stretches] == [(START + HOUR, START + 3 * HOUR), (START + 4 * HOUR, None)]
    assert withdrawn(world) == ["-2"]


# --- last seen -------------------------------------------------------------------------------------------------------


def last_seen(world: World) -> dict[str, timedelta]:
    article, sighting = tables.articles.c, tables.sightings.c
    columns = sa.select(article.title, sighting.last_seen_at).join(tables.articles, article.id == sighting.article_id)
    with world.database.read() as connection:
        return {row.title: row.last_seen_at - START for row in connection.execute(columns)}


@pytest.mark.parametrize("again", [Reply(304), Reply(200, [("ETag", '"1"')], feed(2, 1))], ids=["304", "same bytes"])
def test_an_unchanged_document_shows_its_articles_again(
    world_on_each_engine: World, server: RecordingServer, again: Reply
) -> None:
    etag: list[Any] = [("ETag", '"1"')]
    world = shown(
        world_on_each_engine, server, Reply(200, etag, feed(1, 0)), Reply(200, etag, feed(2, 1)), again, again
    )

    assert last_seen(world) == {"0": 0 * HOUR, "1": 3 * HOUR, "2": 3 * HOUR}

    world.clock.now += DAY
    server.page("/feed", Reply(200, [], feed(9, 8)))
    world.poll()
    assert gaps(world) == 1


def test_an_empty_document_that_comes_again_shows_nothing_again(world: World, server: RecordingServer) -> None:
    shown(world, server, feed(1, 0), feed(), feed())

    assert set(last_seen(world).values()) == {0 * HOUR}


# --- another address -------------------------------------------------------------------------------------------------


def test_another_address_of_the_operators_begins_neither_a_gap_nor_withdrawals(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    world = shown(world_on_each_engine, server, feed(*RECENT))
    for path, hours in (("/unrelated", LATER), ("/of-the-first-again", (4, *LATER[3:], -5))):
        world.add_source(server.page(path, Reply(200, [], feed(*hours))))
        fresh = world.source()
        assert (fresh.window_at, fresh.last_document_at, fresh.last_success_at, fresh.title) == (None,) * 4
        world.poll()
        world.clock.now += HOUR

    assert (gaps(world), withdrawn(world)) == (0, [])
    assert world.source().title == "t"
    assert world.titles() == {str(hour) for hour in (*RECENT, *LATER, 4)}


def test_the_address_that_a_source_has_moved_to_is_no_other_address(world: World, server: RecordingServer) -> None:
    target = server.page("/target", Reply(200, [("ETag", '"1"')], feed(*RECENT)))
    world.add_source(server.page("/feed", Reply(301, [("Location", target.url)])))
    for _ in range(3):
        world.poll()
        world.clock.now += 2 * DAY
    before = world.source()
    assert before.url == target.url

    world.add_source(target)

    assert replace(before, configured_url=target.url) == world.source()
