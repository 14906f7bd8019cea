"""Cron expressions by the rules of crontab(5), and the times at which they fire.

The one module of this package that imports APScheduler: its triggers are pure, they compute a time from a given time.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

_ITEM = r"(?:(?:\*|\d{1,2}(?:-\d{1,2})?)(?:/\d{1,2})?|[a-z]{3}(?:-[a-z]{3})?)"
_EXPRESSION = re.compile(rf"(?:{_ITEM}(?:,{_ITEM})*(?: |$)){{5}}", re.ASCII)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The names by crontab's numbers: both 0 and 7 are Sunday."""


class _Trigger(Protocol):
    """What this module uses of APScheduler's triggers, which ship no types."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None: ...


def parsed(expression: str) -> str:
    """The expression in lower case with single spaces. Raises ValueError where it is malformed or never fires."""
    line = " ".join(expression.lower().split())
    # A crontab names no year, so any start shows whether it ever fires: 30 February does not.
    if not _EXPRESSION.fullmatch(line) or next_firing(line, "UTC", datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("expected five crontab fields (minute, hour, day, month, weekday) that match some date")
    return line


def next_firing(expression: str, timezone: str, after: datetime) -> datetime | None:
    """The first time after `after`, in UTC, at which the expression fires on clocks of the time zone, or None.

    In an hour that clocks repeat it fires both times. A time that clocks skip fires once, later by the skipped time.
    """
    zone, trigger = ZoneInfo(timezone), _trigger(expression)

    def next_reading(reading: datetime) -> datetime | None:
        # The trigger is given clock readings as if they were UTC. With a zone of its own, APScheduler returns times
        # that are already past in an hour that clocks repeat.
        return trigger.get_next_fire_time(None, reading.replace(tzinfo=UTC) + timedelta(microseconds=1))

    def times(reading: datetime) -> list[datetime]:
        both = [reading.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        return [when for when in both if when > after]

    local = after.astimezone(zone)
    reading = next_reading(local)
    if reading is None:
        return None
    found = times(reading)[0]
    set_back = _offset(after, zone) - _offset(after + timedelta(hours=3), zone)
    if set_back > timedelta():
        # Clock times that have passed come again.
        again = next_reading(local - set_back)
        while again and not times(again):
            again = next_reading(again)
        return min(found, times(again)[-1]) if again else found
    return found


def _offset(when: datetime, zone: ZoneInfo) -> timedelta:
    return when.astimezone(zone).utcoffset() or timedelta()


@lru_cache(maxsize=1000)
def _trigger(expression: str) -> _Trigger:
    # Few sources have a cron expression, and APScheduler takes a while to import.
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    minute, hour, day, month, weekday = expression.split()
    times = {"minute": minute, "hour": hour, "month": month, "timezone": UTC}
    weekdays = ",".join(map(_weekday_names, weekday.split(",")))
    if day.startswith("*") or weekday.startswith("*"):
        trigger: _Trigger = CronTrigger(day=day, day_of_week=weekdays, **times)
    else:
        # crontab(5): where day of month and weekday are both restricted, either of them suffices.
        trigger = OrTrigger([CronTrigger(day=day, **times), CronTrigger(day_of_week=weekdays, **times)])
    return trigger


def _weekday_names(item: str) -> str:
    """The weekdays of a crontab item as names: by number, APScheduler counts from Monday and crontab from Sunday."""
    days, _, step = item.partition("/")
    first, _, last = days.replace("*", "0-6").partition("-")
    start = _weekday_number(first)
    end = _weekday_number(last) if last else 6 if step else start
    if end == 0 and last:
        end = 7  # `fri-sun`
    numbers = range(start, end + 1, int(step or 1))
    return ",".join(_WEEKDAYS[number] for number in numbers)


def _weekday_number(day: str) -> int:
    number = int(day) if day.isdigit() else _WEEKDAYS.index(day)
    if number > 7:
        raise ValueError(f"expected a weekday from 0 to 7, found {day}")
    return number
