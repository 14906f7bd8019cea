"""A visit: what is sent, what each answer means, and many visits at once."""

import asyncio
import gzip
from collections.abc import Mapping
from datetime import timedelta

import pytest

from kzfeed.fetch.client import Fetcher, FetchLimits
from kzfeed.model.polls import Fetched, NotModified, Outcome, Validators, Visit
from tests.fetch.servers import (
    AGENT,
    FEED,
    Answer,
    Server,
    failed,
    fetched,
    fetcher,
    names,
    raw,
    reply,
    response,
    routes,
    serve,
    visit_once,
)

# --- what is sent ----------------------------------------------------------------------------------------------------


def test_a_plain_request_has_these_headers_and_no_others() -> None:
    outcome, server = visit_once(reply())
    assert fetched(outcome).body == FEED
    assert server.requests[0].startswith(b"GET /feed HTTP/1.1\r\n")
    headers = server.headers()
    assert list(headers) == ["Host", "User-Agent", "Accept", "Accept-Encoding"]
    assert headers["Host"] == f"127.0.0.1:{server.port}"
    assert headers["User-Agent"] == AGENT
    assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
    assert {"application/rss+xml", "application/atom+xml", "application/feed+json"} < set(headers["Accept"].split(", "))


@pytest.mark.parametrize(
    "etag",
    ['"abc"', 'W/"abc-gzip"', "unquoted", '"é\xff\x80"', '"中文"'.encode().decode("latin-1"), '"a, b"', '"a\tb"', '""'],
)
def test_validators_are_echoed_byte_for_byte(etag: str) -> None:
    modified = "Mon, 1 jan 2024 00:00 (sic)"
    outcome, server = visit_once(reply(304), etag=etag, last_modified=modified)
    assert outcome == NotModified(server.url(), {})
    head = server.requests[0]
    assert b"\r\nIf-None-Match: " + etag.encode("latin-1") + b"\r\n" in head
    assert b"\r\nIf-Modified-Since: " + modified.encode("latin-1") + b"\r\n" in head


def test_what_is_echoed_is_what_the_server_gave() -> None:
    given = b'W/"\xe4\xb8\xad\xff"'

    async def go() -> bytes:
        async with serve(raw(b"HTTP/1.1 200 OK\r\nETag: " + given + b"\r\n\r\nbody")) as server, fetcher() as fetch:
            first = fetched(await fetch.visit(Visit(server.url(), None, server.host)))
            validators = Validators(first.url, first.headers["etag"])
            await fetch.visit(Visit(server.url(), validators, server.host))
            return server.requests[1]

    assert b"\r\nIf-None-Match: " + given + b"\r\n" in asyncio.run(go())


@pytest.mark.parametrize(("etag", "last_modified"), [(None, None), ("", ""), ('"a\r\nX: y"', "a\x00b"), ("中", "\x7f")])
def test_validators_that_are_none_or_cannot_be_sent_make_no_condition(
    etag: str | None, last_modified: str | None
) -> None:
    async def go() -> Server:
        async with serve(reply()) as server, fetcher() as fetch:
            fetched(await fetch.visit(Visit(server.url(), Validators(server.url(), etag, last_modified), server.host)))
            return server

    assert not {"If-None-Match", "If-Modified-Since"} & set(asyncio.run(go()).headers())


def test_validators_go_only_to_the_url_that_gave_them() -> None:
    async def go() -> Server:
        table = routes({"/old": reply(301, {"Location": "/new"}), "/new": reply()})
        async with serve(table) as server, fetcher() as fetch:
            for url in (server.url("/new"), server.url("/old")):
                await fetch.visit(Visit(server.url("/old"), Validators(url, '"a"'), server.host))
            return server

    server = asyncio.run(go())
    assert server.paths == ["/old", "/new"] * 2
    assert ["If-None-Match" in server.headers(number) for number in range(4)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/a b|c^d{}'\"<>`é?q='x|y\"é[]#fragment", "/a%20b|c%5Ed%7B%7D'%22%3C%3E%60%C3%A9?q=%27x|y%22%C3%A9[]"),
        ("/%7euser/%e4?a=%2f%zz&b=+", "/%7euser/%e4?a=%2f%zz&b=+"),
        ("/a/./b/../c//d/", "/a/c//d/"),
        ("//double", "//double"),
        ("?only=query", "/?only=query"),
        ("/feed?#fragment", "/feed?"),
        ("/a@b:c?d@e:f/g#h@i", "/a@b:c?d@e:f/g"),
        ("", "/"),
    ],
)
def test_a_url_goes_out_as_the_whatwg_rules_serialise_it(asked: str, sent: str) -> None:
    outcome, server = visit_once(reply(), path=asked)
    assert server.paths == [sent]
    assert fetched(outcome).url == server.url(sent)


def test_a_very_long_url_is_sent_whole() -> None:
    _, server = visit_once(reply(), path="/" + "x" * 8000)
    assert server.paths == ["/" + "x" * 8000]


@pytest.mark.parametrize("text", ["a\r\nX-Added: b", "a\nb", "a\rb", "a\x00b", "a\x7fb"])
def test_no_text_adds_a_line_to_a_request(text: str) -> None:
    async def go() -> tuple[Outcome, Server]:
        async with serve(reply()) as server, Fetcher(user_agent=text) as fetch:
            return await fetch.visit(Visit(server.url(), None, server.host)), server

    outcome, server = asyncio.run(go())
    assert failed(outcome).kind == "internal"
    assert server.connections == 0


def test_a_host_by_its_name_is_named_in_the_request() -> None:
    async def go() -> Server:
        async with serve(reply()) as server, fetcher(lookup=names(feeds=["127.0.0.1"])) as fetch:
            fetched(await fetch.visit(Visit(server.url(host="FEEDS.example"), None, "feeds.Example")))
            return server

    server = asyncio.run(go())
    assert server.headers()["Host"] == f"feeds.example:{server.port}"


def test_cookies_are_neither_kept_nor_sent() -> None:
    async def go() -> Server:
        cookie = ("Set-Cookie", "a=b; Path=/")
        table = routes({"/feed": reply(302, [("Location", "/there"), cookie]), "/there": reply(200, [cookie])})
        async with serve(table) as server, fetcher() as fetch:
            for _ in range(2):
                fetched(await fetch.visit(Visit(server.url(), None, server.host)))
            return server

    server = asyncio.run(go())
    assert all({"Cookie", "Referer"}.isdisjoint(server.headers(number)) for number in range(4))


def test_the_environment_is_not_asked_for_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    outcome, _ = visit_once(reply())
    assert fetched(outcome).body == FEED


# --- what an answer means --------------------------------------------------------------------------------------------


def test_the_head_of_a_response_is_kept_as_it_was_received() -> None:
    head = b'HTTP/1.1 200 Fine\r\neTag: "\xe9"\r\nX-Folded: a\r\n  b\r\nDate:now\r\ndate: later\r\n\r\n'
    outcome, _ = visit_once(raw(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + head + b"body"))
    kept = fetched(outcome).head
    assert kept is not None
    assert (kept.raw, kept.status) == (head, 200)
    assert kept.fields == ((b"eTag", b'"\xe9"'), (b"X-Folded", b"a b"), (b"Date", b"now"), (b"date", b"later"))


@pytest.mark.parametrize(
    ("status", "headers"), [(304, {}), (503, {"Retry-After": "5"}), (302, {"Location": "file:///"})]
)
def test_the_head_is_kept_whatever_the_response_means(status: int, headers: Mapping[str, str]) -> None:
    outcome, _ = visit_once(reply(status, headers), etag='"a"')
    assert outcome.head is not None
    assert outcome.head.status == status


def test_a_document_comes_with_its_headers() -> None:
    headers = [("ETag", '"a"'), ("X-Two", "1"), ("x-two", "2"), ("Content-Type", "text/html"), ("content-type", "a/b")]
    outcome, server = visit_once(reply(200, headers))
    length = str(len(FEED))
    expected = {"etag": '"a"', "x-two": "1, 2", "content-type": "a/b", "content-length": length}
    assert outcome == Fetched(server.url(), 200, expected, FEED)


def test_an_encoded_document_is_decoded() -> None:
    outcome, _ = visit_once(reply(200, {"Content-Encoding": "x-gzip"}, gzip.compress(FEED)))
    assert fetched(outcome).body == FEED


CHUNKED = b"40;ext=1\r\n" + FEED[:64] + b"\r\n1\r\n>\r\n0\r\nTrailer: x\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"HTTP/1.0 200 OK\r\n\r\n", FEED[:9], FEED[9:], pause=0.01),
        raw(b"HTTP/1.1 200 OK\nContent-Length: 65\n\n", FEED),
        raw(b"HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", CHUNKED),
        raw(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", response()),
        raw(*(bytes([byte]) for byte in response())),
    ],
)
def test_a_document_may_be_framed_in_many_ways(answer: Answer) -> None:
    outcome, _ = visit_once(answer)
    assert fetched(outcome).body == FEED


@pytest.mark.parametrize("pause", [None, 0.02])
@pytest.mark.parametrize("connection", ["", "Connection: close\r\n"])
@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("HTTP/1.1 304 Not Modified\r\n", b"<html>not modified</html>"),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", b"hello"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n", FEED + b"\r\n\r\nand more"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", CHUNKED + b"and more"),
    ],
)
def test_bytes_after_the_end_change_nothing(head: str, body: bytes, connection: str, pause: float | None) -> None:
    start = f"{head}{connection}\r\n".encode()
    outcome, _ = visit_once(raw(start + body) if pause is None else raw(start, body, pause=pause), etag='"a"')
    assert isinstance(outcome, NotModified) if "304" in head else fetched(outcome).body == FEED


def test_headers_up_to_the_limit_are_taken() -> None:
    outcome, _ = visit_once(reply(200, {"X-Long": "x" * 60_000, "X-More": "y" * 5000}))
    assert len(fetched(outcome).headers["x-long"]) == 60_000


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (410, {}, "gone"),
        (404, {}, "http-status"),
        (429, {"Retry-After": "120"}, "http-status"),
        (503, {"Retry-After": "120"}, "http-status"),
        (500, {}, "http-status"),
        (599, {}, "http-status"),
        (201, {}, "unexpected-status"),
        (206, {"Content-Range": "bytes 0-9/99"}, "unexpected-status"),
        (226, {"IM": "feed"}, "unexpected-status"),
        (300, {"Location": "/there"}, "unexpected-status"),
        (304, {}, "unexpected-status"),
        (305, {"Location": "/there"}, "unexpected-status"),
        (399, {}, "unexpected-status"),
        (403, {"CF-Mitigated": "challenge"}, "challenge"),
        (503, {"cf-mitigated": "challenge", "Retry-After": "5"}, "challenge"),
        (200, {"cf-mitigated": "challenge"}, "challenge"),
        (302, {}, "bad-redirect"),
    ],
)
def test_a_status_that_brings_nothing_is_a_named_failure(status: int, headers: Mapping[str, str], kind: str) -> None:
    outcome, server = visit_once(reply(status, headers))
    assert (failed(outcome).kind, failed(outcome).status) == (kind, status)
    assert {name.lower(): value for name, value in headers.items()}.items() <= failed(outcome).headers.items()
    assert server.connections == 1


def test_a_status_without_a_body_is_unexpected_too() -> None:
    outcome, _ = visit_once(raw(b"HTTP/1.1 204 Said\r\n\r\n"))
    assert (failed(outcome).kind, failed(outcome).status) == ("unexpected-status", 204)


def test_an_upgrade_nobody_asked_for_is_a_bad_response() -> None:
    outcome, _ = visit_once(raw(b"HTTP/1.1 101 Said\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"))
    assert failed(outcome).kind == "bad-response"


def test_a_304_is_taken_where_a_condition_was_sent() -> None:
    outcome, server = visit_once(reply(304, {"ETag": '"b"', "Content-Length": "999"}), etag='"a"')
    assert outcome == NotModified(server.url(), {"etag": '"b"', "content-length": "999"})


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_no_content_is_empty_and_white_space_is_left_to_the_parser(headers: Mapping[str, str]) -> None:
    outcome, _ = visit_once(reply(200, headers, b""))
    assert (failed(outcome).kind, failed(outcome).status) == ("empty", 200)
    blank, _ = visit_once(reply(200, {}, b" \r\n"))
    assert fetched(blank).body == b" \r\n"


# --- connections -----------------------------------------------------------------------------------------------------


def test_every_request_has_a_connection_of_its_own_that_is_closed_after_the_response() -> None:
    async def go() -> Server:
        table = routes({"/feed": reply(302, {"Location": "/there"}), "/there": reply()})
        async with serve(table, keeps=True) as server, fetcher() as fetch:
            for _ in range(2):
                fetched(await fetch.visit(Visit(server.url(), None, server.host)))
            async with asyncio.timeout(30):
                while server.open:  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(0.005)
            return server

    server = asyncio.run(go())
    assert (server.connections, len(server.requests)) == (4, 4)


def test_after_a_stop_responses_come_in_and_no_request_goes_out() -> None:
    async def go() -> tuple[Outcome, Server]:
        asked, answer_now = asyncio.Event(), asyncio.Event()

        async def wait(request: bytes, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await answer_now.wait()
            writer.write(response())

        async with serve(wait) as server, fetcher() as fetch:
            visit = Visit(server.url(), None, server.host)
            under_way = asyncio.create_task(fetch.visit(visit))
            await asked.wait()
            fetch.stop_requests()
            with pytest.raises(asyncio.CancelledError):
                await fetch.visit(visit)
            answer_now.set()
            return await under_way, server

    outcome, server = asyncio.run(go())
    assert fetched(outcome).body == FEED
    assert len(server.requests) == 1


# --- many at once ----------------------------------------------------------------------------------------------------


def test_visits_beyond_the_bound_wait_and_their_time_does_not_run() -> None:
    limits = FetchLimits(timeout=timedelta(seconds=2))

    async def go() -> tuple[list[Outcome], int]:
        most = 0

        async def slowly(request: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal most
            most = max(most, server.open)
            await asyncio.sleep(0.5)
            writer.write(response())

        async with serve(slowly) as server, fetcher(limits=limits, max_connections=2) as fetch:
            visits = [fetch.visit(Visit(server.url(f"/{n}"), None, server.host)) for n in range(10)]
            return await asyncio.gather(*visits), most

    outcomes, most = asyncio.run(go())
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert most == 2


def test_a_visit_can_be_cancelled_at_any_time_and_leaves_nothing_open() -> None:
    async def go() -> None:
        async def slowly(request: bytes, writer: asyncio.StreamWriter) -> None:
            for byte in response():
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.002)

        async with serve(slowly) as server, fetcher(max_connections=5) as fetch:
            for tenths in range(20):
                visits = [asyncio.create_task(fetch.visit(Visit(server.url(), None, server.host))) for _ in range(5)]
                await asyncio.sleep(tenths / 100)
                for task in visits:
                    task.cancel()
                ended = await asyncio.gather(*visits, return_exceptions=True)
                assert all(isinstance(end, asyncio.CancelledError) for end in ended)
            async with asyncio.timeout(30):
                while server.open:  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(0.005)
            # Every place is free again.
            outcomes = await asyncio.gather(*(fetch.visit(Visit(server.url(), None, server.host)) for _ in range(5)))
            assert all(isinstance(outcome, Fetched) for outcome in outcomes)

    asyncio.run(go())
