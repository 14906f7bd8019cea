"""Where redirects lead, what an address is for good, and what happens to credentials on the way."""

import asyncio
import base64

import pytest

from kzfeed.model.polls import Outcome, Visit
from tests.fetch.servers import (
    FEED,
    Answer,
    Server,
    failed,
    fetched,
    fetcher,
    names,
    raw,
    reply,
    routes,
    serve,
    visit_once,
)

# --- redirects -------------------------------------------------------------------------------------------------------


def follow(*statuses: int, location: str = "/{}") -> tuple[Outcome, Server]:
    """A visit to /0, which leads to /1 and so on, with these statuses; the last is a feed."""
    table = {f"/{n}": reply(status, {"Location": location.format(n + 1)}) for n, status in enumerate(statuses)}
    return visit_once(routes(table | {f"/{len(statuses)}": reply()}), path="/0")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    outcome, server = follow(status)
    assert fetched(outcome).url == server.url("/1")
    assert fetched(outcome).permanent_url == (server.url("/1") if status in (301, 308) else None)


@pytest.mark.parametrize(("statuses", "permanent"), [((301, 308), True), ((301, 302), False), ((307, 308), False)])
def test_an_address_is_new_for_good_only_if_every_step_says_so(statuses: tuple[int, ...], permanent: bool) -> None:
    outcome, server = follow(*statuses)
    assert fetched(outcome).permanent_url == (server.url("/2") if permanent else None)


def test_five_redirects_are_followed_and_six_are_not() -> None:
    outcome, _ = follow(*[302] * 5)
    assert fetched(outcome).body == FEED
    outcome, server = follow(*[302] * 6)
    assert failed(outcome).kind == "bad-redirect"
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["/feed", "/feed#again", "", "http:/feed"])
def test_a_redirect_in_a_circle_is_no_redirect(location: str) -> None:
    outcome, server = visit_once(reply(301, {"Location": location}))
    assert failed(outcome).kind == "bad-redirect"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://feeds.example/", "data:text/xml,<rss/>", "javascript:alert(1)", "ws://feeds.example/",
     "http://", "http://a b/", "http://[::1/", "https://feeds.example:99999/", "//"],
)  # fmt: skip
def test_a_redirect_to_where_no_feed_can_be_is_a_bad_one(location: str) -> None:
    outcome, _ = visit_once(reply(302, {"Location": location}))
    assert (failed(outcome).kind, failed(outcome).status) == ("bad-redirect", 302)
    assert failed(outcome).headers["location"] == location


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"/caf\xc3\xa9?\xe4\xb8\xad", "/caf%C3%A9?%E4%B8%AD"),
        (b"/caf\xe9", "/caf%E9"),
        (b"b/../c", "/c"),
        (b"?page=2", "/feed?page=2"),
        (b"  /spaced  ", "/spaced"),
        (b"\\back", "/back"),
    ],
)
def test_a_location_is_resolved_as_a_browser_would(location: bytes, path: str) -> None:
    redirect = raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")
    outcome, server = visit_once(routes({"/feed": redirect, path: reply()}))
    assert fetched(outcome).url == server.url(path)


# --- credentials -----------------------------------------------------------------------------------------------------


def basic(userinfo: bytes) -> str:
    return "Basic " + base64.b64encode(userinfo).decode()


@pytest.mark.parametrize(
    ("userinfo", "sent"),
    [
        ("me:secret@", b"me:secret"),
        ("me@", b"me:"),
        (":secret@", b":secret"),
        ("m%40e:s%3A%C3%A9@", b"m@e:s:\xc3\xa9"),
        ("m@e:s:e@", b"m@e:s:e"),
        ("@", None),
    ],
)
def test_userinfo_goes_as_basic_credentials_and_nowhere_else(userinfo: str, sent: bytes | None) -> None:
    outcome, server = visit_once(reply(), userinfo=userinfo)
    assert server.headers().get("Authorization") == (None if sent is None else basic(sent))
    assert "@" not in fetched(outcome).url
    assert server.headers()["Host"] == f"127.0.0.1:{server.port}"


def test_validators_hold_whether_or_not_the_url_has_credentials() -> None:
    _, server = visit_once(reply(304), userinfo="me:secret@", etag='"a"')
    assert server.headers()["If-None-Match"] == '"a"'


def test_credentials_stay_with_their_origin() -> None:
    async def go() -> tuple[Outcome, Outcome, Server, Server]:
        async with serve(reply()) as other, fetcher(lookup=names(feeds=["127.0.0.1"])) as fetch:
            table = {
                "/same": reply(301, {"Location": "/feed"}),
                "/port": reply(301, {"Location": other.url("/port")}),
                "/feed": reply(),
            }
            async with serve(routes(table)) as server:
                same = await fetch.visit(Visit(server.url("/same", userinfo="me:secret@"), None, server.host))
                away = await fetch.visit(Visit(server.url("/port", userinfo="me:secret@"), None, server.host))
                return same, away, server, other

    same, away, server, other = asyncio.run(go())
    assert ["Authorization" in server.headers(number) for number in range(3)] == [True, True, True]
    assert "Authorization" not in other.headers()
    assert fetched(same).url == server.url()
    assert fetched(same).permanent_url == server.url()
    assert fetched(away).permanent_url == other.url("/port")


def test_credentials_do_not_go_to_another_host_and_a_location_cannot_bring_its_own() -> None:
    async def go() -> tuple[Outcome, Server]:
        lookup = names(feeds=["127.0.0.1"])
        table: dict[str, Answer] = {"/there": reply()}
        async with serve(routes(table)) as server, fetcher(lookup=lookup) as fetch:
            location = server.url("/there", host="feeds.example", userinfo="you:know@")
            table["/feed"] = reply(302, {"Location": location})
            return await fetch.visit(Visit(server.url(userinfo="me:secret@"), None, "feeds.example")), server

    outcome, server = asyncio.run(go())
    assert failed(outcome).kind == "forbidden-address"  # 127.0.0.1 itself is not trusted here
    assert server.requests == []

    async def again() -> Server:
        table: dict[str, Answer] = {"/there": reply()}
        async with serve(routes(table)) as server, fetcher(lookup=names(feeds=["127.0.0.1"])) as fetch:
            location = server.url("/there", userinfo="you:know@")
            table["/feed"] = reply(302, {"Location": location})
            url = server.url(userinfo="me:secret@")
            fetched(await fetch.visit(Visit(url, None, server.host)))
            return server

    server = asyncio.run(again())
    assert server.headers(1)["Authorization"] == basic(b"me:secret")


@pytest.mark.parametrize(
    ("path", "userinfo"), [("/feed", "me:s3cret@"), ("/" + "x" * 900, "s3cret@"), ("/feed?token=s3cret", "")]
)
def test_no_failure_tells_a_secret(path: str, userinfo: str) -> None:
    for status in (404, 302):
        outcome, server = visit_once(
            reply(status, {"Location": "ftp://me:s3cret@feeds.example/"}), path=path, userinfo=userinfo
        )
        assert "s3cret" not in failed(outcome).error
        assert f"127.0.0.1:{server.port}" in failed(outcome).error


@pytest.mark.parametrize(
    "url", ["", "feed.xml", "ftp://me:s3cret@feeds.example/", "http://", "http://a b/", "file:///etc"]
)
def test_what_is_no_address_is_a_failure_too(url: str) -> None:
    async def go() -> Outcome:
        async with fetcher() as fetch:
            return await fetch.visit(Visit(url))

    assert failed(asyncio.run(go())).kind == "connect"
    assert "s3cret" not in failed(asyncio.run(go())).error
