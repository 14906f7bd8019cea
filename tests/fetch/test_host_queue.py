"""Queues of visits at hosts: what another process has just done counts, and many hosts cost little."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

import pytest

from kzfeed.fetch.host_queue import HostQueues, HostRule

GAP = timedelta(seconds=10)
"""Long enough that a wait for a whole gap cannot be confused with the slowness of a busy machine."""


def waited(host: str, visited: Mapping[str, float], rules: Mapping[str, HostRule] = {}) -> float:
    """How many seconds the first visit to the host waits."""

    async def go() -> float:
        queues = HostQueues(GAP, rules, visited)
        begun = time.monotonic()
        async with queues.slot(host):
            return time.monotonic() - begun

    return asyncio.run(go())


def test_a_host_that_nobody_has_visited_is_visited_at_once() -> None:
    assert waited("a.example", {}) < 7
    assert waited("a.example", {"b.example": 0.0}) < 7


@pytest.mark.parametrize(("ago", "rest"), [(9.0, 1.0), (10.0, 0.0), (3600.0, 0.0)])
def test_of_a_gap_that_began_in_another_process_the_rest_is_waited_for(ago: float, rest: float) -> None:
    assert rest - 0.01 <= waited("a.example", {"a.example": ago}) < rest + 7


def test_a_visit_in_a_time_to_come_makes_nobody_wait_longer_than_a_gap() -> None:
    rules = {"a.example": HostRule(timedelta(seconds=0.3))}
    assert 0.29 <= waited("a.example", {"a.example": -1e9}, rules) < 30


def test_a_host_with_a_gap_of_its_own_has_that_one() -> None:
    rules = {"a.example": HostRule(timedelta(seconds=1), 3)}
    assert waited("a.example", {"a.example": 1.5}, rules) < 7
    assert 0.49 <= waited("a.example", {"a.example": 0.5}, rules) < 7
