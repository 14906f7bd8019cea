"""Filter of articles that the arguments of an address ask for, for the list, its feed and its exports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kzfeed.errors import UsageError
from kzfeed.instants import typed_instant
from kzfeed.search.hits import parse_key
from kzfeed.search.query import Query, check_sources, parse
from kzfeed.store.queries.article_list import FilteredSearch, PropertyFilter, listed, listed_hits
from kzfeed.store.queries.article_queries import Selection
from kzfeed.store.queries.source_list import has_source, source_names
from kzfeed.web.archive import Archive
from kzfeed.web.page import PageRequest

FLAGS = ("changed", "withdrawn", "undated")
FILTER_ARGUMENTS = ("q", "source", "since", "until", "language", "tag", *FLAGS)
"""The arguments that filter articles."""


@dataclass(frozen=True, slots=True)
class ArticleFilter:
    """Filter of articles by their properties, and by a search where `query` is given."""

    properties: PropertyFilter
    query: Query | None

    def first(self, request: PageRequest, after: str | None, limit: int) -> list[dict[str, Any]]:
        """The first articles after a key that pass the filter, with the columns of the view `article_list`."""
        archive, begin = request.archive, parse_key(after) if after else None
        if self.query is None:
            return listed(archive.database, self.properties, begin, limit)
        search = FilteredSearch(self.query, self.properties)
        return listed_hits(archive.database, archive.index, search, begin, limit)

    def unindexed(self, archive: Archive) -> int:
        """How many articles the search does not know yet; 0 without a search. Raises IndexUnusable."""
        return 0 if self.query is None else archive.index.lag().articles


def unindexed_header(unindexed: int) -> dict[str, str]:
    """The header that tells every reader, also of an export, that the search may have missed articles."""
    return {"Kzfeed-Unindexed": str(unindexed)} if unindexed else {}


def parse_filter(request: PageRequest) -> ArticleFilter:
    """The filter that the arguments of the request ask for. Raises UsageError."""
    source, typed = request.argument("source"), request.argument("q")
    if source and not has_source(request.archive.database, source):
        check_sources((source,), source_names(request.archive.database))
    selection = Selection(source, _instant(request, "since"), _instant(request, "until"))
    changed, withdrawn, undated = (request.argument(name) is not None for name in FLAGS)
    if undated and (selection.since or selection.until):
        raise UsageError("an article without a date is in no period: leave out the dates, or `undated`")
    tag, language = request.argument("tag"), request.argument("language")
    properties = PropertyFilter(selection, changed, withdrawn, undated, tag, language)
    return ArticleFilter(properties, parse(typed) if typed else None)


def _instant(request: PageRequest, name: str) -> datetime | None:
    typed = request.argument(name)
    try:
        return typed_instant(typed) if typed else None
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
