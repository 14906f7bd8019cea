"""The list of articles: the newest first, filtered, searched, page by page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from kzfeed.search.hits import SearchResult
from kzfeed.search.query import Query
from kzfeed.store.queries.article_list import languages, position_of
from kzfeed.store.queries.source_list import source_names
from kzfeed.store.search.results import load_results
from kzfeed.web.article_filter import FILTER_ARGUMENTS, FLAGS, parse_filter, unindexed_header
from kzfeed.web.exports import as_csv, as_json_lines
from kzfeed.web.list_chart import list_chart
from kzfeed.web.page import Page, PageRequest, PageRoute

PAGE_SIZE, SEARCH_PAGE_SIZE = 50, 20
"""How many articles a page has, and how many a page of a search, which shows a part of each text."""
MAX_OFFERED = 100
"""The most sources that the form offers in a list; where there are more, the name is typed."""


def articles(request: PageRequest) -> Page:
    """The page of the articles that pass the filter."""
    wanted = parse_filter(request)
    # Before the search: an article that is indexed meanwhile may be missing from it.
    unindexed = wanted.unindexed(request.archive)
    most = PAGE_SIZE if wanted.query is None else SEARCH_PAGE_SIZE
    rows = wanted.first(request, request.argument("after"), most + 1)
    shown, next_query = request.one_page(rows, most, lambda row: position_of(row).key)
    hits = _hits(request, wanted.query, shown)
    return Page(
        title=_title(request),
        values={
            "days": _days(shown),
            "hits": hits,
            "next_query": next_query,
            "is_first": request.argument("after") is None,
            "form": _form(request),
            "in_force": _in_force(request),
            "export_query": request.query(after=None),
            "chart": None if request.argument("after") else list_chart(request, wanted),
            "unindexed": unindexed,
        },
        data={
            "articles": [_as_json(row, hits) for row in shown],
            "next": next_query and f"/articles.json{next_query}",
            "unindexed": unindexed,
        },
        articles=[row["id"] for row in shown],
        headers=unindexed_header(unindexed),
    )


def _hits(request: PageRequest, query: Query | None, rows: Sequence[Mapping[str, Any]]) -> dict[str, SearchResult]:
    """The titles and snippets of the articles that a search found, with their hits, by key."""
    if query is None:
        return {}
    with request.archive.database.read() as connection:
        results = load_results(connection, query, [position_of(row) for row in rows])
    return {result.key: result for result in results}


def _days(rows: Sequence[Mapping[str, Any]]) -> list[tuple[datetime | None, list[dict[str, Any]]]]:
    """The articles by the day of their publication (UTC); None for the undated."""
    with_keys = [{**row, "key": position_of(row).key} for row in rows]
    days = groupby(with_keys, lambda row: row["published_at"] and row["published_at"].date())
    return [(day, list(of_day)) for day, of_day in days]


def _as_json(row: Mapping[str, Any], hits: Mapping[str, SearchResult]) -> dict[str, Any]:
    key = position_of(row).key
    snippet = {"snippet": hits[key].snippet.text} if key in hits else {}
    return {**row, "key": key, **snippet}


def _form(request: PageRequest) -> dict[str, Any]:
    """What the form of filters offers, and what is in it."""
    names = source_names(request.archive.database, MAX_OFFERED + 1)
    return {
        "values": {name: request.argument(name) or "" for name in FILTER_ARGUMENTS},
        "sources": names if len(names) <= MAX_OFFERED else None,
        "languages": languages(request.archive.database, MAX_OFFERED),
    }


def _in_force(request: PageRequest) -> list[tuple[str, str, str]]:
    """Each filter in force: its name, its value, and the query of the page without it."""
    return [
        (name, value, request.query(after=None, **{name: None}) or "/")
        for name in FILTER_ARGUMENTS
        if name != "q" and (value := request.argument(name)) is not None
    ]


def _title(request: PageRequest) -> str:
    """The title of the page: what is searched for, and the filters in force."""
    translate = request.translate
    parts = [f"“{typed}”"] if (typed := request.argument("q")) else []
    for name, value, _ in _in_force(request):
        parts.append(translate(f"filter.{name}") if name in FLAGS else f"{translate(f'filter.{name}')} {value}")
    return ", ".join(parts) or translate("articles.title")


EXPORTS = {"jsonl": as_json_lines, "csv": as_csv}

PAGES = (PageRoute("/", articles, "articles.html", stem="/articles", has_feed=True, files=EXPORTS),)
