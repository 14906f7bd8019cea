"""Filters from poll to poll: what is filtered out is counted and not stored, and makes no gap and no withdrawal."""

from typing import Any

import pytest

from kzfeed.model.filters import FilterRule, Filters
from kzfeed.schedule.explain import poll_line
from kzfeed.store.queries.source_list import last_polls
from tests.etiquette.conftest import HOUR, START, World
from tests.etiquette.recording_server import RecordedRequest, RecordingServer, Reply
from tests.etiquette.test_windows import gaps, query, withdrawn

pytestmark = pytest.mark.slow_on_postgresql

NO_ADS = Filters(exclude=(FilterRule(title="^广告"),))
NO_NEWS = Filters(exclude=(FilterRule(title="^新闻"),))


def feed(*hours: int, ads: tuple[int, ...] = (), dated: bool = True) -> bytes:
    """A document with an entry for each hour, the newest first; the entries of some hours are advertisements."""
    items = []
    for hour in sorted(hours, reverse=True):
        date = f"<pubDate>{START + hour * HOUR:%a, %d %b %Y %H:%M:%S} GMT</pubDate>" if dated else ""
        title = f"{'广告' if hour in ads else '新闻'} {hour}"
        items.append(f"<item><title>{title}</title><link>https://e.example/{hour}</link>{date}</item>")
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


def show(world: World, server: RecordingServer, document: bytes, filters: Filters = NO_ADS) -> Any:
    """Poll a source of these filters that shows the document; the record of the poll."""
    world.clock.now += HOUR
    world.add_source(server.page("/feed", Reply(200, [("ETag", '"1"')], document)), filters=filters)
    return world.poll()


def test_what_is_filtered_out_is_counted_and_not_stored(world_on_each_engine: World, server: RecordingServer) -> None:
    world = world_on_each_engine

    poll = show(world, server, feed(1, 2, 3, ads=(2,)))

    assert (poll.outcome, poll.entries, poll.new_articles, poll.filtered) == ("new", 3, 2, 1)
    assert world.titles() == {"新闻 1", "新闻 3"}
    assert query(world, "SELECT entries, new_articles, filtered FROM polls") == [(3, 2, 1)]
    assert ", 3 entries, 2 new, 0 revised, 1 filtered out (" in poll_line(last_polls(world.database, 1)[0])


@pytest.mark.parametrize("dated", [True, False])
def test_windows_that_share_only_entries_filtered_out_leave_no_gap(
    world_on_each_engine: World, server: RecordingServer, *, dated: bool
) -> None:
    world = world_on_each_engine
    show(world, server, feed(1, 2, 3, ads=(2, 3), dated=dated))

    show(world, server, feed(2, 3, 4, ads=(2, 3), dated=dated))
    assert gaps(world) == 0

    # A window that shares nothing with the entries shown before still does.
    show(world, server, feed(14, 15, 16, ads=(14,), dated=dated))
    assert gaps(world) == 1


def test_a_document_of_which_everything_is_filtered_out_moves_the_window(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    world = world_on_each_engine
    show(world, server, feed(1, 2, 3))
    assert show(world, server, feed(2, 3, 4, 5, ads=(2, 3, 4, 5))).filtered == 4

    show(world, server, feed(4, 5, 6, ads=(4, 5)))
    show(world, server, feed(4, 5, 6, 7, ads=(4, 5)))

    assert (gaps(world), withdrawn(world)) == (0, [])


def test_an_archived_article_that_a_new_filter_leaves_out_is_not_withdrawn(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    world = world_on_each_engine
    show(world, server, feed(1, 2, 3), filters=Filters())
    world.clock.now += HOUR

    show(world, server, feed(1, 2, 3, 4), filters=NO_NEWS)
    show(world, server, feed(1, 3, 4), filters=NO_NEWS)

    assert (gaps(world), withdrawn(world)) == (0, [])


@pytest.mark.parametrize("has_validators", [True, False])
def test_entries_that_a_changed_filter_keeps_are_stored_from_a_document_that_has_not_changed(
    world_on_each_engine: World, server: RecordingServer, *, has_validators: bool
) -> None:
    world = world_on_each_engine
    document = feed(1, 2, 3, ads=(2,))
    show(world, server, document)

    def same(request: RecordedRequest) -> Reply:
        is_known = has_validators and request.header("if-none-match")
        return Reply(304, [], b"") if is_known else Reply(200, [("ETag", '"1"')], document)

    world.clock.now += HOUR
    world.add_source(server.page("/feed", same), filters=NO_ADS)
    assert world.poll().filtered == 0
    world.clock.now += HOUR
    world.add_source(server.page("/feed", same), filters=Filters())
    assert world.poll().new_articles == 1

    assert world.titles() == {"新闻 1", "广告 2", "新闻 3"}
    assert (gaps(world), withdrawn(world)) == (0, [])


def test_a_filter_that_changes_during_a_poll_is_applied_at_the_next_one(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    world = world_on_each_engine
    document = feed(1, 2, ads=(2,))
    reply = Reply(200, [("ETag", '"1"')], document)

    def change(_: Any) -> Reply:
        world.add_source(page, filters=Filters())
        return reply

    page = server.page("/feed", change)
    world.add_source(page, filters=NO_ADS)
    assert world.poll().filtered == 1

    server.page("/feed", reply)
    assert world.poll().new_articles == 1


def test_of_more_entries_than_are_read_at_once_those_behind_the_filtered_ones_are_reached(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    world = world_on_each_engine
    world.limit_entries(3)

    poll = show(world, server, feed(1, 2, 3, 4, 5, ads=(3, 4, 5)))

    assert world.titles() == {"新闻 1", "新闻 2"}
    assert poll.flaw is None


def test_a_slow_expression_costs_no_article_and_is_a_flaw(world_on_each_engine: World, server: RecordingServer) -> None:
    world = world_on_each_engine
    slow = Filters(exclude=(FilterRule(title="^(a|aa|b?a)+$"),))
    document = feed(1, 2).replace("新闻 1".encode(), b"a" * 60 + b"c")

    poll = show(world, server, document, filters=slow)

    assert (poll.new_articles, poll.filtered) == (2, 0)
    assert poll.flaw == "its filters did not decide on 1 of 2 articles, which were kept: they took longer than 100 ms"
