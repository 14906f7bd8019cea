"""Settings of a source that change between two polls, or during one: the next poll reads the document as they say."""

from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.model.articles import FeedReading
from kzfeed.model.filters import FilterRule, Filters
from kzfeed.store import tables
from tests.etiquette.conftest import HOUR, World
from tests.etiquette.recording_server import RecordedRequest, RecordingServer, Reply

pytestmark = pytest.mark.slow_on_postgresql

DOCUMENT = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>源</title><item><title>第1篇</title><link>https://e.example/1</link>
<guid>https://e.example/full/1</guid><pubDate>2026-01-02 08:00:00</pubDate><author>ä</author>
<description>正文</description></item></channel></rss>"""
ETAG = '"1"'

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "filters": ({"filters": Filters(exclude=(FilterRule(title="别的"),))}, "第1篇"),
    "timezone": ({"timezone": "Asia/Shanghai"}, "2026-01-02 00:00"),
    "link_from": ({"reading": FeedReading(link_from="guid")}, "https://e.example/full/1"),
    "content_from": ({"reading": FeedReading(content_from=("author",))}, "ä"),
    "encoding": ({"reading": FeedReading(encoding="gb18030")}, "姝ｆ枃"),
}
"""New settings for each key, and what they make of the document."""
EXCLUDES_ALL = Filters(exclude=(FilterRule(title="第"),))


def answer(request: RecordedRequest) -> Reply:
    """The document, or 304 if it is the one that the client has."""
    headers = [("ETag", ETAG)]
    return Reply(304, headers) if request.conditions[0] == ETAG.encode() else Reply(200, headers, DOCUMENT.encode())


def stored(world: World) -> str:
    article = tables.articles.c
    with world.database.read() as connection:
        rows = connection.execute(sa.select(article.url, article.title, article.text, article.published_at))
        return str([(*row[:3], f"{row[3]:%Y-%m-%d %H:%M}") for row in rows])


@pytest.mark.parametrize("during", [False, True], ids=["between polls", "during a poll"])
@pytest.mark.parametrize("key", CHANGES)
def test_changed_settings_count_for_a_document_that_has_not_changed(
    world_on_each_engine: World, server: RecordingServer, key: str, *, during: bool
) -> None:
    world = world_on_each_engine
    settings, expected = CHANGES[key]
    before: dict[str, Any] = {"filters": EXCLUDES_ALL} if key == "filters" else {}

    def change(request: RecordedRequest) -> Reply:
        world.add_source(page, **settings)
        return answer(request)

    page = server.page("/feed", change if during else answer, answer)
    world.add_source(page, **before)
    world.poll()
    if not during:
        world.add_source(page, **settings)
    assert expected not in stored(world)

    world.clock.now += HOUR
    assert world.poll().http_status == 200

    assert expected in stored(world)
    world.clock.now += HOUR
    assert world.poll().http_status == 304


def test_a_title_that_is_configured_during_a_poll_stays(world_on_each_engine: World, server: RecordingServer) -> None:
    world = world_on_each_engine

    def change(request: RecordedRequest) -> Reply:
        world.add_source(page, title="操作者的")
        return answer(request)

    page = server.page("/feed", answer, change)
    world.add_source(page)
    world.poll()
    assert world.source().title == "源"
    world.clock.now += HOUR
    world.poll()

    assert world.source().title == "操作者的"
