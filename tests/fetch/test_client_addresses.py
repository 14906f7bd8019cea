"""Which addresses a visit dials: what the operator named, the open internet, and nothing else."""

import asyncio

import pytest

from kzfeed.fetch.network import GuardedNetwork, NetworkLimits
from kzfeed.model.polls import Outcome, Visit
from tests.fetch.servers import (
    FEED,
    Server,
    failed,
    fetched,
    fetcher,
    names,
    reply,
    response,
    routes,
    serve,
)

INSIDE = {
    "feeds": ["127.0.0.2"],
    "local": ["127.0.0.1", "::1"],
    "mixed": ["10.0.0.1", "::ffff:127.0.0.1"],
    "nowhere": ["0.0.0.0"],  # noqa: S104 - nothing is bound to it
    "feeds.example.": ["127.0.0.1"],
}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
     "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "[fc00::1]", "[fe80::1]",
     "[64:ff9b::7f00:1]", "local.example", "mixed.example", "nowhere.example", "feeds.example."],
)  # fmt: skip
def test_a_redirect_inside_is_refused_and_nothing_is_dialled(host: str) -> None:
    """feeds.example is trusted, so that loopback can stand in for the open internet."""

    async def go() -> tuple[Outcome, Server, Server]:
        async with serve(reply()) as inside, fetcher(lookup=names(**INSIDE)) as fetch:
            redirect = reply(302, {"Location": f"http://{host}:{inside.port}/feed"})
            async with serve(redirect, host="127.0.0.2") as public:
                outcome = await fetch.visit(Visit(public.url(host="feeds.example"), None, "feeds.example"))
                return outcome, public, inside

    outcome, public, inside = asyncio.run(go())
    assert failed(outcome).kind == "forbidden-address"
    assert (public.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize("trusted_host", [None, "", "feeds.example", "127.0.0.2", "bad host", "::1"])
@pytest.mark.parametrize("host", ["127.0.0.1", "local.example"])
def test_an_address_inside_is_refused_unless_the_operator_named_the_host(host: str, trusted_host: str | None) -> None:
    async def go() -> tuple[Outcome, Server]:
        async with serve(reply()) as server, fetcher(lookup=names(**INSIDE)) as fetch:
            return await fetch.visit(Visit(server.url(host=host), None, trusted_host)), server

    outcome, server = asyncio.run(go())
    assert failed(outcome).kind == "forbidden-address"
    assert server.connections == 0


@pytest.mark.parametrize(
    ("host", "trusted_host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("127.0.0.1", "0x7f.1"),
        ("LOCAL.example", "local.Example"),
    ],
)
def test_the_host_that_the_operator_named_may_be_inside_on_any_step(host: str, trusted_host: str) -> None:
    async def go() -> Outcome:
        table = routes({"/feed": reply(302, {"Location": "/there"}), "/there": reply()})
        async with serve(table) as server, fetcher(lookup=names(local=["127.0.0.1"])) as fetch:
            return await fetch.visit(Visit(server.url(host=host), None, trusted_host))

    assert fetched(asyncio.run(go())).body == FEED


def test_an_ipv6_host_that_the_operator_named_may_be_inside() -> None:
    async def go(trusted_host: str) -> tuple[Outcome, Server]:
        async with serve(reply(), host="::1") as server, fetcher() as fetch:
            return await fetch.visit(Visit(server.url(host="[::1]"), None, trusted_host)), server

    for trusted_host in ("::1", "[::1]", "0:0:0:0:0:0:0:1"):
        try:
            outcome, server = asyncio.run(go(trusted_host))
        except OSError:
            pytest.skip("no IPv6 here")
        assert fetched(outcome).body == FEED
        assert server.headers()["Host"] == f"[::1]:{server.port}"


def test_what_one_visit_may_dial_serves_no_other() -> None:
    """The first server would keep its connection open: a visit that does not trust it must not get hold of it."""

    async def keep_open(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(response(200, {"Connection": "keep-alive"}))
        await writer.drain()
        await asyncio.sleep(5)

    async def go() -> tuple[Outcome, Outcome, Server]:
        async with serve(keep_open) as inside, fetcher(lookup=names(feeds=["127.0.0.1"])) as fetch:
            first = await fetch.visit(Visit(inside.url(), None, inside.host))
            async with serve(reply(302, {"Location": inside.url()})) as public:
                second = await fetch.visit(Visit(public.url(host="feeds.example"), None, "feeds.example"))
            return first, second, inside

    first, second, inside = asyncio.run(go())
    assert fetched(first).body == FEED
    assert failed(second).kind == "forbidden-address"
    assert inside.connections == 1


def test_a_name_is_looked_up_once_for_a_request_and_what_was_checked_is_dialled() -> None:
    """A name that answers differently the second time has no second time."""
    answers = [["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"]]

    async def go() -> tuple[Outcome, Server]:
        table = routes({"/feed": reply(302, {"Location": "/there"}), "/there": reply()})
        async with serve(table) as server, fetcher(lookup=lambda host, port: answers.pop(0)) as fetch:
            return await fetch.visit(Visit(server.url(host="feeds.example"), None, "feeds.example")), server

    outcome, server = asyncio.run(go())
    assert fetched(outcome).body == FEED
    assert server.connections == 2
    assert answers == [["127.0.0.2"]]


def test_the_next_address_of_a_name_is_tried() -> None:
    async def go() -> Outcome:
        async with serve(reply()) as server, fetcher(lookup=names(feeds=["127.0.0.3", "127.0.0.1"])) as fetch:
            return await fetch.visit(Visit(server.url(host="feeds.example"), None, "feeds.example"))

    assert fetched(asyncio.run(go())).body == FEED


def test_no_address_is_dialled_but_the_checked_ones() -> None:
    async def go() -> tuple[str, Server]:
        async with serve(reply(), host="127.0.0.2") as checked, serve(reply()) as other:
            network = GuardedNetwork(["127.0.0.2"], NetworkLimits(connect=5, head=1000))
            stream = await network.connect_tcp(other.host, checked.port)
            peer = stream.get_extra_info("peername")[0]
            network.close()
            return peer, other

    peer, other = asyncio.run(go())
    assert peer == "127.0.0.2"
    assert other.connections == 0
