"""Parser of dates as feeds write them. A date is right or unknown, never wrong.

A string that is not understood completely gives None, and so does one that can mean two days, and an instant that no
feed can mean.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from kzfeed.feed.dates.words import EAST_ASIAN_WEEKDAYS, ERAS, HALVES, LABELS, MONTHS, WEEKDAYS
from kzfeed.feed.dates.zones import offset
from kzfeed.instants import EPOCH

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""Older dates in feeds are errors."""

AHEAD: Final = timedelta(hours=48)
"""How far after now a date may lie: wrong time zones and wrong clocks shift dates that much."""

END_OF_TIME: Final = datetime(MAXYEAR, 12, 31, tzinfo=UTC) - AHEAD - timedelta(days=1)
"""The `now` for which no date lies too far ahead."""

_MAX_LENGTH: Final = 120


def instant(raw: str, *, zone: tzinfo = UTC, now: datetime) -> datetime | None:
    """The instant that a date string means: aware, in UTC, truncated to milliseconds; None if it is unknown.

    These forms are understood: the dates of mail (RFC 5322 §3.3, with the short years and the zone names of §4.3) and
    similar ones (RFC 850, asctime, JavaScript); RFC 3339, W3CDTF and ISO 8601 down to the day; Chinese, Japanese and
    Korean dates; months in other languages (words.py); numbers alone if only one day can be meant (`13/02/2024`, not
    `01/02/2024`); seconds or milliseconds since 1970. A wrong weekday is ignored.

    `zone` is the time zone of the source. It applies if the string names no zone, and it decides between the meanings
    of a zone name (`zones.offset`). A date without a time means midnight there. If clocks were set back, the first of
    two moments is meant; a time that clocks skipped is unknown. 24:00 belongs to the next day, a leap second
    to the next minute.

    Unknown are also years and months without a day, "2 hours ago", anything before 1990 and anything later than 48
    hours after `now` (aware).
    """
    found = _common(raw) or _any(raw, zone)
    return found if found is not None and EARLIEST <= found <= now + AHEAD else None


def _any(raw: str, zone: tzinfo) -> datetime | None:
    text = _tidy(raw)
    if text is None:
        return None
    if since_1970 := _SINCE_1970.fullmatch(text):
        part = (since_1970["thousandths"] or "") + (since_1970["fraction"] or "")
        return EPOCH + timedelta(seconds=int(since_1970["seconds"])) + _part(part)
    written = _read(text)
    return _moment(written, zone) if written else None


# --- the forms that nearly all feeds use, read in a tenth of the time ------------------------------------------------

_CLOCK = "([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
_ENGLISH_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MAIL: Final = re.compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?([0-9]{{1,2}}) ({'|'.join(_ENGLISH_MONTHS)}) ([12][0-9]{{3}}) {_CLOCK}"
    r" (?:GMT|([+-])(0[0-9]|1[01])([0-5][0-9]))"
)
_RFC_3339: Final = re.compile(rf"[12][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}(?:Z|[+-](?:0[0-9]|1[01]):[0-5][0-9])")


def _common(raw: str) -> datetime | None:
    """The instant of a date written as RFC 5322 or RFC 3339 would have it; None for all others."""
    try:
        if _RFC_3339.fullmatch(raw):
            return datetime.fromisoformat(raw).astimezone(UTC)
        if mail := _MAIL.fullmatch(raw):
            day, month, year, hour, minute, second, sign, hours, minutes = mail.groups(default="0")
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            wall = datetime(
                int(year), _ENGLISH_MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
            )
            return wall + ahead if sign == "-" else wall - ahead
    except ValueError:
        pass  # no calendar has that day
    return None


# --- the forms of a date, after `_tidy`: lower-case, single spaces, ASCII digits -------------------------------------


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_WORD = r"[^\W\d_]+"
_WEEKDAY = rf"(?:(?P<weekday>{_WORD}(?:-feira)?)[., ]+)?"
_DAY = r"(?P<day>[0-9]{1,2})"
_MONTH = rf"(?P<month>{_WORD})\.?"
_YEAR = r"(?P<year>[0-9]{4})"

_SECONDS = r"(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?"
_HALF = rf"(?:[ap]\.? ?m(?:\.|(?![a-z]))|{_any_of(HALVES.keys() - {'am', 'pm'})})"
_TIME = (
    rf"(?:(?P<before>{_HALF}) ?)?(?P<hour>[0-9]{{1,2}})"
    rf"(?:(?P<colon>[:.h])(?P<minute>[0-9]{{2}})(?:(?P=colon){_SECONDS})?"
    r"| ?[时時点點시](?: ?(?P<minutes>[0-9]{1,2}) ?[分분](?: ?(?P<seconds>[0-9]{1,2}) ?[秒초])?)?)"
    rf"(?: ?(?P<after>{_HALF}))?(?: ?(?:uhr|h)(?![a-z]))?"
)
# A dash between date and time has a space on both sides: " -08:00" might be an offset.
_BETWEEN = r"(?:t|[ ,]+(?:(?:at|um|à|às|в|[-–—|@/]) )?)"
_ZONE = r"[ ,]*(?P<zone>[^()]*?) ?(?:\((?P<comment>[^()]*)\))?"
_REST = rf"(?:{_BETWEEN}{_TIME})?{_ZONE}"

_LONG_WEEKDAY = _any_of(word for word in EAST_ASIAN_WEEKDAYS if len(word) > 1)
_THEN_WEEKDAY = rf"(?: ?(?:{_LONG_WEEKDAY}|\((?:{_any_of(EAST_ASIAN_WEEKDAYS)})\)))?"

_LABEL: Final = re.compile(rf"^(?:{_any_of(LABELS)})[: ]*")
_SINCE_1970: Final = re.compile(r"(?P<seconds>[0-9]{10})(?P<thousandths>[0-9]{3})?(?:\.(?P<fraction>[0-9]+))?")

# A year of two or three digits is understood in mail only, where a time follows it (RFC 5322 §4.3).
_DAY_FIRST: Final = re.compile(
    rf"{_WEEKDAY}{_DAY}(?:st|nd|rd|th|er|[º°])?[-/., ]{{0,3}}(?:(?:of|de) )?{_MONTH}[-/., ]{{0,3}}(?:(?:of|de|del) )?"
    rf"(?P<year>[0-9]{{4}}|[0-9]{{2,3}}(?= [0-9]{{1,2}}:))(?: ?г\.?)?{_REST}"
)
_FORMS: Final = (
    _DAY_FIRST,
    # 2022-01-11, 2022/1/11, 2024. 3. 4.
    re.compile(rf"{_WEEKDAY}{_YEAR}(?P<dash>[-/.]) ?(?P<month>[0-9]{{1,2}})(?P=dash) ?{_DAY}\.?{_THEN_WEEKDAY}{_REST}"),
    # 20220111T173903, 20220111173903
    re.compile(
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
        rf"[t ]?(?P<hour>[0-9]{{2}})(?P<minute>[0-9]{{2}})(?:{_SECONDS})?{_ZONE}"
    ),
    # 20220111, 20220111T17:39:03
    re.compile(rf"(?P<year>[0-9]{{4}})(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}}){_REST}"),
    # January 11, 2022
    re.compile(rf"{_WEEKDAY}{_MONTH}[-, ]{{0,2}}{_DAY}(?:st|nd|rd|th)?[-, ]{{1,2}}{_YEAR}{_REST}"),
    # Tue Jan 11 17:12:57 CST 2022
    re.compile(rf"{_WEEKDAY}{_MONTH} {_DAY} {_TIME}(?: (?P<inner_zone>[^ ()]+))? {_YEAR}{_ZONE}"),
    # 2024年1月2日, 令和6年1月2日, 2004년 5월 28일
    re.compile(
        rf"{_WEEKDAY}(?:(?P<era>{_any_of(ERAS)}) ?(?P<era_year>[0-9]{{1,4}}|元)|{_YEAR}) ?[年년]"
        rf" ?(?P<month>[0-9]{{1,2}}) ?[月월] ?{_DAY} ?[日號号일]{_THEN_WEEKDAY}(?:{_BETWEEN}?{_TIME})?{_ZONE}"
    ),
    # 13/02/2024
    re.compile(rf"{_WEEKDAY}(?P<one>[0-9]{{1,2}})(?P<dash>[-/.]) ?(?P<other>[0-9]{{1,2}})(?P=dash) ?{_YEAR}{_REST}"),
    # 2004. július 13., 2024-Jan-02
    re.compile(rf"{_WEEKDAY}{_YEAR}[-/., ]{{1,2}}{_MONTH}[-/, ]{{1,2}}{_DAY}\.?{_REST}"),
)

_MARGINS: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_PLAIN: Final = (
    dict.fromkeys(map(ord, _MARGINS), " ")
    # Full-width forms, digits among them; the sign for minus; marks that only steer the direction of writing.
    | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | {0x2212: "-", 0x200B: None, 0x200E: None, 0x200F: None}
)


def _tidy(raw: str) -> str | None:
    """The string without differences that mean nothing; None if it is too long to be a date."""
    text = raw.strip(_MARGINS)
    if len(text) > _MAX_LENGTH:
        return None
    text = unicodedata.normalize("NFC", text).translate(_PLAIN).lower()
    text = " ".join(part for part in text.split(" ") if part)
    return _LABEL.sub("", text)


# --- from a matched form to an instant -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Written:
    """A date as written: the local date and time (labelled UTC), and the name of the zone."""

    wall: datetime
    timed: bool
    zone: str
    mail: bool


# An entry mostly says a date twice, and again on every poll; 10,000 of them take some 4 MB.
@lru_cache(maxsize=10_000)
def _read(text: str) -> _Written | None:
    """The date in the first form that fits. No other form is tried: a string has one meaning."""
    for form in _FORMS:
        if matched := form.fullmatch(text):
            fields = {name: value for name, value in matched.groupdict().items() if value}
            day, time, zone = _day(fields), _time(fields), _zone(fields)
            if day is None or time is None or zone is None or fields.get("weekday", "mon") not in WEEKDAYS:
                return None
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            return _Written(midnight + time, timed="hour" in fields, zone=zone, mail=form is _DAY_FIRST)
    return None


def _day(fields: Mapping[str, str]) -> date | None:
    if "one" in fields:
        one, other = int(fields["one"]), int(fields["other"])
        if one <= 12 and other <= 12 and one != other:
            return None
        month, day = min(one, other), max(one, other)
    else:
        written = fields["month"]
        month, day = int(written) if written.isdecimal() else MONTHS.get(written, 0), int(fields["day"])
    year = _year(fields)
    try:
        # A year's room on both sides, for what hours and zones add and take.
        return date(year, month, day) if EARLIEST.year - 1 <= year < MAXYEAR else None
    except ValueError:
        return None


def _year(fields: Mapping[str, str]) -> int:
    if "era" in fields:
        return ERAS[fields["era"]] + (1 if fields["era_year"] == "元" else int(fields["era_year"]))
    year = int(fields["year"])
    match len(fields["year"]):
        case 2:
            return year + (2000 if year < 50 else 1900)
        case 3:
            return year + 1900
    return year


def _time(fields: Mapping[str, str]) -> timedelta | None:
    """The time since midnight, zero where no time is written, None where there is no such time."""
    hour, halves = int(fields.get("hour", 0)), [fields[half] for half in ("before", "after") if half in fields]
    minute = int(fields.get("minute") or fields.get("minutes") or 0)
    second = int(fields.get("second") or fields.get("seconds") or 0)
    part = _part(fields.get("fraction", ""))
    if halves:
        # "a.m." is "am"; two halves are none.
        known = HALVES.get(re.sub("[. ]", "", "".join(halves)), {})
        if hour not in known:
            return None
        hour = known[hour]
    time = timedelta(hours=hour, minutes=minute, seconds=second) + part
    # RFC 3339 §5.6: a leap second is written :60. ISO 8601: 24:00 is the end of the day.
    if minute > 59 or second > 60 or (hour > 23 and time != timedelta(days=1)):
        return None
    return time


def _part(digits: str) -> timedelta:
    """Digits after the decimal sign of a second, truncated to milliseconds."""
    return timedelta(milliseconds=int(digits[:3].ljust(3, "0")))


def _zone(fields: Mapping[str, str]) -> str | None:
    """The name of the zone, "" without one, None if two are given.

    A comment is the name of a zone only if nothing else is (RFC 5322 §3.2.2), and then it must be understood.
    """
    zones = [fields[place].strip(" ,") for place in ("inner_zone", "zone") if place in fields]
    # After a day alone, "-08:00" may as well be a time.
    if len(zones) > 1 or ("hour" not in fields and zones and zones[0].startswith("-")):
        return None
    comment = fields.get("comment", "").strip()
    return zones[0] if zones else "" if comment in WEEKDAYS else comment


def _moment(written: _Written, zone: tzinfo) -> datetime | None:
    if written.zone:
        ahead = offset(written.zone, written.wall, zone=zone, mail=written.mail)
        return None if ahead is None else written.wall - ahead
    there = written.wall.replace(tzinfo=zone).astimezone(UTC)
    skipped = there.astimezone(zone).replace(tzinfo=UTC) != written.wall
    # If clocks skipped midnight, the day begins at the moment after.
    return None if skipped and written.timed else there
