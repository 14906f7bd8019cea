"""What headers say of time, in every form that servers send: rules 6, 7 and 20 of the etiquette."""

from datetime import UTC, datetime, timedelta

import pytest

from kzfeed.schedule.response_headers import (
    MAX_FRESHNESS,
    MAX_RETRY_AFTER,
    freshness,
    http_date,
    poll_interval,
    retry_after,
    seconds,
)

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
DATE = "Tue, 11 Jan 2022 18:00:00 GMT"
IN_AN_HOUR = "Tue, 11 Jan 2022 19:00:00 GMT"
DAY = 24 * 3600


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        (0, {}),
        (3600, {"cache-control": "max-age=3600"}),
        (3600, {"cache-control": "public,max-age=3600,must-revalidate"}),
        (3600, {"cache-control": "Public, Max-Age=3600"}),
        (3600, {"cache-control": 'max-age="3600"'}),
        (3600, {"cache-control": "max-age = 3600"}),
        (3600, {"cache-control": "public; max-age=3600"}),
        (3600, {"cache-control": "max-age=00000000003600"}),
        (3600, {"cache-control": "private, max-age=3600, private"}),  # two fields, made one by the reader
        (60, {"cache-control": "max-age=60, max-age=3600"}),
        (3600, {"cache-control": "s-maxage=60, max-age=3600"}),
        (0, {"cache-control": "s-maxage=3600"}),
        (0, {"cache-control": "x-max-age=3600"}),
        (0, {"cache-control": "stale-while-revalidate=3600, stale-if-error=3600"}),
        (0, {"cache-control": 'private="max-age=3600"'}),
        (0, {"cache-control": '"max-age=3600"'}),
        (3600, {"cache-control": 'no-cache="set-cookie", max-age=3600'}),
        (0, {"cache-control": "no-cache, max-age=3600"}),
        (0, {"cache-control": "max-age=3600, no-store"}),
        (0, {"cache-control": "NO-CACHE"}),
        (3600, {"cache-control": "x-no-cache, max-age=3600"}),
        (0, {"cache-control": "max-age=-1"}),
        (0, {"cache-control": "max-age=1h"}),
        (0, {"cache-control": "max-age=3600.5"}),
        (0, {"cache-control": "max-age"}),
        (0, {"cache-control": "max-age="}),
        (0, {"cache-control": "max-age=３６００"}),
        (DAY, {"cache-control": "max-age=31536000"}),
        (DAY, {"cache-control": "max-age=" + "9" * 5000}),
        (0, {"cache-control": ',;="' * 5000}),
        (3500, {"cache-control": "max-age=3600", "age": "100"}),
        (0, {"cache-control": "max-age=3600", "age": "7200"}),
        (0, {"cache-control": "max-age=3600", "age": "9" * 5000}),
        (3600, {"cache-control": "max-age=3600", "age": "-100"}),
        (3600, {"cache-control": "max-age=3600", "age": "old"}),
        (3500, {"cache-control": "max-age=3600", "age": "100, 200"}),
        (DAY, {"cache-control": "max-age=31536000", "age": "100"}),
        (3600, {"expires": IN_AN_HOUR, "date": DATE}),
        (3500, {"expires": IN_AN_HOUR, "date": DATE, "age": "100"}),
        (7200, {"expires": IN_AN_HOUR, "date": "Tue, 11 Jan 2022 17:00:00 GMT"}),
        (3600, {"expires": IN_AN_HOUR}),  # undated: dated when it came
        (3600, {"expires": IN_AN_HOUR, "date": "yesterday"}),
        (3600, {"expires": "Tuesday, 11-Jan-22 19:00:00 GMT", "date": DATE}),
        (3600, {"expires": "Tue Jan 11 19:00:00 2022", "date": DATE}),
        (3600, {"expires": "Tue, 11 Jan 2022 20:00:00 +0100", "date": DATE}),
        (0, {"expires": "0", "date": DATE}),
        (0, {"expires": "-1", "date": DATE}),
        (0, {"expires": "", "date": DATE}),
        (0, {"expires": DATE, "date": IN_AN_HOUR}),
        (0, {"expires": "Thu, 01 Jan 1970 00:00:00 GMT", "date": DATE}),
        (0, {"expires": "Mon, 26 Jul 99999 05:00:00 GMT", "date": DATE}),
        (0, {"expires": "x" * 70_000, "date": DATE}),
        (DAY, {"expires": "Fri, 31 Dec 9999 23:59:59 GMT", "date": DATE}),
        (600, {"cache-control": "max-age=600", "expires": IN_AN_HOUR, "date": DATE}),
        (0, {"cache-control": "max-age=0", "expires": IN_AN_HOUR, "date": DATE}),
        (0, {"cache-control": "max-age=nonsense", "expires": IN_AN_HOUR, "date": DATE}),
        (3600, {"cache-control": "private, must-revalidate", "expires": IN_AN_HOUR, "date": DATE}),
        (0, {"cache-control": "no-cache", "expires": IN_AN_HOUR, "date": DATE}),
    ],
    ids=lambda value: f"rule 6: {value}"[:80] if isinstance(value, dict) else None,
)
def test_how_long_an_answer_stays_fresh(expected: int, headers: dict[str, str]) -> None:
    assert freshness(headers, NOW).length == timedelta(seconds=expected)


def test_rule_6_freshness_has_a_limit_of_a_day() -> None:
    assert timedelta(hours=24) == MAX_FRESHNESS


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (120, "120"),
        (120, " 120 "),
        (120, "00120"),
        (0, "0"),
        (2, "1.5"),
        (7 * DAY, "604801"),
        (7 * DAY, "9" * 5000),
        (3600, IN_AN_HOUR),
        (3600, "Tuesday, 11-Jan-22 19:00:00 GMT"),
        (3600, "Tue Jan 11 19:00:00 2022"),
        (0, "Tue, 11 Jan 2022 17:00:00 GMT"),
        (7 * DAY, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (None, ""),
        (None, None),
        (None, "-5"),
        (None, "+5"),
        (None, "1e3"),
        (None, "soon"),
        (None, "120 seconds"),
        (None, "120, 240"),
        (None, "2022-01-11T19:00:00Z"),
        (None, "Tue, 32 Jan 2022 19:00:00 GMT"),
        (None, "Tue, 11 Jan 2022 19:00:00 +9999"),
        (None, "x" * 70_000),
    ],
    ids=lambda value: f"rule 7: {value!r}"[:60] if isinstance(value, str) else None,
)
def test_what_retry_after_asks_for(expected: int | None, value: str | None) -> None:
    assert retry_after(value, NOW) == (None if expected is None else timedelta(seconds=expected))


def test_rule_7_retry_after_has_a_limit_of_a_week() -> None:
    assert timedelta(days=7) == MAX_RETRY_AFTER


@pytest.mark.parametrize(
    ("expected", "value"), [(60, "60"), (0, "-60"), (0, "a minute"), (0, ""), (DAY, "100000000000")]
)
def test_rule_20_what_x_poll_interval_asks_for(expected: int, value: str) -> None:
    assert poll_interval({"x-poll-interval": value}) == timedelta(seconds=expected)


def test_seconds_and_dates_never_raise() -> None:
    assert [seconds(text) for text in ("²", "1_000", "\x00", None)] == [0, 0, 0, 0]
    assert [http_date(text) for text in ("\x00", "GMT", ",,,", None)] == [None] * 4
