"""Documents with more entries than one poll takes: the rest comes in on the polls that follow."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from tests.etiquette.conftest import DAY, HOUR, START, World
from tests.etiquette.recording_server import RecordedRequest, RecordingServer, Reply
from tests.slow import slow

ETAG = [("ETag", '"1"')]


def feed(numbers: range, *, kind: str = "links") -> bytes:
    """A document with these entries, the first one the newest."""
    items = []
    for place, number in enumerate(numbers):
        link = "https://e.example/" if kind == "one link" else f"https://e.example/{number}"
        parts = [f"<title>{number}</title>"]
        if kind in ("links", "one link", "undated"):
            parts.append(f"<link>{link}</link>")
        if kind in ("links", "guids", "one link"):
            parts.append(f"<guid isPermaLink='false'>g{number}</guid>")
        if kind != "undated":
            parts.append(f"<pubDate>{START - place * timedelta(minutes=1):%a, %d %b %Y %H:%M:%S} GMT</pubDate>")
        items.append(f"<item>{''.join(parts)}<description>text {number}</description></item>")
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


def archived(world: World) -> int:
    with world.database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(tables.articles)).scalar_one()


@pytest.mark.slow
def test_all_of_1200_entries_are_archived_on_the_polls_that_follow(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    world, body = world_on_each_engine, feed(range(1200))

    def answer(request: RecordedRequest) -> Reply:
        return Reply(304) if request.conditions[0] else Reply(200, ETAG, body)

    page = server.page("/feed", answer)
    world.add_source(page)
    world.limit_entries(1000)
    polls = []
    for _ in range(3):
        polls.append(world.poll())
        world.clock.now += HOUR

    assert [(poll.outcome, poll.entries, poll.new_articles) for poll in polls] == [
        ("new", 1000, 1000),
        ("new", 1000, 200),
        ("not-modified", 0, 0),
    ]
    assert [poll.flaw for poll in polls] == ["200 entries beyond 1000 were dropped", None, None]
    assert archived(world) == 1200
    assert [seen.conditions[0] for seen in page.seen] == [None, None, b'"1"']
    assert world.rows(tables.gaps) == world.rows(tables.withdrawals) == []


@pytest.mark.parametrize("kind", ["links", "undated", *(slow(kind) for kind in ("guids", "one link", "content"))])
def test_whatever_identifies_entries_the_rest_of_them_comes_in(
    world: World, server: RecordingServer, kind: str
) -> None:
    page = server.page("/feed", Reply(200, ETAG, feed(range(70), kind=kind)))
    world.add_source(page)
    world.limit_entries(20)

    new = [world.poll().new_articles for _ in range(5)]

    assert (new, archived(world)) == ([20, 20, 20, 10, 0], 70)


def test_new_entries_come_before_the_rest(world: World, server: RecordingServer) -> None:
    documents = (range(50, 100), range(45, 100), range(40, 100), range(35, 100))
    world.add_source(server.page("/feed", *(Reply(200, ETAG, feed(numbers)) for numbers in documents)))
    world.limit_entries(20)

    titles = []
    for _ in documents:
        world.poll()
        titles.append({int(title) for title in world.titles()})
        world.clock.now += HOUR

    assert titles == [
        {*range(50, 70)},
        {*range(45, 85)},
        {*range(40, 100)},
        {*range(35, 100)},
    ]
    assert world.source().flaw is None
    assert world.rows(tables.gaps) == world.rows(tables.withdrawals) == []


def test_explain_names_the_validators_that_are_not_kept_until_the_rest_is_in(
    world: World, server: RecordingServer
) -> None:
    world.add_source(server.page("/feed", Reply(200, ETAG, feed(range(30)))))
    world.limit_entries(20)
    world.poll()
    assert (world.source().validators, world.source().refused_validators) == (
        None,
        "ETag (not all of its entries are stored yet)",
    )

    world.clock.now += DAY
    world.poll()
    kept = world.source()
    assert (kept.validators and kept.validators.etag, kept.refused_validators) == ('"1"', None)
