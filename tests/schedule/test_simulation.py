"""What the policy promises over weeks, held against a smaller world than the one in docs/decisions/auto-interval.md."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.simulation.drive import Record
from benchmarks.simulation.report import ADAPTED, FIXED, HOURLY, OFTEN, RARE, WAYS, by_kind, figures
from benchmarks.simulation.world import DAY, KINDS, world

pytestmark = pytest.mark.slow  # one simulation for all of these tests

UNTIL = 28 * DAY
OUT_OF_NOTHING = "bursting the window"
"""Its bursts fill the window within the longest interval, and nothing announces them."""

Run = Mapping[str, list[Record]]


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Every way of polling, and one as often as allowed: what that misses nobody can have."""
    publishers = world(40, 28)
    ways = {**WAYS, "as often as allowed": OFTEN}
    return {name: by_kind(publishers, way, UNTIL) for name, way in ways.items()}


def everything(run: Run) -> list[Record]:
    return [record for kind in KINDS for record in run[kind]]


def avoidable(runs: Mapping[str, Run], way: str, kind: str) -> int:
    """How many entries this way missed that a poll every 15 minutes saw."""
    pairs = zip(runs[way][kind], runs["as often as allowed"][kind], strict=True)
    return sum(len(record.missed - often.missed) for record, often in pairs)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != OUT_OF_NOTHING])
def test_auto_misses_nothing_wherever_the_window_allows_it(runs: dict[str, Run], kind: str) -> None:
    assert avoidable(runs, ADAPTED, kind) == 0


@pytest.mark.parametrize("way", [FIXED, ADAPTED])
def test_there_are_fewer_requests_than_every_hour_at_no_more_than_twice_the_delay(
    runs: dict[str, Run], way: str
) -> None:
    hourly, ours = (figures(everything(runs[name]), UNTIL) for name in (HOURLY, way))

    assert ours.requests < hourly.requests
    assert ours.delay <= 2 * hourly.delay
    assert ours.missed < hourly.missed


def test_a_fixed_interval_is_never_polled_more_often_than_hourly_but_after_a_gap(runs: dict[str, Run]) -> None:
    for record in everything(runs[FIXED]):
        assert record.requests <= UNTIL / DAY * 24 + 4 * record.gaps


def test_a_dead_source_costs_less_than_half(runs: dict[str, Run]) -> None:
    hourly, ours = (figures(runs[way]["dead"], UNTIL).requests for way in (HOURLY, FIXED))

    assert ours < hourly / 2


def test_a_server_that_refuses_what_comes_too_often_is_soon_left_alone(runs: dict[str, Run]) -> None:
    refused = {way: sum(record.refused for record in runs[way]["rate-limited"]) for way in (HOURLY, FIXED, ADAPTED)}

    assert refused[FIXED] < refused[HOURLY] / 2
    assert refused[ADAPTED] < refused[HOURLY] / 2


def test_a_daily_batch_does_not_look_like_a_busy_source(runs: dict[str, Run]) -> None:
    assert figures(runs[ADAPTED]["in daily batches"], UNTIL).requests < 14


def test_auto_that_may_wait_for_a_day_asks_for_little_and_misses_nothing_of_what_comes_steadily(
    runs: dict[str, Run],
) -> None:
    assert figures(everything(runs[RARE]), UNTIL).requests < figures(everything(runs[HOURLY]), UNTIL).requests / 2
    for kind in ("busy, large window", "busy, small window", "steady", "sleepy", "in daily batches"):
        assert avoidable(runs, RARE, kind) == 0


def test_the_page_shows_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "decisions" / "auto-interval.md").read_text("utf-8")

    assert "python -m benchmarks.simulation" in page
    for kind in [*KINDS, "all"]:
        assert f"\n| {kind} | " in page
