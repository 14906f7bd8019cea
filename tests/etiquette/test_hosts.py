"""Rules 8 and 16: what one server says holds for all of its feeds, and no host is asked twice at a time."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from kzfeed.fetch.client import Fetcher, Hop
from kzfeed.fetch.host_queue import HostQueues, HostRule
from kzfeed.hosts import host_of
from kzfeed.model.polls import Failed, Poll, Visit
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.policy import Circumstances, VisitResult, next_state
from kzfeed.store.queue import claims, host_pauses
from kzfeed.store.queue.leases import NewClaim
from tests.etiquette.conftest import AGENT, DAY, HOUR, START, World
from tests.etiquette.documents import rss
from tests.etiquette.program import Program
from tests.etiquette.recording_server import Page, RecordedRequest, RecordingServer, Reply, recording
from tests.store.commits import commit_poll


def known(seen: RecordedRequest) -> Reply:
    return Reply(304) if seen.conditions[0] else Reply(200, [("ETag", '"1"')], rss())


# --- rule 8 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_8_a_refusal_with_retry_after_pauses_all_sources_of_the_host(
    world: World, server: RecordingServer, status: int
) -> None:
    feeds = [server.page(f"/{number}", known, host="127.0.0.1") for number in range(4)]
    elsewhere = server.page("/feed", known, host="127.0.0.2")
    for number, page in enumerate([*feeds, elsewhere]):
        world.add_source(page, name=f"s{number}")
    world.advance(HOUR / 2)
    feeds[2].respond_with(Reply(status, [("Retry-After", "18000")]), known)

    world.advance(5 * HOUR)
    at = feeds[2].times[1]
    paused = [seen for seen in server.at("127.0.0.1") if at < seen.clock < at + 5 * HOUR]
    world.advance(2 * HOUR)

    assert paused == []
    assert [len([when for when in page.times if when >= at + 5 * HOUR]) > 0 for page in feeds] == [True] * 4
    assert len(elsewhere.seen) >= 7
    assert max(after - before for before, after in pairwise(elsewhere.times)) < 1.1 * HOUR


@pytest.mark.parametrize("spellings", [("Bücher.example", "xn--bcher-kva.example"), ("127.1", "0x7f000001")])
def test_8_a_pause_holds_for_every_spelling_of_the_host(
    world: World, server: RecordingServer, spellings: tuple[str, str]
) -> None:
    refusing = server.page("/1", Reply(429, [("Retry-After", "36000")]))
    others = [server.page(f"/{number}", known) for number in (2, 3)]
    for number, (page, host) in enumerate(zip([refusing, *others], [spellings[0], *spellings], strict=True)):
        world.add_source(page.url.replace("127.0.0.1", host), name=f"s{number}")
        if page is refusing:
            assert world.poll("s0").outcome == "failed"

    world.advance(9 * HOUR)

    assert len(server.seen) == 1


def test_8_a_shorter_pause_does_not_end_a_longer_one(world: World, server: RecordingServer) -> None:
    first = server.page("/1", Reply(503, [("Retry-After", "36000")]), known)
    second = server.page("/2", Reply(503, [("Retry-After", "60")]), known)
    world.add_source(first, name="s1")
    world.add_source(second, name="s2")
    assert world.poll("s1").outcome == world.poll("s2").outcome == "failed"

    world.advance(9 * HOUR)

    assert len(server.seen) == 2
    assert {seen.clock for seen in server.seen} == {START}


@pytest.mark.parametrize("reply", [Reply(429), Reply(503), Reply(500, [("Retry-After", "18000")]), Reply(403)])
def test_8_any_other_failure_is_that_of_its_feed_alone(world: World, server: RecordingServer, reply: Reply) -> None:
    failing = server.page("/failing", reply)
    well = server.page("/well", known)
    world.add_source(failing, name="failing")
    world.add_source(well, name="well")

    world.advance(4 * HOUR)

    assert len(failing.seen) < 4
    assert len(well.seen) == 4


def test_8_the_pause_is_over_when_it_is_over(world: World, server: RecordingServer) -> None:
    page = server.page("/1", Reply(503, [("Retry-After", "18000")]), known)
    beside = server.page("/2", known)
    world.add_source(page, name="s1")
    world.advance(timedelta())
    world.add_source(beside, name="s2")

    world.advance(DAY)

    assert beside.times[0] == START + 5 * HOUR
    assert page.times[1] >= START + 5 * HOUR


def test_8_the_host_that_refused_is_paused_also_where_a_redirect_led_to_it(world_on_each_engine: World) -> None:
    now = world_on_each_engine.clock.now
    world_on_each_engine.add_source("https://door.example/feed", name="door")
    world_on_each_engine.add_source("https://house.example/other", name="other")
    source = world_on_each_engine.source("door")
    refused = Failed("http-status", "no", 503, {"retry-after": "600"}, url="https://house.example/feed")

    after = next_state(source, VisitResult(refused), Circumstances(now, IntervalBounds()))
    record = Poll(source.id, now, timedelta(), "failed")
    commit_poll(
        world_on_each_engine.database, after.source, record, pause=after.host_pause, paused_host=after.paused_host
    )

    until = now + timedelta(seconds=600)
    assert host_pauses.paused_hosts(world_on_each_engine.database, now) == {"house.example": until}
    assert claimed(world_on_each_engine, "a") == []
    world_on_each_engine.clock.now = until
    assert claimed(world_on_each_engine, "a") == ["other"]


# --- rule 16: slots --------------------------------------------------------------------------------------------------


def visits(
    gap: float, *hosts: str, lasting: float = 0.02, rules: Mapping[str, HostRule] = {}
) -> list[tuple[str, float, float]]:
    """When visits to these hosts began and ended that were all wanted as soon as the process began."""
    queues = HostQueues(timedelta(seconds=gap), rules)
    spans: list[tuple[str, float, float]] = []

    async def visit(host: str) -> None:
        async with queues.slot(host):
            start = time.monotonic()
            await asyncio.sleep(lasting)
            spans.append((host, start, time.monotonic()))

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for host in hosts:
                group.create_task(visit(host))

    asyncio.run(all_of_them())
    return spans


def test_16_visits_to_one_host_come_one_after_the_other_with_a_gap() -> None:
    spans = visits(0.1, *["a"] * 4)

    assert all(after[1] - before[2] >= 0.1 for before, after in pairwise(spans))


def test_16_visits_to_other_hosts_do_not_wait() -> None:
    spans = visits(0.7, *["a"] * 3, *map(str, range(200)), lasting=0.01)

    first, second, third = sorted(start for host, start, _ in spans if host == "a")
    others = [start for host, start, _ in spans if host != "a"]
    assert len(others) == 200
    assert max(others) < second
    assert min(second - first, third - second) >= 0.7


def test_16_one_host_in_several_spellings_is_one_host() -> None:
    urls = ("http://BÜCHER.example", "https://xn--bcher-kva.example/", "https://bücher.example:8443/feed")
    spans = visits(0.05, *map(host_of, urls))

    assert all(after[1] - before[2] >= 0.05 for before, after in pairwise(spans))


def test_16_a_host_may_have_a_gap_and_connections_of_its_own() -> None:
    rules = {"slow.example": HostRule(timedelta(seconds=0.2)), "wide": HostRule(timedelta(seconds=0.05), 3)}
    spans = visits(0, "slow.example", "slow.example", "a", "a", rules=rules)
    slow, usual = ([span for span in spans if span[0] == host] for host in ("slow.example", "a"))
    wide = visits(0, *["wide"] * 4, lasting=0.6, rules=rules)
    queues = HostQueues(timedelta(), rules)

    assert slow[1][1] - slow[0][2] >= 0.2
    assert usual[1][1] < slow[1][1]
    starts, ends = sorted(start for _, start, _ in wide), sorted(end for _, _, end in wide)
    assert all(after - before >= 0.05 for before, after in pairwise(starts))
    assert starts[2] < ends[0] < ends[0] + 0.05 <= starts[3]
    assert (queues.connections("wide"), queues.connections("other")) == (3, 1)


def test_16_whoever_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    async def go() -> None:
        queues = HostQueues(timedelta(seconds=0.05))

        async def visit() -> None:
            async with queues.slot("a"):
                await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(visit()) for _ in range(4)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()  # waits behind the first
        await asyncio.sleep(0.06)
        tasks[2].cancel()  # waits for the gap
        await asyncio.wait_for(tasks[3], 30)

    asyncio.run(go())


def test_16_a_redirect_goes_to_the_next_host_when_its_turn_comes_there() -> None:
    """And two that lead to each other's hosts do not wait for each other for ever."""

    async def go() -> None:
        queues = HostQueues(timedelta(seconds=0.05))
        inside: dict[str, int] = {"a": 0, "b": 0}

        async def stay(host: str) -> None:
            inside[host] += 1
            assert inside[host] == 1
            await asyncio.sleep(0.02)
            inside[host] -= 1

        async def visit(first: str, then: str) -> None:
            async with queues.slot(first) as slot:
                await stay(first)
                await slot.move_to(then)
                await stay(then)

        begun = time.monotonic()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for first, then in [("a", "b"), ("b", "a")] * 3:
                group.create_task(visit(first, then))
        assert time.monotonic() - begun >= 5 * 0.07

    asyncio.run(go())


def test_16_the_fetcher_asks_before_each_hop_and_its_time_stands_still_meanwhile(server: RecordingServer) -> None:
    from kzfeed.fetch.client import FetchLimits

    start = server.page("/0", Reply(302, [("Location", "/1")]))
    server.page("/1", Reply(307, [("Location", "/2"), ("Retry-After", "60")]))
    server.page("/2", Reply(200, body=rss()))
    hops: list[Hop] = []

    async def wait(hop: Hop) -> None:
        assert len(server.seen) == len(hops) + 1
        hops.append(hop)
        await asyncio.sleep(1.1)

    async def go() -> object:
        async with Fetcher(user_agent=AGENT, limits=FetchLimits(timeout=timedelta(seconds=2))) as fetcher:
            return await fetcher.visit(Visit(start.url, trusted_host="127.0.0.1"), on_hop=wait)

    outcome = asyncio.run(go())

    assert [(hop.status, hop.url, hop.host) for hop in hops] == [
        (302, server.page("/1").url, "127.0.0.1"),
        (307, server.page("/2").url, "127.0.0.1"),
    ]
    assert getattr(outcome, "status", None) == 200
    assert getattr(outcome, "redirect_retry_after", None) == "60"


# --- rule 16: whose turn it is ---------------------------------------------------------------------------------------


def claimed(world: World, owner: str, limit: int = 10) -> list[str]:
    due = claims.claim_due(world.database, NewClaim(owner, world.clock.now, HOUR), limit=limit)
    return [source.name for source in due]


def test_16_many_sources_of_one_host_do_not_stand_before_all_others(world_on_each_engine: World) -> None:
    for number in range(60):
        world_on_each_engine.add_source(f"https://many.example/{number}", name=f"many{number:02}")
    world_on_each_engine.clock.now += HOUR
    for number in range(8):
        world_on_each_engine.add_source(f"https://other{number}.example/", name=f"other{number}")

    due = claimed(world_on_each_engine, "a")

    assert sorted(due) == ["many00", *(f"other{number}" for number in range(8))]
    assert due[0] == "many00"


def test_16_a_host_that_one_daemon_visits_is_left_alone_by_another(world_on_each_engine: World) -> None:
    for number in range(3):
        world_on_each_engine.add_source(f"https://one.example/{number}", name=f"s{number}")
    assert claimed(world_on_each_engine, "a") == ["s0"]

    assert claimed(world_on_each_engine, "b") == []
    world_on_each_engine.clock.now += HOUR
    assert claimed(world_on_each_engine, "b") == ["s0"]
    claims.release(world_on_each_engine.database, "b")
    assert claimed(world_on_each_engine, "c") == ["s0"]


# --- rule 16: the whole program --------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def hosts() -> Iterator[RecordingServer]:
    with recording([f"127.0.1.{number}" for number in range(1, 4)]) as recorder:
        yield recorder


def test_16_a_poll_by_hand_keeps_the_gaps_and_the_rules_of_single_hosts(
    program: Program, hosts: RecordingServer
) -> None:
    pages: list[Page] = []
    for host, delay in (("127.0.1.1", 0.2), ("127.0.1.2", 0.2), ("127.0.1.3", 1.0)):
        feed = Reply(200, body=rss(), delay=delay)
        pages.append(hosts.page("/door", Reply(301, [("Location", "/0")]), host=host))
        pages += [hosts.page(f"/{number}", feed, host=host) for number in range(3)]
    program.configure(
        {f"s{number}": page.url for number, page in enumerate(pages)},
        http='host_gap = "250ms"',
        more='[hosts]\n"127.0.1.2".gap = "600ms"\n"127.0.1.3" = {gap = "100ms", connections = 3}',
    )

    reports = program.poll()

    assert {report["outcome"] for report in reports.values()} == {"new", "unchanged"}
    assert [len(hosts.at(f"127.0.1.{number}")) for number in (1, 2, 3)] == [5, 5, 5]
    assert [hosts.at_once(f"127.0.1.{number}") for number in (1, 2, 3)] == [1, 1, 3]
    assert min(hosts.pauses("127.0.1.1")) >= 0.25
    assert min(hosts.pauses("127.0.1.2")) >= 0.6


@pytest.mark.slow
def test_16_the_gap_is_kept_from_one_process_to_the_next(program: Program, hosts: RecordingServer) -> None:
    page, neighbour = hosts.page("/1", known, host="127.0.1.1"), hosts.page("/2", known, host="127.0.1.1")
    elsewhere = hosts.page("/3", known, host="127.0.1.2")
    program.configure({"a": page.url, "b": neighbour.url, "c": elsewhere.url}, http='host_gap = "2s"')

    program.poll("a")
    program.poll("b")
    assert neighbour.seen[0].at - page.seen[0].at >= 2

    program.configure({"c": elsewhere.url}, http='host_gap = "1h"')
    program.poll("c")
    assert len(elsewhere.seen) == 1


def test_without_a_gap_the_sources_of_a_host_are_still_polled_one_after_another(
    program: Program, hosts: RecordingServer
) -> None:
    pages = [hosts.page(f"/{number}", known, host=f"127.0.1.{number % 3 + 1}") for number in range(12)]
    program.configure({f"s{number:02}": page.url for number, page in enumerate(pages)}, http='host_gap = "0s"')

    reports = program.poll()

    assert {report["outcome"] for report in reports.values()} == {"new", "unchanged"}
    assert len(hosts.seen) == 12
    assert max(hosts.at_once(f"127.0.1.{number}") for number in (1, 2, 3)) == 1


def test_where_there_is_a_gap_other_hosts_are_polled_meanwhile(program: Program, hosts: RecordingServer) -> None:
    pages = [hosts.page(f"/{number}", known, host=f"127.0.1.{number % 3 + 1}") for number in range(6)]
    program.configure(
        {f"s{number}": page.url for number, page in enumerate(pages)}, http='host_gap = "2s"\nmax_connections = 1'
    )

    program.poll()

    assert [seen.host for seen in hosts.seen] == ["127.0.1.1", "127.0.1.2", "127.0.1.3"] * 2
    # One gap for all three hosts, not one for each.
    assert hosts.seen[5].at - hosts.seen[3].at < 2 * 2
