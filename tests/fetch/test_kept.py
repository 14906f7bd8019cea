"""Connections that are used again, and those that must not be, for what comes of them might not be the answer."""

import asyncio
import gzip
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from kzfeed.fetch.client import DEFAULT_LIMITS, Fetcher, FetchLimits
from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.kept import IDLE_TIME
from kzfeed.fetch.wire import Request, Wire, WireLimits
from kzfeed.model import Fetched, NotModified, Outcome, Validators, Visit
from tests.fetch.servers import (
    FEED,
    Answer,
    Server,
    client_tls,
    failed,
    fetched,
    fetcher,
    names,
    raw,
    response,
    routes,
    seconds,
    serve,
    server_tls,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = response(body=b"smuggled")
PRIVATE = b"<rss><title>what another visit has asked for</title></rss>"


def in_turn(*answers: Answer) -> Answer:
    """The first request gets the first answer, and so on; the last one is for all that come after."""
    left = list(answers)

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, writer)

    return answer


async def close(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(request: bytes, writer: asyncio.StreamWriter) -> None:
    # To linger for no time at all is to reset.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def all_closed(server: Server) -> None:
    async with asyncio.timeout(1):
        while server.open:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.005)


def visits_in_turn(
    *answers: Answer, count: int = 2, pause: float = 0.0, etag: str | None = None, limits: FetchLimits = DEFAULT_LIMITS
) -> tuple[list[Outcome], Server]:
    """Visits to one server, one after the other; it keeps connections, and the requests are answered in turn."""

    async def go() -> tuple[list[Outcome], Server]:
        async with serve(in_turn(*answers), keeps=True) as server, fetcher(limits=limits) as fetch:
            outcomes = []
            for number in range(count):
                url = server.url(f"/{number}")
                validators = Validators(url, etag) if etag else None
                outcomes.append(await fetch.visit(Visit(url, validators, server.host)))
                await asyncio.sleep(pause)
            return outcomes, server

    return asyncio.run(go())


# --- used again ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        raw(response()),
        raw(response(headers={"Connection": "keep-alive", "Keep-Alive": "timeout=60"})),
        raw(*(bytes([byte]) for byte in response())),
        raw(CHUNKED + b"4\r\nbody\r\n0\r\n\r\n"),
        raw(CHUNKED + b"4;a=b\r\nbody\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n"),
        raw(CHUNKED, b"4\r\nbo", b"dy\r\n0", b"\r\nTrailer: x\r\n", b"\r", b"\n", pause=0.005),
        raw(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", response(), pause=0.005),
        raw(response(304)),
        raw(response(304, {"Content-Length": "0"})),
        raw(response(304, {"Transfer-Encoding": "chunked"})),
        raw(response(301, {"Location": "/1"}, body=b"")),
        raw(response(302, {"Location": "/1", "Transfer-Encoding": "chunked"}, body=b"").split(b"Content-Length")[0]
            + b"\r\n0\r\n\r\n"),
    ],
)  # fmt: skip
def test_a_connection_is_used_again_after_a_sound_response(first: Answer) -> None:
    outcomes, server = visits_in_turn(first, raw(response()), count=3, etag='"a"')
    assert not any(outcome for outcome in outcomes if not isinstance(outcome, Fetched | NotModified))
    assert fetched(outcomes[-1]).body == FEED
    assert len(server.requests) in (3, 4)
    assert server.connections == 1


def test_a_redirect_within_a_host_needs_one_connection() -> None:
    table = routes({"/0": raw(response(302, {"Location": "/there"}, body=b"")), "/there": raw(response())})
    outcomes, server = visits_in_turn(table, count=1)
    assert fetched(outcomes[0]).body == FEED
    assert (server.paths, server.connections) == (["/0", "/there"], 1)


def test_one_handshake_serves_several_visits_but_no_other_name() -> None:
    async def go() -> tuple[list[Outcome], Server]:
        lookup = names(feeds=["127.0.0.1"])
        async with (
            serve(raw(response()), tls=server_tls(), keeps=True) as server,
            fetcher(lookup=lookup, tls=client_tls()) as fetch,
        ):
            hosts = ["feeds.example", "feeds.example", "127.0.0.1", "feeds.example"]
            return [await fetch.visit(Visit(server.url(host=host), None, host)) for host in hosts], server

    outcomes, server = asyncio.run(go())
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert server.connections == 2


def test_each_request_has_its_own_credentials() -> None:
    async def go() -> Server:
        async with serve(raw(response()), keeps=True) as server, fetcher() as fetch:
            for userinfo in ("me:secret@", "", "you:other@"):
                await fetch.visit(Visit(server.url(userinfo=userinfo), None, server.host))
            return server

    server = asyncio.run(go())
    assert server.connections == 1
    assert [server.headers(number).get("Authorization") for number in range(3)] == [
        "Basic bWU6c2VjcmV0",
        None,
        "Basic eW91Om90aGVy",
    ]


def test_the_bounds_hold_for_each_response_by_itself() -> None:
    wide = raw(response(headers={"X-Wide": "x" * 40_000}))
    wrapped = raw(CHUNKED + b"1;" + b"x" * 1_000_000 + b"\r\nx\r\n0\r\n\r\n")
    outcomes, server = visits_in_turn(wide, wide, wrapped, wrapped, raw(response()), count=5)
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (response(headers={"X-Wide": "x" * 70_000}), "the headers have more than"),
        (OK + b"X: y\r\n" * 501 + b"\r\n", "501 header lines"),
        (CHUNKED + b"1;" + b"x" * 2_000_000 + b"\r\nx\r\n0\r\n\r\n", "far more bytes"),
        (b"ICY 200 OK\r\n\r\n", "not HTTP/1"),
    ],
)
def test_the_second_response_of_a_connection_is_bounded_too(second: bytes, words: str) -> None:
    outcomes, server = visits_in_turn(raw(response()), raw(second), raw(response()), count=3)
    assert failed(outcomes[1]).kind == "bad-response"
    assert words in failed(outcomes[1]).error
    assert fetched(outcomes[2]).body == FEED
    assert server.connections == 2


# --- not used again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        response(headers={"Connection": "close"}),
        response(headers={"Connection": "Keep-Alive, Close"}),
        response(304, {"Connection": "close"}),
        response(304, {"Content-Length": "999"}),
        response().replace(b"HTTP/1.1", b"HTTP/1.0"),
        response(headers={"Connection": "keep-alive"}).replace(b"HTTP/1.1", b"HTTP/1.0"),
        response(404),
        response(404, body=b""),
        response(304, {"cf-mitigated": "challenge"}),
        response(204, body=b"").replace(b"Content-Length: 0\r\n", b""),
        response(body=b""),
        response(302, {"Location": "/1"}, body=b"moved"),
        response(302, {"Location": "/1", "Content-Length": "9"}, body=b""),
        response(302, {"Location": "file:///feed"}, body=b""),
        response(headers={"Content-Encoding": "gzip"}),
        response(headers={"Content-Encoding": "gzip"}, body=gzip.compress(bytes(100_000))),
        response(headers={"Content-Length": "99999"}),
        OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
        CHUNKED + b"4\r\nbodyX\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\nbody\r\n0\r\n\r\n",
        OK + b"X: a\x00b\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_a_connection_is_not_used_again_where_anything_speaks_against_it(first: bytes) -> None:
    limits = FetchLimits(timeout=timedelta(seconds=5), max_body=90_000)
    answers = [raw(first), raw(response(headers={"X-Second": "y"}))]
    outcomes, server = visits_in_turn(*answers, etag='"a"', limits=limits)
    assert fetched(outcomes[-1]).headers["x-second"] == "y"
    assert server.connections == 2


@pytest.mark.parametrize("pause", [None, 0.0, 0.02])
@pytest.mark.parametrize("extra", [b"\n", b"\r\n", b"x", b"HTT", b"0\r\n\r\n", SMUGGLED, SMUGGLED[:-3], SMUGGLED * 2])
@pytest.mark.parametrize(
    "sound",
    [
        response(),
        response(304),
        response(304, {"Content-Length": "8"}),
        CHUNKED + b"4\r\nbody\r\n0\r\n\r\n",
        CHUNKED + b"4\r\nbody\r\n0\r\nTrailer: x\r\n\r\n",
    ],
)
def test_bytes_after_the_end_end_the_connection_and_answer_nobody(
    sound: bytes, extra: bytes, pause: float | None
) -> None:
    """In one piece with the response, right behind it, or later, while the connection waits."""
    first = raw(sound + extra) if pause is None else raw(sound, extra, pause=pause)
    outcomes, server = visits_in_turn(first, raw(response(body=PRIVATE)), etag='"a"', pause=0.05)
    assert isinstance(outcomes[0], Fetched | NotModified)
    assert fetched(outcomes[1]).body == PRIVATE
    assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize("extra", [b"\n", b"x", SMUGGLED])
def test_a_redirect_with_bytes_after_its_end_is_followed_over_another_connection(extra: bytes) -> None:
    redirect = raw(response(302, {"Location": "/there"}, body=b"") + extra)
    outcomes, server = visits_in_turn(redirect, raw(response(body=PRIVATE)), count=1)
    assert fetched(outcomes[0]).body == PRIVATE
    assert (server.paths, server.connections) == (["/0", "/there"], 2)


def test_what_has_come_while_nobody_looked_is_no_answer_either() -> None:
    """The bytes are there, but the event loop has had no time to read them when the next request is to be sent."""
    ends: list[int] = []

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        ends.append(writer.get_extra_info("socket").fileno())
        writer.write(response(body=PRIVATE))

    async def go() -> tuple[Outcome, Server]:
        async with serve(answer, keeps=True) as server, fetcher() as fetch:
            visit = Visit(server.url(), None, server.host)
            fetched(await fetch.visit(visit))
            os.write(ends[0], SMUGGLED)
            return await fetch.visit(visit), server

    outcome, server = asyncio.run(go())
    assert fetched(outcome).body == PRIVATE
    assert server.connections == 2


@pytest.mark.parametrize("count", [*range(8, 13), 64])
@pytest.mark.parametrize("extra", [b"\r\n", b"HTT", SMUGGLED])
def test_a_body_that_comes_faster_than_it_is_read_may_have_bytes_after_it(extra: bytes, count: int) -> None:
    """The parser holds back what is not read yet, and then the end with whatever follows it."""

    async def go() -> tuple[int, Server]:
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        first = raw(CHUNKED + chunk * count + b"0\r\n\r\n" + extra)
        limits = WireLimits(timedelta(seconds=1), 1000, 10)
        async with serve(in_turn(first, raw(response())), keeps=True) as server, Wire(limits, client_tls()) as wire:
            request = Request(server.host, server.url(""), "/", (), addresses=(server.host,))
            size = 0
            async with wire.send(request) as answer:
                await asyncio.sleep(0.1)
                async for piece in answer.body:
                    size += len(piece)
            async with wire.send(request) as answer:
                assert b"".join([piece async for piece in answer.body]) == FEED
            return size, server

    size, server = asyncio.run(go())
    assert size == count * 0x10000
    assert server.connections == 2


def test_a_visit_that_is_cancelled_closes_its_connection() -> None:
    begun = asyncio.Event()

    async def half(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(response()[:-9])
        begun.set()

    async def go() -> Server:
        async with serve(in_turn(raw(response()), half, raw(response())), keeps=True) as server, fetcher() as fetch:
            visit = Visit(server.url(), None, server.host)
            fetched(await fetch.visit(visit))
            cancelled = asyncio.create_task(fetch.visit(visit))
            await begun.wait()
            await asyncio.sleep(0.02)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await all_closed(server)
            fetched(await fetch.visit(visit))
            return server

    assert asyncio.run(go()).connections == 2


# --- what one visit may dial -----------------------------------------------------------------------------------------


def test_a_kept_connection_is_left_where_its_name_leads_elsewhere_now() -> None:
    answers = [["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"]]

    async def go() -> tuple[Server, Server]:
        async with (
            serve(raw(response()), keeps=True) as old,
            serve(raw(response()), keeps=True, host="127.0.0.2", port=old.port) as new,
            fetcher(lookup=lambda host, port: answers.pop(0)) as fetch,
        ):
            for _ in range(3):
                fetched(await fetch.visit(Visit(old.url(host="feeds.example"), None, "feeds.example")))
            await all_closed(old)
            return old, new

    old, new = asyncio.run(go())
    assert (len(old.requests), old.connections) == (2, 1)
    assert (len(new.requests), new.connections) == (1, 1)


def test_a_kept_connection_serves_no_request_that_may_not_dial_its_address() -> None:
    """As where the operator trusts a host in one source, and a redirect of another leads there."""

    async def go() -> tuple[VisitError, Server]:
        limits = WireLimits(timedelta(seconds=1), 1000, 10)
        async with serve(raw(response()), keeps=True) as server, Wire(limits, client_tls()) as wire:
            for addresses in (("127.0.0.1",), ("127.0.0.3", "127.0.0.1")):
                request = Request("feeds.example", server.url("", host="feeds.example"), "/", (), addresses)
                async with wire.send(request) as answer:
                    assert b"".join([piece async for piece in answer.body]) == FEED
            with pytest.raises(VisitError) as caught:
                async with wire.send(Request(request.host, request.origin, "/", (), ("127.0.0.3",))):
                    pass
            await all_closed(server)
            return caught.value, server

    error, server = asyncio.run(go())
    assert error.kind == "connect"
    assert (len(server.requests), server.connections) == (2, 1)


# --- closed by the server --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [close, reset])
@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_a_request_goes_out_again_where_the_server_has_just_closed(ending: Answer, pause: float) -> None:
    async def late(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(pause)
        await ending(request, writer)

    outcomes, server = visits_in_turn(raw(response()), late, raw(response(body=PRIVATE)))
    assert fetched(outcomes[1]).body == PRIVATE
    assert server.paths == ["/0", "/1", "/1"]
    assert server.connections == 2


@pytest.mark.parametrize("ending", [close, reset])
def test_a_connection_that_the_server_closed_meanwhile_is_not_asked(ending: Answer) -> None:
    async def answer_and_end(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(response())
        await writer.drain()
        await asyncio.sleep(0.02)
        await ending(request, writer)

    outcomes, server = visits_in_turn(answer_and_end, raw(response()), pause=0.06)
    assert fetched(outcomes[1]).body == FEED
    assert server.paths == ["/0", "/1"]


@pytest.mark.parametrize("ending", [close, reset])
def test_it_goes_out_again_once_and_no_more(ending: Answer) -> None:
    outcomes, server = visits_in_turn(raw(response()), ending)
    assert failed(outcomes[1]).kind == "connect"
    assert server.paths == ["/0", "/1", "/1"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "sent", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", OK + b"\r\n", OK + b"Content-Length: 9\r\n\r\n"]
)
@pytest.mark.parametrize("ending", [close, reset])
def test_it_does_not_go_out_again_once_a_byte_has_come(sent: bytes, ending: Answer) -> None:
    async def begin(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0.02)
        await ending(request, writer)

    outcomes, server = visits_in_turn(raw(response()), begin, raw(response()))
    assert failed(outcomes[1]).kind in ("connect", "bad-response", "empty")
    assert server.paths == ["/0", "/1"]


@pytest.mark.parametrize("sent", [b"ICY 200 OK\r\n", OK + b"no colon\r\n\r\n"])
def test_an_answer_that_breaks_http_is_not_asked_for_again(sent: bytes) -> None:
    outcomes, server = visits_in_turn(raw(response()), raw(sent), raw(response()))
    assert failed(outcomes[1]).kind == "bad-response"
    assert server.paths == ["/0", "/1"]


def test_it_does_not_go_out_again_when_the_time_is_over() -> None:
    async def too_late(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.close()

    outcomes, server = visits_in_turn(raw(response()), too_late, raw(response()), limits=seconds(0.3), pause=0.3)
    assert failed(outcomes[1]).kind == "timeout"
    assert server.paths == ["/0", "/1"]


def test_it_does_not_go_out_again_after_the_door_is_closed() -> None:
    async def go() -> Server:
        asked, end = asyncio.Event(), asyncio.Event()

        async def wait_and_close(request: bytes, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await end.wait()
            writer.close()

        answers = in_turn(raw(response()), wait_and_close, raw(response()))
        async with serve(answers, keeps=True) as server, fetcher() as fetch:
            visit = Visit(server.url(), None, server.host)
            fetched(await fetch.visit(visit))
            second = asyncio.create_task(fetch.visit(visit))
            await asked.wait()
            fetch.stop_requests()
            end.set()
            with pytest.raises(asyncio.CancelledError):
                await second
            return server

    server = asyncio.run(go())
    assert (len(server.requests), server.connections) == (2, 1)


# --- how many, and how long ------------------------------------------------------------------------------------------


HOSTS = {name: ["127.0.0.1"] for name in "abcdef"}


@asynccontextmanager
async def many_hosts(
    answer: Answer, *, most: int
) -> AsyncIterator[tuple[Server, Callable[[str], "asyncio.Task[Outcome]"]]]:
    """A server of many names, and how to visit one of them with at most so many connections."""
    async with (
        serve(answer, keeps=True) as server,
        fetcher(lookup=names(**HOSTS), max_connections=most) as fetch,
    ):

        def visit(name: str) -> "asyncio.Task[Outcome]":
            host = f"{name}.example"
            return asyncio.create_task(fetch.visit(Visit(server.url(f"/{name}", host=host), None, host)))

        yield server, visit


def test_no_more_connections_wait_than_there_may_be_and_the_oldest_go_first() -> None:
    async def go() -> tuple[list[int], int]:
        async with many_hosts(raw(response()), most=3) as (server, visit):
            counts = []
            for name in "abcdacdb":
                fetched(await visit(name))
                counts.append(server.connections)
            await asyncio.sleep(0.02)
            return counts, server.open

    counts, still_open = asyncio.run(go())
    # a goes for d, b for a, and a again for b: the others have been used since.
    assert counts == [1, 2, 3, 4, 5, 5, 5, 6]
    assert still_open == 3


def test_those_that_wait_make_room_for_requests_under_way() -> None:
    async def go() -> tuple[int, int]:
        most_open = 0

        async def slowly(request: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal most_open
            await asyncio.sleep(0.05)
            most_open = max(most_open, server.open)
            writer.write(response())

        async with many_hosts(slowly, most=3) as (server, visit):
            for names_at_once in ("abc", "def", "ab", "cd"):
                for outcome in await asyncio.gather(*map(visit, names_at_once)):
                    fetched(outcome)
            return most_open, server.connections

    assert asyncio.run(go()) == (3, 10)


def test_a_host_has_no_connection_that_waits_beside_one_in_use() -> None:
    """Two ports of a host are one host."""

    async def go() -> None:
        async with (
            serve(raw(response()), keeps=True) as first,
            serve(raw(response()), keeps=True) as second,
            fetcher() as fetch,
        ):
            for server, other in ((first, second), (second, first)):
                fetched(await fetch.visit(Visit(server.url(), None, server.host)))
                await all_closed(other)
                assert server.open == 1

    asyncio.run(go())


def test_two_visits_at_a_time_leave_one_connection() -> None:
    async def go() -> int:
        async with serve(raw(response(), pause=0.02), keeps=True) as server, fetcher() as fetch:
            visit = Visit(server.url(), None, server.host)
            await asyncio.gather(fetch.visit(visit), fetch.visit(visit))
            await asyncio.sleep(0.05)
            return server.open

    assert asyncio.run(go()) == 1


@pytest.mark.slow
def test_a_connection_waits_for_a_few_seconds_and_no_longer() -> None:
    async def go() -> tuple[list[int], int]:
        async with many_hosts(raw(response()), most=10) as (server, visit):
            await visit("a")
            await asyncio.sleep(IDLE_TIME / 2)
            await visit("b")
            await asyncio.sleep(IDLE_TIME / 2 - 0.1)
            open_for = [server.open]
            for wait in (0.3, IDLE_TIME / 2):
                await asyncio.sleep(wait)
                open_for.append(server.open)
            return open_for, server.connections

    assert asyncio.run(go()) == ([2, 1, 0], 2)


@pytest.mark.parametrize("tls", [False, True])
def test_what_waits_is_closed_at_once_at_the_end_and_with_the_door(tls: bool) -> None:
    async def go(end: Callable[[Fetcher], None]) -> float:
        async with serve(raw(response()), tls=server_tls() if tls else None, keeps=True) as server:
            async with fetcher(tls=client_tls()) as fetch:
                fetched(await fetch.visit(Visit(server.url(), None, server.host)))
                assert server.open == 1
                begun = time.monotonic()
                end(fetch)
                if end is Fetcher.stop_requests:
                    await all_closed(server)
            taken = time.monotonic() - begun
            await all_closed(server)
            return taken

    assert asyncio.run(go(lambda fetch: None)) < 0.5
    assert asyncio.run(go(Fetcher.stop_requests)) < 0.5


def test_no_connection_is_kept_after_the_door_is_closed() -> None:
    async def go() -> Sequence[Outcome]:
        asked = asyncio.Event()

        async def slowly(request: bytes, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await asyncio.sleep(0.05)
            writer.write(response())

        async with serve(slowly, keeps=True) as server, fetcher() as fetch:
            under_way = asyncio.create_task(fetch.visit(Visit(server.url(), None, server.host)))
            await asked.wait()
            fetch.stop_requests()
            outcome = await under_way
            await all_closed(server)
            with pytest.raises(asyncio.CancelledError):
                await fetch.visit(Visit(server.url(), None, server.host))
            assert len(server.requests) == 1
            return [outcome]

    assert isinstance(asyncio.run(go())[0], Fetched)
