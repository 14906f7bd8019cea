"""Figures by day for charts: articles and polls, of all sources or of one."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from kzfeed.model.polls import PollOutcome
from kzfeed.store import tables
from kzfeed.store.day_counts import DAY_OF
from kzfeed.store.engine import Database
from kzfeed.store.queries.statistics import Period

OUTCOMES: tuple[PollOutcome, ...] = ("new", "unchanged", "not-modified", "failed")

_count, _poll, _source, _sum = tables.day_counts.c, tables.polls.c, tables.sources.c, tables.poll_days.c


def _id_of(source: str) -> sa.ScalarSelect[Any]:
    return sa.select(_source.id).where(_source.name == source).scalar_subquery()


def articles_by_day(database: Database, period: Period, source: str | None = None) -> Mapping[date, int]:
    """How many articles were published on each day (UTC) of the period, without days that have none."""
    number = sa.func.sum(_count.articles)
    query = sa.select(_count.day, number).where(_count.day.between(period.first, period.last)).group_by(_count.day)
    if source is not None:
        query = query.where(_count.source_id == _id_of(source))
    with database.read() as connection:
        return {day: int(articles) for day, articles in connection.execute(query) if articles}


def last_day(database: Database, source: str | None, until: date) -> date | None:
    """The last day (UTC), `until` at most, on which an article was published; None if there is none."""
    query = sa.select(_count.day).where(_count.articles > 0, _count.day <= until).order_by(_count.day.desc()).limit(1)
    if source is not None:
        query = query.where(_count.source_id == _id_of(source))
    with database.read() as connection:
        return connection.execute(query).scalar()


def polls_by_day(database: Database, source: str, period: Period) -> Mapping[date, Counter[PollOutcome]]:
    """How many polls of a source had each outcome on each day (UTC) of the period, without days that have none."""
    found: defaultdict[date, Counter[PollOutcome]] = defaultdict(Counter)
    end = datetime.combine(period.last + timedelta(days=1), time(), UTC)
    day_of = sa.literal_column(DAY_OF[database.dialect].format("started_at"), sa.Date)
    polls = sa.select(day_of.label("day"), _poll.outcome, sa.func.count()).where(
        _poll.source_id == _id_of(source), _poll.started_at >= period.begin, _poll.started_at < end
    )
    # Day by day, because the primary key begins with the day.
    days = [period.first + timedelta(days=number) for number in range(period.days)]
    sums = sa.select(_sum.day, _sum.polls, _sum.with_news, _sum.not_modified).where(
        _sum.day.in_(days), _sum.source_id == _id_of(source)
    )
    with database.read() as connection:
        for day, outcome, number in connection.execute(polls.group_by("day", _poll.outcome)):
            found[day][outcome] += number
        for day, number, with_news, not_modified in connection.execute(sums):
            unchanged = number - with_news - not_modified
            found[day].update({"new": with_news, "unchanged": unchanged, "not-modified": not_modified})
    return found
