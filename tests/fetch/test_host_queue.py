"""Queues of visits at hosts: what another process has just done counts, and many hosts cost little."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

import pytest

from kzfeed.fetch.host_queue import HostQueues, HostRule

GAP = timedelta(seconds=0.3)


def waited(host: str, visited: Mapping[str, float], rules: Mapping[str, HostRule] = {}) -> float:
    """How many seconds the first visit to the host waits."""

    async def go() -> float:
        queues = HostQueues(GAP, rules, visited)
        begun = time.monotonic()
        async with queues.slot(host):
            return time.monotonic() - begun

    return asyncio.run(go())


def test_a_host_that_nobody_has_visited_is_visited_at_once() -> None:
    assert waited("a.example", {}) < 0.1
    assert waited("a.example", {"b.example": 0.0}) < 0.1


@pytest.mark.parametrize(("ago", "rest"), [(0.0, 0.3), (0.2, 0.1), (0.3, 0.0), (3600.0, 0.0)])
def test_of_a_gap_that_began_in_another_process_the_rest_is_waited_for(ago: float, rest: float) -> None:
    assert rest - 0.01 <= waited("a.example", {"a.example": ago}) < rest + 0.1


def test_a_visit_in_a_time_to_come_makes_nobody_wait_longer_than_a_gap() -> None:
    assert 0.29 <= waited("a.example", {"a.example": -1e9}) < 0.4


def test_a_host_with_a_gap_of_its_own_has_that_one() -> None:
    rules = {"a.example": HostRule(timedelta(seconds=0.1), 3)}
    assert waited("a.example", {"a.example": 0.15}, rules) < 0.05
    assert 0.04 <= waited("a.example", {"a.example": 0.05}, rules) < 0.2
