"""The chart above a list of articles: how many there are on each day, for the filters in force."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

from kzfeed.store.queries.article_list import FilteredSearch, PropertyFilter, newest_dates, newest_hit_dates
from kzfeed.store.queries.day_figures import articles_by_day, last_day
from kzfeed.store.queries.statistics import Period
from kzfeed.web.article_chart import article_chart, day_after, days_to
from kzfeed.web.article_filter import ArticleFilter
from kzfeed.web.charts import Chart
from kzfeed.web.page import PageRequest

DAYS = 30
"""How many days the chart has if the filter has no first day."""
MAX_DAYS = 4 * 365
MAX_INDEXED, MAX_CHECKED, MAX_HITS = 2_000, 150, 100
"""The most articles that are counted where no counts are kept: those that an index holds in order, those that are
checked one by one, and hits of a search."""


def list_chart(request: PageRequest, wanted: ArticleFilter) -> Chart | None:
    """The chart of the articles that pass the filter; None if none of them has a date."""
    if wanted.properties.undated:
        return None
    found = _kept_counts(request, wanted) if _has_kept_counts(wanted) else _counted(request, wanted)
    if found is None:
        return None
    counts, period = found

    def link_of(part: Period) -> str:
        until = day_after(part.last)
        return f"/{request.query(after=None, since=f'{part.first}', until=f'{until}')}"

    return article_chart(request.translate, counts, period, link_of)


def _has_kept_counts(wanted: ArticleFilter) -> bool:
    """Whether the archive keeps counts of the articles that pass the filter: it keeps them by day and source."""
    properties = wanted.properties
    ends = (properties.selection.since, properties.selection.until)
    return (
        wanted.query is None
        and not (properties.revised or properties.withdrawn or properties.tag or properties.language)
        and all(end is None or end.astimezone(UTC).time() == time() for end in ends)
    )


def _kept_counts(request: PageRequest, wanted: ArticleFilter) -> tuple[Mapping[date, int], Period] | None:
    """The counts of the days between the dates of the filter, and the period that they cover."""
    database, selection = request.archive.database, wanted.properties.selection
    last = request.now.date()
    if selection.until:
        days_before = _day(selection.until).toordinal() - 1
        if not days_before:  # the calendar begins there
            return None
        last = min(last, date.fromordinal(days_before))
    if not (selection.since and selection.until):
        last = last_day(database, selection.source, last) or last
    period = days_to(last, MAX_DAYS if selection.since else DAYS)
    if selection.since:
        period = Period(max(period.first, _day(selection.since)), last)
    return (articles_by_day(database, period, selection.source), period) if period.days > 0 else None


def _day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


def _counted(request: PageRequest, wanted: ArticleFilter) -> tuple[Mapping[date, int], Period] | None:
    """The counts of the newest articles by day, and the period of the days whose articles are all among them."""
    if wanted.query is None:
        most = MAX_INDEXED if _is_in_an_index(wanted.properties) else MAX_CHECKED
        dates = newest_dates(request.archive.database, wanted.properties, most)
    else:
        archive, most = request.archive, MAX_HITS
        search = FilteredSearch(wanted.query, wanted.properties)
        found = newest_hit_dates(archive.database, archive.index, search, most)
        dates = [each for each in found if each]
    counts = counted_days(list(map(_day, dates)), most, request.now.date())
    return (counts, Period(min(counts), max(counts))) if counts else None


def _is_in_an_index(properties: PropertyFilter) -> bool:
    """Whether an index holds just the articles that pass the filter, in the order of their dates.

    One holds the revised articles, another one the articles of each language.
    """
    has_one_index = sum((properties.revised, properties.language is not None)) == 1
    return has_one_index and not (properties.selection.source or properties.withdrawn or properties.tag)


def counted_days(days: Sequence[date], most: int, today: date) -> Mapping[date, int]:
    """How often each day occurs among at most `most` days, the latest first. Days after today are not counted.

    If there are `most` days, the earliest one is not counted either, because more articles may have it.
    """
    counts = Counter(day for day in days if day <= today)
    if len(days) == most:
        del counts[days[-1]]
    return counts
