"""Time zones in dates: the text after a time becomes an offset from UTC, or None if it is unknown.

Numeric offsets are taken literally. A name means first what it means in the source's own zone, then what it means
everywhere.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_UTC: Final = frozenset(
    # The last is what remains of "+0000" where the plus sign was lost on the way.
    ("Z", "UT", "UTC", "GMT", "ETC/UTC", "ETC/GMT", "COORDINATED UNIVERSAL TIME", "GREENWICH MEAN TIME", "0000")
)

# Names with one meaning, by minutes ahead of UTC: those of RFC 822 §5.1 and others that feeds use.
_NAMES: Final[Mapping[str, int]] = {
    name: minutes
    for minutes, names in {
        -600: "HST",
        -540: "AKST",
        -480: "PST, AKDT",
        -420: "MST, PDT",
        -360: "MDT",
        -300: "EST, CDT",
        -240: "EDT",
        -210: "NST",
        -180: "ADT, BRT, ART",
        -150: "NDT",
        0: "WET",
        60: "CET, MET, MEZ, WEST, WAT",
        120: "EET, CEST, MEST, MESZ, CAT, SAST",
        180: "EEST, MSK, EAT",
        300: "PKT",
        345: "NPT",
        420: "ICT, WIB",
        480: "HKT, SGT, MYT, PHT, WITA, AWST, CHINA STANDARD TIME, 北京时间, 北京時間, 中国标准时间, 中國標準時間,"
        " 东八区, 東八區, 台北时间, 台北時間, 台北標準時間, 香港时间, 香港時間, 香港標準時間",
        540: "JST, KST, WIT, 日本時間, 日本標準時, 한국표준시",
        570: "ACST",
        600: "AEST",
        630: "ACDT",
        660: "AEDT",
        720: "NZST",
        780: "NZDT",
    }.items()
    for name in names.split(", ")
}

# What names mean in some places: they count only if the source's own zone has that offset. (If the zone itself uses the
# name, as London uses BST and Manila PST, its own data decide.)
_ELSEWHERE: Final[Mapping[str, tuple[int, ...]]] = {
    "CST": (480, 570),  # China, central Australia
    "CDT": (630,),
    "EST": (600,),  # eastern Australia
    "EDT": (660,),
    "IST": (330,),  # India
    "BST": (360,),  # Bangladesh
    "AST": (-240, 180),  # the Atlantic, Arabia
    "GST": (240,),  # the Gulf
    "SST": (480, -660),  # Singapore, Samoa
    "WST": (480,),  # western Australia
}

_RFC_822_CST: Final = timedelta(hours=-6)

# In these years Moscow's clocks were an hour further ahead, under the same name.
_MSK_CHANGED: Final = (datetime(2011, 3, 27, tzinfo=UTC), datetime(2014, 10, 27, tzinfo=UTC))

# "+8", "+08", "+0800", "+08:00", "GMT+8", "+0800 CST", "+08:00[Asia/Shanghai]". Three digits might be four cut short.
_OFFSET: Final = re.compile(
    r"(?P<before>[A-Z]+)? ?(?P<sign>[+-])(?P<hours>[0-9]{2}|[0-9](?![0-9]))(?::?(?P<minutes>[0-9]{2}))?"
    r"(?: ?(?P<after>[A-Z]+))?(?: ?\[[A-Z_/+-]+\])?"
)


def offset(name: str, wall: datetime, *, zone: tzinfo, mail: bool) -> timedelta | None:
    """The offset from UTC that `name` means at the local time `wall`, or None if that is not certain.

    `wall` is the written time, labelled UTC; `zone` is the source's own. `mail` says that the date has the form of
    mail, in which RFC 822 §5.1 defines CST as US Central time; the source's own zone has precedence, and a source east
    of Greenwich does not mean America. The one-letter zones of RFC 822 other than Z were defined the wrong way round
    and mean nothing (RFC 5322 §4.3). `-0000` is an instant in UTC (RFC 5322 §3.3).
    """
    name = name.upper()
    if name in _UTC:
        return timedelta(0)
    if matched := _OFFSET.fullmatch(name):
        return _number(matched)
    if (own := _in_the_sources_zone(name, wall, zone)) is not None:
        return own
    if name == "CST":
        return _RFC_822_CST if mail and not _is_east(zone, wall) else None
    if name == "MSK" and _MSK_CHANGED[0] <= wall < _MSK_CHANGED[1]:
        return None
    minutes = _NAMES.get(name)
    return None if minutes is None else timedelta(minutes=minutes)


def _number(matched: re.Match[str]) -> timedelta | None:
    """A numeric offset between -12:00 and +14:00 that agrees with the names beside it."""
    hours, minutes = int(matched["hours"]), int(matched["minutes"] or 0)
    if minutes > 59:
        return None
    total = hours * 60 + minutes
    total = -total if matched["sign"] == "-" else total
    if not -12 * 60 <= total <= 14 * 60:
        return None
    before, after = matched["before"], matched["after"]
    if before in ("UTC", "GMT", "UT"):
        before = None
    if not all(_may_mean(name, total) for name in (before, after) if name):
        return None
    return timedelta(minutes=total)


def _may_mean(name: str, minutes: int) -> bool:
    if name in _UTC:
        return minutes == 0
    return minutes == _NAMES.get(name) or minutes in _ELSEWHERE.get(name, ()) or (name, minutes) == ("CST", -360)


def _is_east(zone: tzinfo, wall: datetime) -> bool:
    here = wall.replace(tzinfo=zone).utcoffset()
    return here is not None and here > timedelta(0)


def _in_the_sources_zone(name: str, wall: datetime, zone: tzinfo) -> timedelta | None:
    """What the source's zone means by `name`: at that moment, else in that year's winter or summer."""
    for month, day in ((wall.month, wall.day), (1, 15), (7, 15)):
        there = wall.replace(month=month, day=day, tzinfo=zone)
        found = there.utcoffset()
        if found is None:
            return None
        if there.tzname() == name or found // timedelta(minutes=1) in _ELSEWHERE.get(name, ()):
            return found
    return None
