"""Which addresses a public feed may lead to, and that a look-up that hangs harms nobody else."""

import asyncio
import socket
import subprocess
import sys
import threading
from ipaddress import ip_address

import ada_url
import pytest

from kzfeed.fetch.addresses import Resolver, address_of, allowed_addresses, is_forbidden, system_lookup
from kzfeed.fetch.errors import VisitError

# fmt: off
FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "0.1.2.3", "10.0.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
    "2001::1", "2001:10::1", "2001:db8::1", "3fff::1", "100::1", "4000::1", "5f00::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::127.0.0.1", "::8.8.8.8",
    "64:ff9b::127.0.0.1", "64:ff9b::192.168.1.1", "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::", "2002:a00:1::", "2002:c0a8:101::",
]
OPEN = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "169.253.0.1", "172.15.0.1", "172.32.0.1", "223.255.255.255",
    "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]
# fmt: on


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_inside_is_forbidden(address: str) -> None:
    assert is_forbidden(ip_address(address))


@pytest.mark.parametrize("address", OPEN)
def test_an_address_of_the_open_internet_is_not(address: str) -> None:
    assert not is_forbidden(ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "127.0.0.1.", "0", "0x0", "１２７.0.0.1",
     "[::1]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:0001]", "%31%32%37.0.0.1"],
)  # fmt: skip
def test_every_spelling_of_an_address_inside_is_seen_through(host: str) -> None:
    address = address_of(ada_url.URL(f"http://{host}/").hostname.strip("[]"))
    assert address is not None
    assert is_forbidden(address)


def test_a_name_is_no_address() -> None:
    assert address_of("feeds.example") is None


def test_only_the_open_addresses_of_a_name_are_given_out() -> None:
    assert allowed_addresses("a.example", ["127.0.0.1", "8.8.8.8", "fd00::1"], trusted=False) == ("8.8.8.8",)


def test_a_trusted_host_may_be_anywhere() -> None:
    assert allowed_addresses("a.example", ["127.0.0.1", "fd00::1"], trusted=True) == ("127.0.0.1", "fd00::1")


def test_a_name_with_nothing_but_forbidden_addresses_is_refused() -> None:
    with pytest.raises(VisitError, match=r"a\.example resolves to 10\.0\.0\.1") as caught:
        allowed_addresses("a.example", ["10.0.0.1", "::1"], trusted=False)
    assert caught.value.kind == "forbidden-address"


@pytest.mark.parametrize("trusted", [True, False])
def test_an_answer_that_is_no_address_is_not_dialled(trusted: bool) -> None:
    with pytest.raises(VisitError):
        allowed_addresses("a.example", ["not an address"], trusted=trusted)


def test_a_name_without_addresses_is_a_failure_of_dns() -> None:
    with pytest.raises(VisitError) as caught:
        allowed_addresses("a.example", [], trusted=True)
    assert caught.value.kind == "dns"


def test_the_system_knows_localhost() -> None:
    assert {"127.0.0.1", "::1"} & set(system_lookup("localhost", 80))


def test_hosts_whose_look_up_hangs_do_not_delay_the_others() -> None:
    others_found = threading.Event()

    def lookup(host: str, port: int) -> list[str]:
        if host.startswith("hangs"):
            others_found.wait()
        return ["8.8.8.8"]

    async def go() -> list[list[str]]:
        resolver = Resolver(lookup)
        hanging = [asyncio.create_task(resolver.find(f"hangs{n}.example", 80)) for n in range(300)]
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(60):
                return await asyncio.gather(*(resolver.find(f"h{n}.example", 80) for n in range(300)))
        finally:
            assert not any(task.done() for task in hanging)
            others_found.set()
            await asyncio.gather(*hanging)

    assert asyncio.run(go()) == [["8.8.8.8"]] * 300


def test_look_ups_of_one_host_are_shared_and_one_that_gives_up_takes_nothing_from_the_others() -> None:
    calls: list[str] = []
    go_on = threading.Event()

    def lookup(host: str, port: int) -> list[str]:
        calls.append(host)
        go_on.wait(60)
        return ["8.8.8.8"]

    async def go() -> list[str]:
        resolver = Resolver(lookup)
        first, second = (asyncio.create_task(resolver.find("a.example", 80)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0)
        go_on.set()
        return await second

    assert asyncio.run(go()) == ["8.8.8.8"]
    assert calls == ["a.example"]


def test_nothing_is_remembered() -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def go() -> list[list[str]]:
        resolver = Resolver(lambda host, port: answers.pop(0))
        return [await resolver.find("a.example", 80), await resolver.find("a.example", 80)]

    assert asyncio.run(go()) == [["8.8.8.8"], ["127.0.0.1"]]


def test_look_ups_beyond_the_bound_wait_for_their_turn() -> None:
    running, most = 0, 0
    lock = threading.Lock()
    three = threading.Barrier(3)

    def lookup(host: str, port: int) -> list[str]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        three.wait(60)
        with lock:
            running -= 1
        return ["8.8.8.8"]

    async def go() -> None:
        resolver = Resolver(lookup, max_lookups=3)
        await asyncio.gather(*(resolver.find(f"h{n}.example", 80) for n in range(12)))

    asyncio.run(go())
    assert most == 3


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), OSError("down"), UnicodeError("bad")]
)
def test_a_name_that_does_not_resolve_is_a_failure_of_dns(error: Exception) -> None:
    def lookup(host: str, port: int) -> list[str]:
        raise error

    with pytest.raises(VisitError) as caught:
        asyncio.run(Resolver(lookup).find("a.example", 80))
    assert caught.value.kind == "dns"
    assert "a.example" in caught.value.words


def test_a_process_ends_while_look_ups_hang() -> None:
    program = """
import asyncio, time
from kzfeed.fetch.addresses import Resolver
async def go():
    resolver = Resolver(lambda host, port: time.sleep(60))
    waiting = [resolver.find(f"h{n}.example", 80) for n in range(100)]
    try:
        await asyncio.wait_for(asyncio.gather(*waiting), 0.2)
    except TimeoutError:
        print("gave up")
asyncio.run(go())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "gave up\n"
    assert done.stderr == ""
