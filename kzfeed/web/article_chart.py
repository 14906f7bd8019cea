"""The chart of articles by day, week, month or year of their publication, whose bars link to these articles."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from itertools import islice

from kzfeed.store.queries.statistics import Period
from kzfeed.web.catalogue import Catalogue
from kzfeed.web.charts import Bar, Chart, bar_chart

MAX_BARS = 48

LinkOf = Callable[[Period], str]
"""The address of the list of the articles of a period."""


def article_chart(translate: Catalogue, counts: Mapping[date, int], period: Period, link_of: LinkOf) -> Chart | None:
    """The chart of the articles of a period; None if there are none."""
    if not any(counts.values()):
        return None
    unit, parts = columns(period)
    sums = [sum(counts.get(day, 0) for day in _days(part)) for part in parts]
    bars = [Bar(_label(unit, part), number, link_of(part)) for part, number in zip(parts, sums, strict=True)]
    title = translate(f"chart.articles_by_{unit}", n=sum(sums), first=f"{period.first}", last=f"{period.last}")
    return bar_chart(title, (translate(f"chart.unit_{unit}"), translate("chart.articles")), bars, translate.number)


def days_to(last: date, days: int) -> Period:
    """So many days (UTC) that end with this one, or as many as the calendar has."""
    return Period(date.fromordinal(max(last.toordinal() - days + 1, 1)), last)


def day_after(last: date) -> date:
    """The next day, or the last one of the calendar."""
    return date.fromordinal(min(last.toordinal() + 1, date.max.toordinal()))


def columns(period: Period) -> tuple[str, list[Period]]:
    """The period in at most `MAX_BARS` parts, each of a `day`, `week`, `month` or `year`; a longer one in one part."""
    # Parts are made one by one, so that this ends early for a period of thousands of days.
    parts_by_unit = (
        (unit, list(islice(_parts(period, beginning), MAX_BARS + 1))) for unit, beginning in _BEGINNINGS.items()
    )
    unit, parts = next(((unit, parts) for unit, parts in parts_by_unit if len(parts) <= MAX_BARS), ("year", [period]))
    return unit, parts


_BEGINNINGS: Mapping[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),  # the first day of the calendar is a Monday
    "month": lambda day: day.replace(day=1),
    "year": lambda day: day.replace(month=1, day=1),
}


def _parts(period: Period, beginning: Callable[[date], date]) -> Iterator[Period]:
    """The parts of the period that begin with a new unit; the first and the last one may be shorter."""
    first = period.first
    for day in _days(period):
        if day > first and beginning(day) == day:
            yield Period(first, day - timedelta(days=1))
            first = day
    yield Period(first, period.last)


def _days(period: Period) -> Iterator[date]:
    return (period.first + timedelta(days=number) for number in range(period.days))


def _label(unit: str, part: Period) -> str:
    match unit:
        case "day":
            return f"{part.first}"
        case "week":
            return f"{part.first} – {part.last}"
        case "month":
            return f"{part.first}"[:7]
    return f"{part.first}"[:4]
