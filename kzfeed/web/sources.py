"""The list of sources, and the page of one source: its health, its figures, and why its next poll is when it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from kzfeed.errors import UsageError
from kzfeed.explanation import explanation_lines
from kzfeed.instants import RESOLUTION
from kzfeed.model.polls import PollOutcome
from kzfeed.store.queries.day_figures import OUTCOMES, articles_by_day, last_day, polls_by_day
from kzfeed.store.queries.source_list import (
    SourceLine,
    addresses,
    article_count,
    last_polls,
    source_line,
    sources_page,
    status_counts,
)
from kzfeed.store.queries.statistics import Period
from kzfeed.store.queries.withdrawals_and_gaps import NoticedGap, gaps_of_source
from kzfeed.store.sources import load_without_addresses
from kzfeed.text import printable, redacted, without_address
from kzfeed.web.article_chart import article_chart, day_after, days_to
from kzfeed.web.atom import Notice
from kzfeed.web.catalogue import Catalogue
from kzfeed.web.charts import BandRow, Chart, Series, band_chart, heat_map, stacked_chart
from kzfeed.web.explanations import reason, sentence
from kzfeed.web.page import NotFound, Page, PageRequest, PageRoute
from kzfeed.web.templates import source_address
from kzfeed.web.withdrawals_and_gaps import gap_bands, gap_headings

PAGE_SIZE = 50
MONTH, BARS, YEAR = 30, 45, 365
"""The lengths of periods that end today, in days."""


def list_of_sources(request: PageRequest) -> Page:
    """The page of sources, in the order of their names."""
    database, period = request.archive.database, days_to(request.now.date(), MONTH)
    after, status = request.argument("after"), request.argument("status")
    counts = status_counts(database)
    if status is not None and status not in counts:
        raise UsageError(f"no source has the status {status!r}: there are {', '.join(sorted(counts)) or 'no sources'}")
    found = list(map(_safe, sources_page(database, period, after=after, status=status, limit=PAGE_SIZE + 1)))
    shown, next_query = request.one_page(found, PAGE_SIZE, lambda line: line.name)
    return Page(
        title=request.translate("sources.title"),
        values={
            "sources": shown,
            "period": period,
            "counts": sorted(counts.items()),
            "status": status,
            "next_query": next_query,
            "first_query": request.query(after=None),
            "is_first": after is None,
        },
        data={
            "period": asdict(period),
            "sources": list(map(asdict, shown)),
            "next": next_query and f"/sources.json{next_query}",
        },
        notices=[_notice(request.translate, line, period) for line in shown],
    )


def _safe(line: SourceLine) -> SourceLine:
    """The source without passwords and control characters in texts of its server."""
    return replace(line, last_error=_plain(line.last_error), flaw=_plain(line.flaw))


def _safe_poll(poll: Mapping[str, Any]) -> dict[str, Any]:
    """The poll without passwords and control characters in texts of its server."""
    return {**poll, "error": _plain(poll["error"]), "flaw": _plain(poll["flaw"])}


def _plain(text: str | None) -> str | None:
    return None if text is None else printable(redacted(without_address(text)))


def _notice(translate: Catalogue, line: SourceLine, period: Period) -> Notice:
    number = translate("sources.in_period", n=line.articles_in_period, first=f"{period.first}", last=f"{period.last}")
    return Notice(
        key=line.name,
        title=line.title or line.name,
        updated=line.last_article_at,
        address=source_address(line.name),
        author=line.name,
        text=f"{translate(f'status.{line.status}')} · {number}",
    )


# --- one source ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _DayFigures:
    """The figures of a source by day: articles and gaps of a year, polls of a month."""

    year: Period
    articles: Mapping[date, int]
    gaps: Sequence[NoticedGap]
    month: Period
    polls: Mapping[date, Mapping[PollOutcome, int]]

    def as_json(self) -> dict[str, Any]:
        return {
            "year": asdict(self.year),
            "articles_by_day": {f"{day}": number for day, number in sorted(self.articles.items())},
            "gaps": list(map(asdict, self.gaps)),
            "month": asdict(self.month),
            "polls_by_day": {f"{day}": dict(numbers) for day, numbers in sorted(self.polls.items())},
        }


def source_page(request: PageRequest) -> Page:
    """The page of one source."""
    database, now, translate = request.archive.database, request.now, request.translate
    name = request.path["name"].removesuffix("/")
    month = days_to(now.date(), MONTH)
    line, source = source_line(database, name, month), load_without_addresses(database, name)
    if line is None or source is None:
        raise NotFound(f"no source has the name {printable(name)!r}")
    year = days_to(_chart_end(request, name), YEAR)
    figures = _DayFigures(
        year,
        articles_by_day(database, year, name),
        gaps_of_source(database, line.id, year.begin),
        month,
        polls_by_day(database, name, month),
    )
    why = explanation_lines(database, source, now) if line.host else []
    former = addresses(database, line.id)
    facts: dict[str, Any] = {
        "articles": article_count(database, line.id),
        "published": [_published(figures.articles, days_to(year.last, days)) for days in (MONTH, YEAR)],
        "polls": [_safe_poll(poll) for poll in last_polls(database, line.id)],
    }
    translated = {
        "source": _safe(line),
        "why": [sentence(translate, each) for each in why],
        "addresses": [(each, reason(translate, each.reason)) for each in former],
    }
    return Page(
        title=line.title or line.name,
        values={**facts, **translated, "charts": _charts(translate, figures, name)},
        data={
            "source": asdict(_safe(line)),
            **facts,
            "why": list(map(str, why)),
            "addresses": list(map(asdict, former)),
            **figures.as_json(),
        },
    )


def _chart_end(request: PageRequest, name: str) -> date:
    """The last day of the charts: today, or that of the newest article if it is older than a year."""
    today = request.now.date()
    newest = last_day(request.archive.database, name, today)
    return today if newest is None or today - newest < timedelta(days=YEAR) else newest


def _published(counts: Mapping[date, int], period: Period) -> dict[str, Any]:
    """How many articles were published in the period, in all and by day."""
    number = sum(number for day, number in counts.items() if day >= period.first)
    return {**asdict(period), "articles": number, "by_day": round(number / period.days, 1)}


# --- charts ----------------------------------------------------------------------------------------------------------


def _charts(translate: Catalogue, figures: _DayFigures, name: str) -> list[Chart]:
    charts = (
        _articles_chart(translate, figures.articles, days_to(figures.year.last, BARS), name),
        _year_chart(translate, figures.articles, figures.year),
        _polls_chart(translate, figures.polls, figures.month),
        _gaps_chart(translate, figures.gaps, figures.year, name),
    )
    return [chart for chart in charts if chart]


def _articles_chart(translate: Catalogue, counts: Mapping[date, int], period: Period, name: str) -> Chart | None:
    def link_of(part: Period) -> str:
        until = day_after(part.last)
        return f"/?{urlencode({'source': name, 'since': f'{part.first}', 'until': f'{until}'})}"

    shown = {day: number for day, number in counts.items() if day >= period.first}
    return article_chart(translate, shown, period, link_of)


def _year_chart(translate: Catalogue, counts: Mapping[date, int], year: Period) -> Chart | None:
    if not counts:
        return None
    title = translate("chart.heat", n=sum(counts.values()), first=f"{year.first}", last=f"{year.last}")
    head = [translate("chart.week_from"), *translate("chart.weekdays").split()]
    return heat_map(title, head, counts, (year.first, year.last), translate.number)


def _polls_chart(
    translate: Catalogue, by_outcome: Mapping[date, Mapping[PollOutcome, int]], month: Period
) -> Chart | None:
    if not by_outcome:
        return None
    days = [month.first + timedelta(days=number) for number in range(month.days)]
    series = [
        Series(
            f"poll-{outcome}", translate(f"poll.{outcome}"), [by_outcome.get(day, {}).get(outcome, 0) for day in days]
        )
        for outcome in OUTCOMES
    ]
    number = sum(sum(each.numbers) for each in series)
    title = translate("chart.polls", n=number, first=f"{month.first}", last=f"{month.last}")
    return stacked_chart(title, (translate("chart.unit_day"),), [f"{day}" for day in days], series, translate.number)


def _gaps_chart(translate: Catalogue, gaps: Sequence[NoticedGap], year: Period, name: str) -> Chart | None:
    end = year.begin + timedelta(days=year.days) - RESOLUTION
    found = [gap for gap in gaps if gap.from_at <= end]
    if not found:
        return None
    title = translate("chart.gaps", n=len(found), first=f"{year.first}", last=f"{year.last}")
    row = BandRow(name, source_address(name), gap_bands(found, name))
    return band_chart("gaps", title, gap_headings(translate), (year.begin, end), [row])


PAGES = (
    PageRoute("/sources", list_of_sources, "sources.html", has_feed=True),
    PageRoute("/sources/{name:path}", source_page, "source.html"),
)
