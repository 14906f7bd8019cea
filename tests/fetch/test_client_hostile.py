"""Hostile servers and faults: every visit ends as a named failure, soon and small."""

import asyncio
import gzip
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from kzfeed.fetch.client import Fetcher, FetchLimits
from kzfeed.model.polls import Fetched, Outcome, Visit
from tests.fetch.servers import (
    FEED,
    Answer,
    Server,
    client_tls,
    endless,
    failed,
    fetched,
    fetcher,
    names,
    raw,
    reply,
    response,
    seconds,
    serve,
    server_tls,
    visit_once,
)  # fmt: skip

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module", autouse=True)
def _warm_up() -> None:
    """Visit a server once: what the first visit imports must not count in a short time limit."""
    visit_once(reply())


# --- time ------------------------------------------------------------------------------------------------------------


async def silence(request: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    "answer",
    [
        silence,
        endless(OK, b"x", pause=0.05),
        endless(OK + b"Content-Length: 1000\r\n\r\n", b"x", pause=0.05),
        endless(CHUNKED, b"1\r\nx\r\n", pause=0.05),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        endless(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(FEED)[:-1], b"", pause=0.05),
    ],
)
def test_what_never_ends_is_ended_at_the_deadline(answer: Answer) -> None:
    begun = time.monotonic()
    outcome, server = visit_once(answer, limits=seconds(0.4))
    assert failed(outcome).kind == "timeout"
    assert 0.35 < time.monotonic() - begun < 30
    assert server.connections == 1


def test_redirects_have_one_deadline_together() -> None:
    async def slowly(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        number = int(request.split(b" ")[1][1:])
        writer.write(response(302, {"Location": f"/{number + 1}"}))

    outcome, server = visit_once(slowly, path="/0", limits=seconds(0.4))
    assert failed(outcome).kind == "timeout"
    assert 1 <= len(server.requests) <= 3


def test_a_connection_that_is_never_taken_is_given_up() -> None:
    async def go() -> Outcome:
        limits = FetchLimits(connect_timeout=timedelta(seconds=0.3))
        async with serve(silence) as server, fetcher(limits=limits) as fetch:
            # The server waits for a request and never begins TLS.
            return await fetch.visit(Visit(server.url().replace("http:", "https:"), None, server.host))

    assert failed(asyncio.run(go())).kind == "connect"


def test_names_that_hang_delay_no_other_host() -> None:
    go_on = threading.Event()

    def lookup(host: str, port: int) -> list[str]:
        if host.startswith("hangs"):
            go_on.wait(60)
        return ["127.0.0.1"]

    async def go() -> tuple[list[Outcome], int, list[Outcome]]:
        # Far fewer places than hosts that hang: looking up a name takes none.
        async with serve(reply()) as server, fetcher(lookup=lookup, limits=seconds(60), max_connections=10) as fetch:

            def visits(kind: str) -> list[asyncio.Task[Outcome]]:
                hosts = [f"{kind}{number}.example" for number in range(100)]
                return [asyncio.create_task(fetch.visit(Visit(server.url(host=host), None, host))) for host in hosts]

            hanging = visits("hangs")
            await asyncio.sleep(0)
            good = await asyncio.gather(*visits("good"))
            still_hanging = sum(not visit.done() for visit in hanging)
            go_on.set()
            return good, still_hanging, await asyncio.gather(*hanging)

    try:
        good, still_hanging, late = asyncio.run(go())
    finally:
        go_on.set()
    assert still_hanging == 100
    assert all(isinstance(outcome, Fetched) for outcome in [*good, *late])


def test_a_name_that_hangs_for_the_time_of_connecting_is_a_failure_of_dns() -> None:
    go_on = threading.Event()

    async def go() -> Outcome:
        limits = FetchLimits(connect_timeout=timedelta(seconds=0.2))
        async with fetcher(lookup=lambda host, port: [str(go_on.wait(20))], limits=limits) as fetch:
            return await fetch.visit(Visit("http://a.example/"))

    try:
        assert failed(asyncio.run(go())).kind == "dns"
    finally:
        go_on.set()


def test_a_name_that_does_not_exist_is_a_failure_of_dns() -> None:
    def lookup(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async def go() -> Outcome:
        async with fetcher(lookup=lookup) as fetch:
            return await fetch.visit(Visit("http://a.example/feed"))

    assert failed(asyncio.run(go())).error == "http://a.example: a.example could not be looked up: no such name"


# --- framing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        raw(FEED),
        raw(b"\x00" * 100),
        raw(b"HTTP/0.9 200 OK\r\n\r\nx"),
        raw(b"HTTP/1.1 200 OK\r\nETag"),
        raw(OK + b"no colon here\r\n\r\nx"),
        raw(OK + b"X: a\x00b\r\n\r\nx"),
        raw(OK + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\nx"),
        raw(OK + b"X-Many: y\r\n" * 5000 + b"\r\nx"),
        raw(OK + b"X-Many: y\r\n" * 5000),
        endless(OK, b"X: y\r\n"),
        endless(OK + b"X: ", b"x" * 1000),
        endless(b"", b"x" * 1000),
        raw(OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!"),
        raw(OK + b"Content-Length: 4, 5\r\n\r\nbody!"),
        raw(OK + b"Content-Length: four\r\n\r\nbody"),
        raw(OK + b"Content-Length: 99999999999999999999999\r\n\r\nbody"),
        raw(OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
        raw(OK + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
        raw(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
        raw(OK + b"Content-Length: 5\r\n\r\nbody"),
        raw(OK + b"Content-Length: 5\r\n\r\n"),
        raw(CHUNKED + b"4\r\nbody\r\n"),
        raw(CHUNKED + b"5\r\nbody"),
        raw(CHUNKED + b"4\r\nbody\r\n0"),
        raw(CHUNKED + b"4\r\nbodyX\r\n0\r\n\r\n"),
        raw(CHUNKED + b"zz\r\nbody\r\n0\r\n\r\n"),
        raw(CHUNKED + b"-4\r\nbody\r\n0\r\n\r\n"),
        raw(CHUNKED + b"ffffffffffffffffff\r\nbody\r\n0\r\n\r\n"),
        raw(CHUNKED),
        raw(CHUNKED + b"4\r\nbody\r\n", b"zz\r\n", pause=0.02),
        raw(CHUNKED, b"4\r\nbodyX", b"\r\n0\r\n\r\n", pause=0.02),
        endless(CHUNKED + b"1;", b"x" * 10_000),
        endless(CHUNKED, b"1\r\nx\r\n" * 1000),
        endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 1000),
    ],
)
def test_an_answer_that_breaks_http_is_a_bad_response(answer: Answer) -> None:
    outcome, server = visit_once(answer, limits=FetchLimits(timeout=timedelta(seconds=60)))
    assert failed(outcome).kind == "bad-response"
    assert server.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.2 200 OK\r\n", b"HTTP/2.0 200 OK\r\n", b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 OK\r\n",         b"ICY 200 OK\r\n", b"HTTQ", b"\x15\x03\x01",
        OK + b"Content-Length: 4\r\n 5\r\n", OK + b"content-length: 4\r\nCONTENT-LENGTH: 5\r\n",
        OK + b"Content-Length: -4\r\n", OK + b"Content-Length: +4\r\n", OK + b"Content-Length: 0x4\r\n",
        OK + b"Transfer-Encoding: identity\r\n", OK + b"Transfer-Encoding: xchunked\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        OK + b"Content-Length : 4\r\n", OK + b" folded: first\r\n",
        OK + b"X-Many: y\r\n" * 501,
    ],
)  # fmt: skip
def test_a_head_that_breaks_http_is_a_bad_response(head: bytes) -> None:
    outcome, _ = visit_once(raw(head + b"\r\nbody"))
    assert failed(outcome).kind == "bad-response"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 4\r\nContent-Length: 4\r\n",
        b"Content-Length: 4, 4\r\n",
        b"X-Folded: a\r\n  b\r\n\tc\r\nContent-Length: 4\r\n",
        b"X-Many: y\r\n" * 500,
    ],
)
def test_a_head_that_is_only_unusual_is_taken(fields: bytes) -> None:
    outcome, _ = visit_once(raw(OK + fields + b"\r\nbody"))
    assert fetched(outcome).body == b"body"


@pytest.mark.parametrize("more", [0, 1])
def test_a_head_may_have_as_many_bytes_as_the_limit(more: int) -> None:
    head = OK + b"X: " + b"x" * (1000 - len(OK) - 7 + more) + b"\r\n\r\n"
    outcome, _ = visit_once(raw(head + b"body" * 1000), limits=FetchLimits(max_headers=1000))
    if more:
        assert "the headers have more than 1,000 bytes" in failed(outcome).error
    else:
        assert fetched(outcome).body == b"body" * 1000


@pytest.mark.parametrize("name", [b"ETag", b"etag", b"Last-Modified"])
@pytest.mark.parametrize(
    "value",
    [b'"a\rb"', b'"a\nb"', b'"a\r\nb"', b'"a\r\n b"',
     b'"a\r\n\tX: b"', b'"a\x00b"', b'"a\x1bb"', b'"a\x7fb"', b"x" * 4097],
)  # fmt: skip
def test_a_validator_that_cannot_be_echoed_is_dropped(name: bytes, value: bytes) -> None:
    outcome, _ = visit_once(raw(OK + b"A: b\r\n" + name + b": " + value + b"\r\nC: d\r\n\r\nbody"))
    assert (fetched(outcome).headers, fetched(outcome).body) == ({"a": "b", "c": "d"}, b"body")


@pytest.mark.parametrize("value", [b'"a"', b'W/"a-gzip"', b'"caf\xe9\xff\x80"', b"unquoted\tone", b"x" * 4096])
def test_a_validator_that_can_be_echoed_stays(value: bytes) -> None:
    outcome, _ = visit_once(raw(OK + b"ETag: " + value + b"\r\nA: b\r\n\r\nbody"))
    assert fetched(outcome).headers == {"etag": value.decode("latin-1"), "a": "b"}


@pytest.mark.parametrize("sent", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", OK, OK + b"Content-Length: 9\r\n\r\n"])
def test_a_server_that_closes_too_early_is_not_asked_again_at_once(sent: bytes) -> None:
    outcome, server = visit_once(raw(sent))
    assert failed(outcome).kind == "bad-response"
    assert server.connections == 1


def test_a_length_beyond_the_limit_is_enough_to_go_away() -> None:
    outcome, _ = visit_once(endless(OK + b"Content-Length: 15728641\r\n\r\n", b"", pause=0.1))
    assert failed(outcome).kind == "too-large"
    assert failed(outcome).headers == {"content-length": "15728641"}


@pytest.mark.parametrize(
    "sent", [b"", OK + b"\r\nbody", OK + b"Content-Length: 9\r\n\r\nbody", CHUNKED + b"4\r\nbody\r\n"]
)
def test_a_connection_that_is_reset_brings_no_half_of_a_document(sent: bytes) -> None:
    async def reset(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0.05)
        # To linger for no time at all is to reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    outcome, server = visit_once(reset)
    assert failed(outcome).kind in ("connect", "bad-response")
    assert server.connections == 1


def test_a_server_that_closes_without_a_word_is_not_asked_again_at_once() -> None:
    outcome, server = visit_once(raw())
    assert failed(outcome).kind == "connect"
    assert server.connections == 1


def test_nobody_listening_is_a_failure_to_connect() -> None:
    async def go() -> Outcome:
        async with fetcher() as fetch:
            async with serve(reply()) as server:
                pass
            return await fetch.visit(Visit(server.url(), None, server.host))

    assert failed(asyncio.run(go())).kind == "connect"


# --- TLS -------------------------------------------------------------------------------------------------------------


def visit_tls(*, host: str, trusting: bool = True, path: str = "/feed") -> tuple[Outcome, Server]:
    async def go() -> tuple[Outcome, Server]:
        lookup = names(feeds=["127.0.0.1"], other=["127.0.0.1"])
        tls = client_tls() if trusting else ssl.create_default_context()
        async with serve(reply(), tls=server_tls()) as server, fetcher(lookup=lookup, tls=tls) as fetch:
            return await fetch.visit(Visit(server.url(path, host=host), None, host)), server

    return asyncio.run(go())


@pytest.mark.parametrize("host", ["127.0.0.1", "feeds.example"])
def test_a_document_comes_over_tls(host: str) -> None:
    outcome, server = visit_tls(host=host)
    assert fetched(outcome).url == server.url(host=host)


@pytest.mark.parametrize(("host", "trusting"), [("other.example", True), ("feeds.example", False)])
def test_a_certificate_that_does_not_hold_is_a_failure_of_tls(host: str, trusting: bool) -> None:
    outcome, server = visit_tls(host=host, trusting=trusting)
    assert failed(outcome).kind == "tls"
    assert server.requests == []


def test_without_authorities_of_its_own_a_visitor_trusts_those_of_the_system_and_no_others() -> None:
    async def go() -> tuple[Outcome, Server]:
        lookup = names(feeds=["127.0.0.1"])
        async with serve(reply(), tls=server_tls()) as server, Fetcher(user_agent="kzfeed", lookup=lookup) as fetch:
            return await fetch.visit(Visit(server.url(host="feeds.example"), None, "feeds.example")), server

    outcome, server = asyncio.run(go())
    assert failed(outcome).kind == "tls"
    assert "certificate is not valid" in failed(outcome).error
    assert server.requests == []


def test_plain_http_where_tls_should_be_is_a_failure_of_tls() -> None:
    async def go() -> Outcome:
        async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        listening = await asyncio.start_server(rude, "127.0.0.1", 0)
        async with listening, fetcher() as fetch:
            port = listening.sockets[0].getsockname()[1]
            return await fetch.visit(Visit(f"https://127.0.0.1:{port}/", None, "127.0.0.1"))

    assert failed(asyncio.run(go())).kind == "tls"


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(FEED, mtime=0)[:-5], "bad-encoding"),
        ({"Content-Encoding": "gzip"}, FEED, "bad-encoding"),
        ({"Content-Encoding": "br"}, FEED, "bad-encoding"),
        ({"Content-Encoding": "rot13"}, FEED, "bad-encoding"),
        ({"Content-Encoding": "gzip"}, gzip.compress(bytes(1 << 20), mtime=0) * 40, "too-large"),
        (
            {"Content-Encoding": "gzip, gzip"},
            gzip.compress(gzip.compress(bytes(1 << 20), mtime=0) * 2048, mtime=0),
            "too-large",
        ),
    ],
)
def test_a_body_that_cannot_be_had_whole_is_a_named_failure(headers: dict[str, str], body: bytes, kind: str) -> None:
    outcome, _ = visit_once(reply(200, headers, body))
    assert (failed(outcome).kind, failed(outcome).status) == (kind, 200)
    assert failed(outcome).headers["content-encoding"] == headers["Content-Encoding"]


def test_an_endless_body_is_too_large() -> None:
    outcome, _ = visit_once(endless(OK + b"\r\n", b"x" * 60_000), limits=FetchLimits(max_body=1 << 20))
    assert failed(outcome).kind == "too-large"


def test_an_encoded_body_of_the_limit_is_taken_whole() -> None:
    body = os.urandom(1 << 20)
    headers = {"Content-Encoding": "gzip"}
    limits = FetchLimits(max_body=(1 << 20) + 1000)
    outcome, _ = visit_once(reply(200, headers, gzip.compress(body)), limits=limits)
    assert fetched(outcome).body == body


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_a_bomb_takes_no_more_than_32_mib_over_the_limit() -> None:
    program = """
from pathlib import Path
from tests.fetch.servers import reply, visit_once
from tests.fetch.test_decompress import BOMBS

def peak():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024

bombs = {coding: bomb() for coding, bomb in BOMBS.items()}
visit_once(reply())
for coding, bomb in bombs.items():
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    outcome, _ = visit_once(reply(200, {"Content-Encoding": coding}, bomb))
    assert outcome.kind == "too-large", outcome
    grown = peak() - before
    # The server is in this process too: its bomb and its buffer, of 2 MiB at most, twice.
    assert grown < 15 + 32, f"{coding}: {grown} MiB"
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
