"""Durations as feeds write them."""

import pytest

from kzfeed.feed.json import seconds


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("3723", 3723),
        ("3723.5", 3723.5),
        ("62:03", 3723),
        ("1:02:03", 3723),
        ("01:02:03.25", 3723.25),
        (" 7 ", 7),
        ("0", None),
        ("00:00:00", None),
        ("", None),
        ("1h 2min", None),
        ("-5", None),
        ("1e9", None),
        ("1:2:3:4", None),
        ("٣", None),
        ("9" * 30, None),
    ],
)
def test_a_duration_is_seconds_or_hours_minutes_and_seconds(written: str, expected: float | None) -> None:
    assert seconds(written) == expected
