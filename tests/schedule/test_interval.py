"""How often a source is visited by itself: intervals, gaps and `auto` (the gap rule), places in a crowd (rule 16)."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kzfeed.model.articles import Gap, WindowComparison
from kzfeed.model.polls import Source
from kzfeed.schedule.interval import (
    IntervalBounds,
    adapt_intervals,
    after_skipped_hours,
    base_interval,
    interval_wait,
    spread_time,
    stable_offset,
)

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BOUNDS = IntervalBounds(min_interval=15 * MINUTE, max_interval=DAY)
GAP = Gap(NOW - HOUR, NOW)


def source(elapsed: timedelta = HOUR, **state: Any) -> Source:
    """One that was polled with success `elapsed` ago, when its document was another one too."""
    before = {"last_success_at": NOW - elapsed, "window_at": NOW - elapsed}
    return Source(1, "voa", "https://e.example/", **(before | state))


def hurried(of: Source, window: WindowComparison | None) -> float | None:
    length = adapt_intervals(of, window, NOW, BOUNDS).hurried_interval
    return None if length is None else length / MINUTE


def pace(of: Source, window: WindowComparison | None) -> float:
    learned = adapt_intervals(of, window, NOW, BOUNDS).auto_interval
    assert learned
    return learned / MINUTE


# --- intervals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "state"),
    [
        (60, {}),
        (15, {"every": 5 * MINUTE}),
        (10_080, {"every": 7 * DAY}),
        (60, {"auto": True}),
        (40, {"auto": True, "auto_interval": 40 * MINUTE}),
        (15, {"auto": True, "auto_interval": MINUTE}),
        (1440, {"auto": True, "auto_interval": 2 * DAY}),
        (1440, {"auto": True, "every": 2 * DAY}),
        (60, {"auto": False, "auto_interval": 40 * MINUTE}),
    ],
)
def test_rule_5_the_interval_keeps_to_the_limits_of_the_operator(expected: float, state: dict[str, Any]) -> None:
    assert base_interval(source(**state), BOUNDS) / MINUTE == expected


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("its interval", {}),
        ("the minimum interval", {"every": MINUTE}),
        ("its auto interval", {"auto": True}),
        ("more often until its windows overlap by half", {"hurried_interval": 20 * MINUTE}),
    ],
)
def test_the_reason_for_a_regular_visit(reason: str, state: dict[str, Any]) -> None:
    assert interval_wait(source(**state), NOW, BOUNDS).reason == reason


def test_a_cron_expression_says_when_whatever_else_is_known() -> None:
    wait = interval_wait(source(cron="7 * * * *", every=MINUTE), NOW, BOUNDS)

    assert wait == (7 * MINUTE, "its cron expression")


# --- gaps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "expected", "state", "window"),
    [
        ("a gap: as often as allowed", 15, {}, WindowComparison(20, 0, HOUR, GAP)),
        ("no gap: a fixed interval stays", None, {}, WindowComparison(20, 1, HOUR)),
        ("still too little", 15, {"hurried_interval": 15 * MINUTE, "elapsed": 15 * MINUTE}, WindowComparison(20, 3)),
        (
            "half again: twice as seldom",
            30,
            {"hurried_interval": 15 * MINUTE, "elapsed": 15 * MINUTE},
            WindowComparison(20, 16),
        ),
        ("just half: stays", 20, {"hurried_interval": 20 * MINUTE, "elapsed": 20 * MINUTE}, WindowComparison(20, 10)),
        ("as it would fit", 25, {"hurried_interval": 20 * MINUTE, "elapsed": 20 * MINUTE}, WindowComparison(20, 12)),
        (
            "less than half: sooner",
            16,
            {"hurried_interval": 20 * MINUTE, "elapsed": 20 * MINUTE},
            WindowComparison(16, 6),
        ),
        ("the same document", 40, {"hurried_interval": 20 * MINUTE, "elapsed": 20 * MINUTE}, None),
        ("it would do at its interval", None, {"hurried_interval": 30 * MINUTE, "elapsed": 30 * MINUTE}, None),
        ("it did at its interval", None, {"hurried_interval": 15 * MINUTE, "elapsed": HOUR}, WindowComparison(20, 11)),
        ("a gap of one at the minimum interval", None, {"every": 15 * MINUTE}, WindowComparison(20, 0, HOUR, GAP)),
        ("cron stays cron", None, {"cron": "7 * * * *"}, WindowComparison(20, 0, HOUR, GAP)),
    ],
)
def test_gap_rule_after_a_gap_visits_come_more_often_until_windows_overlap_by_half(
    case: str, expected: float | None, state: dict[str, Any], window: WindowComparison | None
) -> None:
    found = hurried(source(**state), window)

    assert found == (None if expected is None else pytest.approx(expected)), case


def test_gap_rule_a_fixed_interval_comes_back_by_itself() -> None:
    voa = adapt_intervals(source(), WindowComparison(20, 0, HOUR, GAP), NOW, BOUNDS)
    now, waits = NOW, []
    while voa.hurried_interval:
        waits.append(voa.hurried_interval / MINUTE)
        voa = replace(voa, last_success_at=now)
        now += voa.hurried_interval or HOUR
        voa = adapt_intervals(voa, None, now, BOUNDS)

    assert waits == [15, 30]


# --- auto ------------------------------------------------------------------------------------------------------------


def test_auto_begins_as_often_as_allowed_and_then_with_every() -> None:
    new = Source(1, "voa", "https://e.example/", auto=True)

    first = adapt_intervals(new, WindowComparison(40, 0, DAY), NOW, BOUNDS)

    assert (first.hurried_interval, first.auto_interval) == (15 * MINUTE, None)
    assert interval_wait(replace(first, hurried_interval=None), NOW, BOUNDS).length / HOUR == pytest.approx(1, rel=0.04)


@pytest.mark.parametrize(
    ("case", "expected", "state", "window"),
    [
        ("half went: it stays", 60, {}, WindowComparison(40, 20)),
        ("more than half went: shorter in proportion", 40, {}, WindowComparison(40, 10)),
        ("a gap: by half, and hurried besides", 30, {}, WindowComparison(40, 0, None, GAP)),
        ("never below a quarter at once", 360, {"auto_interval": DAY}, WindowComparison(40, 2)),
        (
            "never below the minimum interval",
            15,
            {"auto_interval": 15 * MINUTE, "elapsed": MINUTE},
            WindowComparison(40, 0),
        ),
        ("a day's entries at once", 1440, {"auto_interval": DAY, "window_at": NOW - 2 * DAY}, WindowComparison(40, 12)),
        ("never above the longest interval", 1440, {"auto_interval": DAY, "elapsed": DAY}, None),
        ("a first document teaches nothing", 60.2, {"window_at": None}, WindowComparison(40, 0)),
    ],
)
def test_auto_keeps_half_of_the_window_in_place(
    case: str, expected: float, state: dict[str, Any], window: WindowComparison | None
) -> None:
    with_interval: dict[str, Any] = {"auto": True, "auto_interval": HOUR}
    of = source(**(with_interval | state))

    assert pace(of, window) == pytest.approx(expected, abs=0.1), case


def test_auto_doubles_its_interval_in_a_week_while_little_happens() -> None:
    quiet = source(auto=True, auto_interval=HOUR)
    now = NOW
    while now < NOW + 7 * DAY:
        quiet = replace(quiet, last_success_at=now)
        now += quiet.auto_interval or HOUR
        quiet = adapt_intervals(quiet, WindowComparison(40, 40), now, BOUNDS)

    assert quiet.auto_interval
    assert quiet.auto_interval / HOUR == pytest.approx(2, rel=0.05)


def test_auto_does_not_grow_by_the_time_that_a_server_was_away() -> None:
    assert pace(source(elapsed=30 * DAY, auto=True, auto_interval=HOUR), None) < 61


@pytest.mark.parametrize(("shared", "expected"), [(38, None), (10, 40), (0, 30)])
def test_auto_hurries_after_less_than_a_gap(shared: int, expected: float | None) -> None:
    assert hurried(source(auto=True, window_at=NOW - DAY), WindowComparison(40, shared)) == expected


@pytest.mark.parametrize(("entries", "may_go"), [(100, 50), (32, 16), (18, 7), (10, 3), (5, 1), (1, 0)])
def test_of_a_small_window_auto_keeps_more_in_place_for_chance_weighs_more_there(entries: int, may_go: int) -> None:
    of = source(auto=True, auto_interval=HOUR)

    assert pace(of, WindowComparison(entries, entries - may_go)) >= 60
    assert pace(of, WindowComparison(entries, entries - may_go - 1)) < 60


def test_auto_switched_off_leaves_nothing_behind() -> None:
    assert adapt_intervals(source(auto_interval=HOUR), None, NOW, BOUNDS).auto_interval is None
    assert adapt_intervals(source(cron="0 * * * *", hurried_interval=HOUR), None, NOW, BOUNDS).hurried_interval is None


# --- a place among many ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "longest"), [(1, 0), (36, 0), (50, 2), (100, 20), (600, 3600), (10_000, 3600)])
def test_rule_16_the_more_are_due_together_the_longer_they_are_spread(count: int, longest: int) -> None:
    waits = [(spread_time(f"s{number}", HOUR, count, NOW) - NOW).total_seconds() for number in range(min(count, 1000))]

    assert 0 <= min(waits) <= max(waits) <= longest
    assert max(waits) >= longest * 0.9


def test_rule_16_a_thousand_sources_do_not_start_on_the_same_second() -> None:
    seconds = Counter(spread_time(f"s{number}", HOUR, 1000, NOW).replace(microsecond=0) for number in range(1000))

    assert max(seconds.values()) <= 5


def test_rule_16_a_turn_is_the_same_after_a_restart_and_within_the_interval() -> None:
    first = spread_time("voa", HOUR, 1000, NOW)

    assert spread_time("voa", HOUR, 1000, first - timedelta(seconds=1)) == first
    assert spread_time("voa", 20 * MINUTE, 1000, NOW) <= NOW + 20 * MINUTE


def test_rule_16_sources_with_one_interval_drift_apart() -> None:
    waits = {interval_wait(replace(source(), name=f"s{n}"), NOW, BOUNDS).length for n in range(1000)}

    assert len(waits) == 1000
    assert HOUR <= min(waits) < max(waits) <= HOUR * (1 + 1 / 30)


def test_rule_16_an_offset_is_the_same_for_ever() -> None:
    assert stable_offset("voa") == pytest.approx(0.43444221959200036, abs=1e-12)


@pytest.mark.parametrize(
    ("when", "hours", "days", "expected"),
    [
        ("2022-01-11 18:25", {3}, set(), "2022-01-11 18:25"),
        ("2022-01-11 18:25", {18}, set(), "2022-01-11 19:25"),
        ("2022-01-11 18:25", {18, 19, 20}, set(), "2022-01-11 21:25"),
        ("2022-01-11 23:25", {23, 0, 1}, set(), "2022-01-12 02:25"),
        ("2022-01-11 18:25", set(), {1}, "2022-01-12 00:25"),
        ("2022-01-14 18:25", set(), {4, 5, 6}, "2022-01-17 00:25"),
        ("2022-01-14 18:25", {0, 1}, {4, 5, 6}, "2022-01-17 02:25"),
        ("2022-01-11 18:25", set(range(24)) - {17}, set(range(7)) - {0}, "2022-01-17 17:25"),
        ("2022-01-11 18:25", set(range(24)), set(), "2022-01-11 18:25"),
        ("2022-01-11 18:25", set(), set(range(7)), "2022-01-11 18:25"),
    ],
)
def test_rule_15_skipped_hours_and_days_defer_a_visit(
    when: str, hours: set[int], days: set[int], expected: str
) -> None:
    of = source(skip_hours=frozenset(hours), skip_days=frozenset(days))

    found = after_skipped_hours(datetime.fromisoformat(when).replace(tzinfo=UTC), of)

    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
