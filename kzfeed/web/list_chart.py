"""The chart above a list of articles: how many there are on each day, for the filters in force."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

from kzfeed.store.article_list import Filter, newest_dates, newest_hit_dates
from kzfeed.store.day_figures import articles_by_day, last_day
from kzfeed.store.statistics import Period
from kzfeed.web.article_chart import article_chart, day_after, days_to
from kzfeed.web.charts import Chart
from kzfeed.web.choice import Choice
from kzfeed.web.page import PageRequest

DAYS = 30
"""How many days the chart has if the filters name no first day."""
MOST_DAYS = 4 * 365
MOST_INDEXED, MOST_CHECKED, MOST_HITS = 2_000, 150, 100
"""The most articles that are counted for filters without kept counts: those that an index has in order, those of which
each is checked, and hits of a search."""


def list_chart(request: PageRequest, chosen: Choice) -> Chart | None:
    """The chart of the chosen articles; None if none of them has a date."""
    if chosen.filter.undated:
        return None
    found = _kept_counts(request, chosen) if _has_kept_counts(chosen) else _counted(request, chosen)
    if found is None:
        return None
    counts, period = found

    def link_of(part: Period) -> str:
        until = day_after(part.last)
        return f"/{request.query(after=None, since=f'{part.first}', until=f'{until}')}"

    return article_chart(request.text, counts, period, link_of)


def _has_kept_counts(chosen: Choice) -> bool:
    """Whether the archive keeps counts for these filters: it does by day and source."""
    filters = chosen.filter
    ends = (filters.selection.since, filters.selection.until)
    return (
        chosen.query is None
        and not (filters.revised or filters.withdrawn or filters.tag or filters.language)
        and all(end is None or end.astimezone(UTC).time() == time() for end in ends)
    )


def _kept_counts(request: PageRequest, chosen: Choice) -> tuple[Mapping[date, int], Period] | None:
    """The counts of the days between the dates of the filters, and the period that they cover."""
    database, selection = request.archive.database, chosen.filter.selection
    last = request.now.date()
    if selection.until:
        days_before = _day(selection.until).toordinal() - 1
        if not days_before:  # the calendar begins there
            return None
        last = min(last, date.fromordinal(days_before))
    if not (selection.since and selection.until):
        last = last_day(database, selection.source, last) or last
    period = days_to(last, MOST_DAYS if selection.since else DAYS)
    if selection.since:
        period = Period(max(period.first, _day(selection.since)), last)
    return (articles_by_day(database, period, selection.source), period) if period.days > 0 else None


def _day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


def _counted(request: PageRequest, chosen: Choice) -> tuple[Mapping[date, int], Period] | None:
    """The newest of the articles, counted, and the days of which all are among them."""
    if chosen.query is None:
        most = MOST_INDEXED if _is_in_an_index(chosen.filter) else MOST_CHECKED
        dates = newest_dates(request.archive.database, chosen.filter, most)
    else:
        archive, most = request.archive, MOST_HITS
        found = newest_hit_dates(archive.database, archive.index, chosen.query, chosen.filter, most)
        dates = [each for each in found if each]
    counts = counted_days(list(map(_day, dates)), most, request.now.date())
    return (counts, Period(min(counts), max(counts))) if counts else None


def _is_in_an_index(filters: Filter) -> bool:
    """Whether an index has the chosen articles alone, in the order of their dates."""
    is_one = filters.revised != (filters.language is not None)
    return is_one and not (filters.selection.source or filters.withdrawn or filters.tag)


def counted_days(days: Sequence[date], most: int, today: date) -> Mapping[date, int]:
    """How often each day occurs among at most `most` days, the latest first; none after today.

    If there are as many, the earliest is left out, because there may be more of it.
    """
    counts = Counter(day for day in days if day <= today)
    if len(days) == most:
        del counts[days[-1]]
    return counts
