"""Cron expressions: when they fire by crontab(5), on clocks of a time zone that skip and repeat hours."""

from datetime import UTC, datetime

import pytest

from kzfeed.schedule.cron import next_firing, parsed


def firings(expression: str, timezone: str, after: str, count: int) -> list[str]:
    """The next firings, in UTC, as `Thu 01-13 00:00`."""
    now: datetime | None = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        assert now
        now = next_firing(parsed(expression), timezone, now)
        assert now
        found.append(f"{now:%a %m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7 * * * *", ["Sat 01-01 00:07", "Sat 01-01 01:07"]),
        ("*/15 6-7 * * *", ["Sat 01-01 06:00", "Sat 01-01 06:15"]),
        ("5/15 * * * *", ["Sat 01-01 00:05", "Sat 01-01 00:20"]),
        ("0 6 * JAN-mar MON-fri", ["Mon 01-03 06:00", "Tue 01-04 06:00"]),
        ("0 6 * * 1-5", ["Mon 01-03 06:00", "Tue 01-04 06:00"]),
        ("0 6 * * 0", ["Sun 01-02 06:00", "Sun 01-09 06:00"]),
        ("0 6 * * 7", ["Sun 01-02 06:00", "Sun 01-09 06:00"]),
        ("0 6 * * 01", ["Mon 01-03 06:00", "Mon 01-10 06:00"]),
        ("0 6 * * */2", ["Sat 01-01 06:00", "Sun 01-02 06:00", "Tue 01-04 06:00", "Thu 01-06 06:00"]),
        ("0 6 * * 1-5/2", ["Mon 01-03 06:00", "Wed 01-05 06:00", "Fri 01-07 06:00"]),
        ("0 6 * * 5-7,mon", ["Sat 01-01 06:00", "Sun 01-02 06:00", "Mon 01-03 06:00", "Fri 01-07 06:00"]),
        ("0 6 * * fri-sun", ["Sat 01-01 06:00", "Sun 01-02 06:00", "Fri 01-07 06:00"]),
        ("0 6 * * sun-tue", ["Sun 01-02 06:00", "Mon 01-03 06:00", "Tue 01-04 06:00", "Sun 01-09 06:00"]),
        ("0 0 29 2 *", ["Thu 02-29 00:00", "Tue 02-29 00:00"]),
        # Either of day and weekday suffices, unless one of them begins with a star.
        ("0 0 13 * 5", ["Fri 01-07 00:00", "Thu 01-13 00:00", "Fri 01-14 00:00"]),
        ("0 0 1,15 * mon", ["Mon 01-03 00:00", "Mon 01-10 00:00", "Sat 01-15 00:00"]),
        ("0 0 */2 * 1", ["Mon 01-03 00:00", "Mon 01-17 00:00", "Mon 01-31 00:00"]),
        ("0 0 13 * */2", ["Thu 01-13 00:00", "Sun 02-13 00:00"]),
    ],
)
def test_an_expression_fires_by_the_rules_of_crontab(expression: str, expected: list[str]) -> None:
    assert firings(expression, "UTC", "2022-01-01", len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "expected"),
    [
        ("30 2 * * *", "Europe/Paris", "2022-03-26", ["Sat 03-26 01:30", "Sun 03-27 01:30", "Mon 03-28 00:30"]),
        ("15 2,3 * * *", "Europe/Paris", "2022-03-27", ["Sun 03-27 01:15", "Mon 03-28 00:15"]),
        ("*/30 * * * *", "Europe/Paris", "2022-03-27 00:20", ["Sun 03-27 00:30", "Sun 03-27 01:00"]),
        ("30 2 * * *", "Europe/Paris", "2022-10-30", ["Sun 10-30 00:30", "Sun 10-30 01:30", "Mon 10-31 01:30"]),
        (
            "*/30 * * * *",
            "Europe/Paris",
            "2022-10-30 00:00",
            ["Sun 10-30 00:30", "Sun 10-30 01:00", "Sun 10-30 01:30", "Sun 10-30 02:00"],
        ),
        ("7 * * * *", "Europe/Paris", "2022-10-30", ["Sun 10-30 00:07", "Sun 10-30 01:07", "Sun 10-30 02:07"]),
        ("0 0 1 1,7 *", "Europe/Paris", "2022-03-27", ["Thu 06-30 22:00", "Sat 12-31 23:00", "Fri 06-30 22:00"]),
        (
            "*/20 * * * *",
            "Australia/Lord_Howe",
            "2022-04-02 14:20",
            ["Sat 04-02 14:40", "Sat 04-02 15:10", "Sat 04-02 15:30"],
        ),
    ],
)
def test_a_skipped_time_fires_late_and_a_repeated_one_twice(
    expression: str, timezone: str, after: str, expected: list[str]
) -> None:
    assert firings(expression, timezone, after, len(expected)) == expected


def test_a_firing_that_is_less_than_a_second_ahead_is_not_skipped() -> None:
    after = datetime(2022, 1, 1, 0, 6, 59, 500_000, tzinfo=UTC)

    assert next_firing("7 * * * *", "UTC", after) == datetime(2022, 1, 1, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    [
        *("", "hourly", "* * * *", "60 * * * *", "٣ * * * *", "0 0 30 2 *", "0 0 0 * *", "0 0 5-1 * *"),
        *("0 0 * * 8", "0 0 * * 5-1", "0 0 * * */0", "0 0 * * mon-5", "0 0 * jan-mar/2 *", "0 0 * * foo"),
    ],
)
def test_a_malformed_expression_or_one_that_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(expression)
