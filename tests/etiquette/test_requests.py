"""Rules 13, 14 and 21: what a request says, byte for byte, and what it makes of answers to questions it did not ask."""

import gzip
import zlib
from datetime import timedelta

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from kzfeed.store import tables
from tests.etiquette.conftest import AGENT, DAY, HOUR, World
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import Header, RecordedRequest, RecordingServer, Reply
from tests.slow import slow

ASKED = ["host", "user-agent", "accept", "accept-encoding"]
ETAG: Header = ("ETag", '"1"')
ACCEPTED = b"application/rss+xml", b"application/atom+xml", b"application/feed+json"


def asked(seen: RecordedRequest) -> list[str]:
    """The names of the headers, but for Connection: each visit closes its own."""
    assert seen.header("connection") in (None, b"close")
    return [name for name, _ in seen.fields if name != "connection"]


def encodings(seen: RecordedRequest) -> set[str]:
    """What Accept-Encoding names, without any q=0."""
    value = (seen.header("accept-encoding") or b"").decode("ascii")
    return {each.split(";")[0].strip() for each in value.split(",")}


# --- rule 13 ---------------------------------------------------------------------------------------------------------


def test_13_a_request_says_who_asks_for_what_and_nothing_else(world: World, server: RecordingServer) -> None:
    page = server.page("/feed.xml?b=2&a=%E4%B8%AD&empty=", Reply(200, [ETAG], rss()), Reply(304))
    world.add_source(page)

    world.advance(1.5 * HOUR)

    first, second = page.seen
    assert first.line == second.line == "GET /feed.xml?b=2&a=%E4%B8%AD&empty= HTTP/1.1"
    assert first.header("host") == f"127.0.0.1:{server.port}".encode()
    assert first.header("user-agent") == AGENT.encode()
    assert all(each in (first.header("accept") or b"") for each in ACCEPTED)
    assert asked(first) == ASKED
    assert asked(second) == [*ASKED, "if-none-match"]


def test_13_a_cookie_is_never_sent_back(world: World, server: RecordingServer) -> None:
    cookies: list[Header] = [("Set-Cookie", "session=1; Path=/"), ("Set-Cookie", "tracker=2; Max-Age=99999999; Path=/")]
    door = server.page("/door", Reply(302, [*cookies, ("Location", "/feed")]))
    page = server.page("/feed", Reply(200, [*cookies, ETAG], rss()), Reply(304, cookies))
    other = server.page("/other", Reply(200, cookies, rss()))
    world.add_source(door)
    world.add_source(other, name="other")

    world.advance(5 * HOUR)

    assert len(page.seen) >= 4
    assert not [name for seen in server.seen for name, _ in seen.fields if "cookie" in name]


def test_13_no_referer_after_a_redirect(world: World, server: RecordingServer) -> None:
    server.page("/feed", Reply(200, body=rss()))
    for status in (301, 302, 303, 307, 308):
        door = server.page(f"/{status}", Reply(status, [("Location", "/feed"), ("Referrer-Policy", "unsafe-url")]))
        world.add_source(door, name=f"s{status}")

    world.advance(timedelta())

    assert [asked(seen) for seen in server.seen] == [ASKED] * 10
    assert {seen.line.split(" ")[0] for seen in server.seen} == {"GET"}


# --- rule 14 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(rss(), mtime=0)),
        ("deflate", zlib.compress(rss())),
        ("br", brotli.compress(rss())),
        ("zstd", zstandard.compress(rss())),
    ],
)
def test_14_what_is_named_is_understood(world: World, server: RecordingServer, coding: str, body: bytes) -> None:
    page = server.page("/feed", Reply(200, [("Content-Encoding", coding)], body))
    world.add_source(page)

    world.advance(timedelta())

    assert coding in encodings(page.seen[0])
    assert encodings(page.seen[0]) <= {"gzip", "deflate", "br", "zstd"}
    assert world.titles() == {"第1篇"}


# --- rule 21 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "head"),
    [
        (
            [("Link", '<http://127.0.0.1:9/hub>; rel="hub", <http://127.0.0.1:9/feed>; rel="self"')],
            '<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="hub" href="http://127.0.0.2:{port}/hub"/>'
            '<cloud domain="127.0.0.2" port="{port}" path="/hub" registerProcedure="" protocol="http-post"/>',
        ),
        ([("Upgrade", "h2c"), ("Connection", "Upgrade"), ("Alt-Svc", 'h2=":443"; ma=86400, h3=":443"')], ""),
        ([("IM", "feed"), ("Vary", "A-IM"), ("Delta-Base", '"0"')], ""),
    ],
)
def test_21_what_a_feed_advertises_changes_nothing(
    world: World, server: RecordingServer, headers: list[Header], head: str
) -> None:
    body = rss(head=head.format(port=server.port))
    page = server.page("/feed", Reply(200, [ETAG, *headers], body), Reply(304, headers))
    world.add_source(page)

    world.advance(2.5 * HOUR)

    assert [seen.conditions for seen in page.seen] == [(None, None), (b'"1"', None), (b'"1"', None)]
    assert server.seen == page.seen
    assert {seen.line for seen in server.seen} == {"GET /feed HTTP/1.1"}
    assert [asked(seen) for seen in server.seen] == [ASKED, *[[*ASKED, "if-none-match"]] * 2]


PARTIAL = rss([3])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(206, [("Content-Range", f"bytes 0-{len(PARTIAL) - 1}/9999"), ("ETag", '"part"')], PARTIAL),
        Reply(204, [("ETag", '"none"')]),
        slow(Reply(226, [("IM", "feed"), ("ETag", '"delta"')], PARTIAL)),
        slow(Reply(226, [("IM", "feed"), ("ETag", '"delta"')])),
        slow(Reply(206, [("ETag", '"part"')])),
        slow(Reply(201, [("ETag", '"made"')], PARTIAL)),
        slow(Reply(300, [("ETag", '"many"')], PARTIAL)),
    ],
)
def test_21_an_answer_that_nobody_asked_for_is_an_error_and_takes_nothing_away(
    world: World, server: RecordingServer, reply: Reply
) -> None:
    page = server.page(
        "/feed", Reply(200, [ETAG], rss([1, 2, 3])), reply, Reply(200, [("ETag", '"2"')], rss([1, 2, 3, 4]))
    )
    world.add_source(page)
    world.advance(timedelta())
    articles, sightings = world.rows(tables.articles), world.rows(tables.sightings)

    world.advance(HOUR * 1.1)
    source = world.source()
    after = world.rows(tables.articles), world.rows(tables.sightings), world.rows(tables.gaps)
    world.advance(DAY)

    assert (source.status, source.validators and source.validators.etag) == ("failing", '"1"')
    assert source.last_error_kind == "unexpected-status"
    assert after == (articles, sightings, [])
    assert [seen.conditions[0] for seen in page.seen[:4]] == [None, b'"1"', None, b'"2"']
    assert world.titles() == {"第1篇", "第2篇", "第3篇", "第4篇"}


def test_21_a_304_to_an_unconditional_request_is_an_error(world: World, server: RecordingServer) -> None:
    page = server.page("/feed", Reply(304, [ETAG]), Reply(200, [("ETag", '"2"')], rss()), Reply(304))
    world.add_source(page)

    world.advance(HOUR)
    source = world.source()
    world.advance(DAY)

    assert (source.status, source.validators) == ("failing", None)
    assert source.last_error_kind == "unexpected-status"
    assert [seen.conditions[0] for seen in page.seen[:3]] == [None, None, b'"2"']
    assert world.titles() == {"第1篇"}
