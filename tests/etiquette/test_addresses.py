"""Rules 9 and 10: a feed that moves is followed, a feed that is gone is let go, and neither is believed too soon."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from tests.etiquette.conftest import DAY, HOUR, START, World
from tests.etiquette.documents import BROKEN, PORTAL, rss
from tests.etiquette.recording_server import Answer, Page, RecordedRequest, RecordingServer, Reply
from tests.slow import slow

EVERY = 3 * HOUR
FEED = Reply(200, [("ETag", '"1"')], rss())


def conditional(seen: RecordedRequest) -> Reply:
    return Reply(304) if seen.conditions[0] else FEED


def to(path: str, status: int) -> Reply:
    return Reply(status, [("Location", path)])


def addresses(world: World) -> list[tuple[str, bool]]:
    """The addresses of the source in their order, and whether it has left them."""
    return [(row[2], row[4] is not None) for row in world.rows(tables.source_addresses)]


def archived(world: World) -> list[dict[str, Any]]:
    """The articles, without the time of their last sighting, which moves."""
    with world.database.read() as connection:
        rows = connection.execute(sa.select(tables.articles).order_by(tables.articles.c.id)).mappings()
        return [{name: value for name, value in row.items() if name != "last_seen_at"} for row in rows]


# --- rule 9 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "answer"), [(301, FEED), slow(308, conditional)])
def test_9_a_permanent_redirect_is_written_down_after_3_polls_over_24_hours(
    world: World, server: RecordingServer, status: int, answer: Reply | Answer
) -> None:
    old = server.page("/old", to("/new", status))
    new = server.page("/new", answer)
    world.add_source(old)

    world.advance(DAY - HOUR)
    before = world.source().url
    world.advance(1.2 * DAY)

    assert before == old.url
    assert world.source().url == new.url
    assert len(old.seen) >= 3
    assert old.times[-1] - START >= DAY
    assert old.times[-1] - START <= DAY + 1.1 * HOUR
    assert new.times[-1] - old.times[-1] > 20 * HOUR
    assert addresses(world) == [(old.url, True), (new.url, False)]


def test_9_24_hours_are_not_enough_without_3_polls(world: World, server: RecordingServer) -> None:
    old = server.page("/old", to("/new", 301))
    server.page("/new", FEED)
    world.add_source(old, every=25 * HOUR)

    world.advance(27 * HOUR)
    assert (len(old.seen), world.source().url) == (2, old.url)
    world.advance(26 * HOUR)
    assert (len(old.seen), world.source().url) == (3, server.page("/new").url)


def test_9_3_polls_are_not_enough_within_24_hours(world: World, server: RecordingServer) -> None:
    old = server.page("/old", to("/new", 301))
    server.page("/new", FEED)
    world.add_source(old)
    for _ in range(9):
        world.poll()
        world.clock.now += timedelta(minutes=1)

    assert (len(old.seen), world.source().url) == (9, old.url)


@pytest.mark.parametrize("status", [302, 303, 307])
def test_9_a_temporary_redirect_is_never_written_down(world: World, server: RecordingServer, status: int) -> None:
    old = server.page("/old", to("/new", status))
    new = server.page("/new", conditional)
    world.add_source(old, every=EVERY)

    world.advance(1.5 * DAY)

    assert world.source().url == old.url
    assert len(old.seen) == len(new.seen) > 10


@pytest.mark.parametrize(
    ("chain", "kept"),
    [
        ((301, 308), "/2"),
        ((308, 301, 301, 308, 301), "/5"),
        ((302, 301), "/0"),
        ((301, 307), "/0"),
        ((301, 303, 308), "/0"),
    ],
)
def test_9_a_chain_counts_where_all_of_it_is_permanent(
    world: World, server: RecordingServer, chain: tuple[int, ...], kept: str
) -> None:
    pages = [server.page(f"/{number}", to(f"/{number + 1}", status)) for number, status in enumerate(chain)]
    last = server.page(f"/{len(chain)}", conditional)
    world.add_source(pages[0], every=EVERY)

    world.advance(1.2 * DAY)

    assert world.source().url == server.page(kept).url
    assert last.seen[0].line == f"GET /{len(chain)} HTTP/1.1"
    assert len(last.seen) > 8


def test_9_at_most_5_hops_are_followed(world: World, server: RecordingServer) -> None:
    pages = [server.page(f"/{number}", to(f"/{number + 1}", 302)) for number in range(9)]
    world.add_source(pages[0])

    world.advance(timedelta())

    assert [len(page.seen) for page in pages] == [1, 1, 1, 1, 1, 1, 0, 0, 0]
    assert world.source().last_error_kind == "bad-redirect"


@pytest.mark.parametrize(
    "lost", [Reply(200, body=PORTAL), Reply(404), slow(Reply(200, body=BROKEN)), slow(Reply(200, body=b""))]
)
def test_9_a_redirect_to_something_that_is_no_feed_changes_nothing(
    world: World, server: RecordingServer, lost: Reply
) -> None:
    page = server.page("/feed", FEED)
    server.page("/login", lost)
    world.add_source(page, every=EVERY)
    world.advance(timedelta())
    before, articles = world.source(), archived(world)

    page.respond_with(to("/login", 301))
    world.advance(9 * DAY)
    after = world.source()
    page.respond_with(conditional)
    world.advance(2 * DAY)

    assert (after.url, after.validators, after.moved_to) == (page.url, before.validators, None)
    assert archived(world) == articles
    assert addresses(world) == [(page.url, False)]
    assert world.source().status == "active"


def test_9_another_destination_starts_the_count_anew(world: World, server: RecordingServer) -> None:
    old = server.page("/old", to("/one", 301))
    server.page("/one", FEED)
    two = server.page("/two", FEED)
    world.add_source(old, every=EVERY)
    world.advance(23 * HOUR)
    changed = world.clock.now
    old.respond_with(to("/two", 301))
    world.advance(20 * HOUR)
    assert world.source().url == old.url

    world.advance(12 * HOUR)

    assert world.source().url == two.url
    assert old.times[-1] >= changed + DAY


def test_9_an_interruption_starts_the_count_anew(world: World, server: RecordingServer) -> None:
    old = server.page("/old", to("/new", 301))
    server.page("/new", FEED)
    world.add_source(old, every=EVERY)
    world.advance(23 * HOUR)
    old.respond_with(FEED, to("/new", 301))

    world.advance(20 * HOUR)

    assert world.source().url == old.url


def test_9_a_configuration_read_again_does_not_undo_the_move(world: World, server: RecordingServer) -> None:
    old = server.page("/old", to("/new", 301))
    new = server.page("/new", FEED)
    world.add_source(old, every=EVERY)
    world.advance(2 * DAY)
    asked = len(old.seen)

    world.add_source(old, every=EVERY)
    world.advance(9 * HOUR)

    assert (world.source().url, len(old.seen)) == (new.url, asked)


def test_9_another_address_of_the_operator_does(world: World, server: RecordingServer) -> None:
    old = server.page("/old", to("/new", 301))
    server.page("/new", FEED)
    world.add_source(old, every=EVERY)
    world.advance(2 * DAY)
    third = server.page("/third", FEED)

    world.add_source(third)
    world.advance(HOUR)

    assert world.source().url == third.url
    assert len(third.seen) == 1
    assert [url for url, _ in addresses(world)] == [old.url, server.page("/new").url, third.url]


# --- rule 10 ---------------------------------------------------------------------------------------------------------


def gone_after_a_while(world: World, server: RecordingServer) -> Page:
    page = server.page("/feed", FEED, Reply(410))
    world.add_source(page)
    world.advance(3 * HOUR)
    return page


def test_10_after_a_410_nobody_asks_again_and_everything_is_kept(world: World, server: RecordingServer) -> None:
    page = gone_after_a_while(world, server)
    articles = world.rows(tables.articles)

    world.advance(30 * DAY)
    world.add_source(page)
    world.advance(30 * DAY)

    source = world.source()
    assert len(page.seen) == 2
    assert (source.status, source.next_poll_at) == ("gone", None)
    assert source.gone_at
    assert "410" in (source.last_error or "")
    assert world.rows(tables.articles) == articles
    assert len(articles) == 1


def test_10_it_is_said_once_and_loudly(
    world: World, server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    gone_after_a_while(world, server)
    world.advance(3 * DAY)

    said = [line for line in capsys.readouterr().out.splitlines() if "retired" in line]
    assert len(said) == 1
    assert "error" in said[0]


def test_10_another_address_of_the_operator_brings_the_source_back(world: World, server: RecordingServer) -> None:
    gone_after_a_while(world, server)
    other = server.page("/other", FEED)

    world.add_source(other)
    world.advance(HOUR / 2)

    assert (len(other.seen), world.source().status, world.source().gone_at) == (1, "active", None)


@pytest.mark.parametrize("status", [404, slow(403), slow(500)])
def test_10_any_other_status_is_asked_again_for_as_long_as_it_takes(
    world: World, server: RecordingServer, status: int
) -> None:
    page = server.page("/feed", FEED, Reply(status))
    world.add_source(page)
    world.advance(40 * DAY)
    assert world.source().status == "failing"
    asked = len(page.seen)

    page.respond_with(Reply(200, body=rss([1, 2])))
    world.advance(8 * DAY)

    assert asked > 20
    assert world.source().status == "active"
    assert world.titles() == {"第1篇", "第2篇"}
