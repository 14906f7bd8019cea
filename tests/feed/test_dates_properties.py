"""What holds of every date: no text raises, and a moment written in any of the common ways is read back as itself."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from kzfeed.feed.dates.parse import AHEAD, EARLIEST, instant

NOW = datetime(2026, 11, 20, tzinfo=UTC)

offsets = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
zones = offsets | st.sampled_from(
    ["UTC", "Asia/Shanghai", "Asia/Taipei", "America/New_York", "Europe/London", "Asia/Kolkata", "Pacific/Apia"]
).map(ZoneInfo)
# A day from either end, so that every offset leaves the moment plausible.
moments = st.integers(0, (NOW - EARLIEST) // timedelta(milliseconds=1) - 2 * 86_400_000).map(
    lambda milliseconds: EARLIEST + timedelta(days=1, milliseconds=milliseconds)
)
# Letters and signs of which dates are made: text that comes near to one.
near_dates = st.text(
    st.sampled_from("0123456789０９ -/.:,+()tTzZ年月日時时分秒上下午后後火周二GMTCSTJanPM\u00a0"), max_size=40
)


@given(st.text() | near_dates, zones)
@example("2022-01-11T17:39:03" + "0" * 100, UTC)
@example("\ud800\x00", UTC)
def test_no_text_raises_and_every_answer_is_plausible(raw: str, zone: tzinfo) -> None:
    found = instant(raw, zone=zone, now=NOW)
    if found is not None:
        assert found.tzinfo is UTC
        assert found.microsecond % 1000 == 0
        assert EARLIEST <= found <= NOW + AHEAD


@given(moments, offsets, zones)
def test_a_date_of_mail_is_read_back(moment: datetime, there: timezone, zone: tzinfo) -> None:
    seconds = moment.replace(microsecond=0)
    assert instant(format_datetime(moment.astimezone(there)), zone=zone, now=NOW) == seconds
    assert instant(format_datetime(moment, usegmt=True), zone=zone, now=NOW) == seconds


@given(moments, offsets, zones, st.sampled_from("T t"), st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_a_date_of_iso_8601_is_read_back(
    moment: datetime, there: timezone, zone: tzinfo, between: str, precision: str
) -> None:
    expected = moment.replace(microsecond=0) if precision == "seconds" else moment
    raw = moment.astimezone(there).isoformat(between, precision)
    assert instant(raw, zone=zone, now=NOW) == expected


@given(moments, zones)
def test_a_local_time_is_read_back_in_its_zone(moment: datetime, zone: tzinfo) -> None:
    local = moment.astimezone(zone).replace(microsecond=0)
    for raw in (
        f"{local.year}年{local.month}月{local.day}日 {local.hour}时{local.minute}分{local.second}秒",
        f"{local:%Y-%m-%d %H:%M:%S}",
        f"{local:%Y/%m/%d %H:%M:%S}",
        f"{local:%Y%m%d%H%M%S}",
        f"{local:%d %b %Y %H:%M:%S}",
        f"{local:%B %d, %Y %I:%M:%S %p}",
        f"{local:%a %b %d %H:%M:%S %Y}",
    ):
        # Of the two moments that one local time may mean, the first is given.
        assert instant(raw, zone=zone, now=NOW) == local.replace(fold=0).astimezone(UTC), raw


@given(moments)
def test_seconds_and_milliseconds_since_1970_are_read_back(moment: datetime) -> None:
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if milliseconds >= 10**12:
        assert instant(f"{milliseconds}", now=NOW) == moment
        assert instant(f"{milliseconds // 1000}", now=NOW) == moment.replace(microsecond=0)


@given(moments, st.integers(-12 * 60, 14 * 60), st.integers(-12 * 60, 14 * 60))
def test_the_further_ahead_the_zone_the_earlier_the_instant(moment: datetime, one: int, other: int) -> None:
    raw = f"{moment:%Y-%m-%d %H:%M:%S}"
    here, there = (
        instant(raw, zone=timezone(timedelta(minutes=minutes)), now=NOW + timedelta(days=2)) for minutes in (one, other)
    )
    assert here is not None
    assert there is not None
    assert here - there == timedelta(minutes=other - one)


@given(moments, st.integers(len("2022-01-11"), 40))
def test_a_date_that_was_cut_short_keeps_its_day(moment: datetime, length: int) -> None:
    raw = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")[:length]
    found = instant(raw, now=NOW)
    assert found is None or found <= moment < found + timedelta(days=1)


@given(
    st.integers(1985, 2030),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    zones,
    st.integers(-15 * 60, 15 * 60),
)
def test_common_dates_are_read_as_slowly_as_any(
    year: int, month: int, day: int, hour: int, minute: int, zone: tzinfo, ahead: int
) -> None:
    name = f"{datetime(2000, month, 1, tzinfo=UTC):%b}" if 1 <= month <= 12 else "Foo"
    hours, minutes = divmod(abs(ahead), 60)
    sign = "-" if ahead < 0 else "+"
    for date_in_mail in (f"{day} {name} {year}", f"Tue, {day:02} {name} {year}", f"tue, {day:02} {name} {year}"):
        for zone_in_mail in (f"{sign}{hours:02}{minutes:02}", "GMT", "gmt", "-0000", "CST", ""):
            raw = f"{date_in_mail} {hour:02}:{minute:02}:00 {zone_in_mail}"
            assert instant(raw, zone=zone, now=NOW) == instant(f" {raw}", zone=zone, now=NOW)
    for zone_of_3339 in (f"{sign}{hours:02}:{minutes:02}", "Z", "z", ""):
        raw = f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{minute:02}{zone_of_3339}"
        assert instant(raw, zone=zone, now=NOW) == instant(f" {raw}", zone=zone, now=NOW)
