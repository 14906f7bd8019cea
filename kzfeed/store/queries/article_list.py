"""Pages of `kzfeed list`: articles that a filter selects, the newest first, the undated last.

Every filter has an index, so that a page of a million articles takes as long as one of a thousand.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from kzfeed.article import url
from kzfeed.errors import StatementTimeout
from kzfeed.instants import instant_of, milliseconds
from kzfeed.search.hits import ArticlePosition
from kzfeed.search.match import matches
from kzfeed.search.query import Query, narrowed
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.only_reading import TOO_LONG
from kzfeed.store.queries.article_queries import Selection
from kzfeed.store.search.index import Index
from kzfeed.store.search.results import index_query, newest_hits
from kzfeed.store.value_batches import BODY_BATCH

_FEW = 10_000
"""The most articles with a tag, or withdrawn ones, that are sorted for each page."""
_FEW_TEXTS = 1_000
"""The most texts that are searched for each page without the index."""
_FIRST_HITS = 100
_MAX_HITS = 2_000
"""How many hits of a search are filtered together, at first and at most."""

_BEFORE_THE_UNDATED = ArticlePosition(None, 2**45 - 1)
"""The position before the first undated article."""

_article, _source, _tag, _sighting = tables.articles.c, tables.sources.c, tables.tags.c, tables.sightings.c
_LISTED = sa.select(
    *(_article.id, _article.url_hash, _source.name.label("source"), _article.title, _article.url),
    *(_article.published_at, _article.first_seen_at, _article.revision),
).join_from(tables.articles, tables.sources, _article.source_id == _source.id)


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """Filter of articles: those of a selection that have each of the properties that are given.

    `revised`: there are older versions. `withdrawn`: a source no longer shows the article. `undated`: the time of
    publication is unknown. `tag`: a category, as the feed writes it. `language`: what the feed names, such as `zh-CN`.
    """

    selection: Selection
    revised: bool = False
    withdrawn: bool = False
    undated: bool = False
    tag: str | None = None
    language: str | None = None

    @property
    def may_be_undated(self) -> bool:
        """Whether articles without a date pass the filter."""
        return self.selection.since is None and self.selection.until is None

    @property
    def has_properties(self) -> bool:
        """Whether the filter asks for properties, which no query of a search can do."""
        return self.without_selection != PropertyFilter(Selection())

    @property
    def without_selection(self) -> "PropertyFilter":
        """The filter for the same properties in the whole archive."""
        return replace(self, selection=Selection())

    def restrict(self, query: sa.Select[Any], connection: sa.Connection) -> sa.Select[Any]:
        """The query, restricted to the articles that pass the filter."""
        selection = self.selection
        if selection.source:
            # A subquery, not the name in the join: so the engines know that it is one source, and use its index.
            named = sa.select(_source.id).where(_source.name == selection.source).scalar_subquery()
            query = query.where(_article.source_id == named)
        query = replace(selection, source=None).of(query)
        if self.revised:
            # Written into the statement: for a parameter, the engines would not use the partial index.
            query = query.where(_article.revision > sa.literal_column("1"))
        if self.withdrawn:
            withdrawn = sa.select(_sighting.article_id).where(_sighting.withdrawn_at.is_not(None))
            query = query.where(_is_among(withdrawn, connection))
        if self.language is not None:
            query = query.where(_article.language == self.language, _IS_INDEXED_LANGUAGE)
        if self.tag is not None:
            tagged = sa.select(_tag.article_id).where(_tag.tag == self.tag)
            query = query.where(_is_among(tagged, connection))
        return query.where(_article.published_at.is_(None)) if self.undated else query


@dataclass(frozen=True, slots=True)
class FilteredSearch:
    """A search for articles that also pass a filter."""

    query: Query
    filter: PropertyFilter

    @property
    def narrowed_query(self) -> Query:
        """The query with the selection of the filter. Raises UsageError if the two ask for different sources."""
        selection = self.filter.selection
        return narrowed(self.query, selection.source, selection.since, selection.until)


def _is_among(ids: sa.Select[int], connection: sa.Connection) -> sa.ColumnElement[bool]:
    """Whether the query `ids` has the id of the article.

    A few ids are looked up, and their articles sorted. If there are many, SQLite would sort all of them for each page:
    then the articles are read in their order, and each one is checked.
    """
    counted = sa.select(sa.func.count()).select_from(ids.limit(_FEW + 1).subquery())
    if connection.execute(counted).scalar_one() <= _FEW:
        return _article.id.in_(ids)
    return ids.where(ids.selected_columns.article_id == _article.id).exists()


# The condition of the partial index, word for word: otherwise the engines would not use it.
_INDEXED = f"length(articles.language) <= {tables.MAX_LANGUAGE_LENGTH}"
_IS_INDEXED_LANGUAGE = sa.text(_INDEXED)
_LANGUAGES = f"""
WITH RECURSIVE languages (language) AS (
  SELECT min(language) FROM articles WHERE {_INDEXED}
  UNION ALL
  SELECT (SELECT min(language) FROM articles WHERE language > languages.language AND {_INDEXED})
  FROM languages WHERE languages.language IS NOT NULL
)
SELECT language FROM languages WHERE language IS NOT NULL LIMIT :limit
"""  # noqa: S608 - names of ours


def languages(database: Database, limit: int) -> list[str]:
    """The first languages that articles have, in order."""
    # DISTINCT would read the whole index: neither engine jumps from value to value by itself.
    with database.read() as connection:
        return list(connection.execute(sa.text(_LANGUAGES), {"limit": limit}).scalars())


def position_of(article: Mapping[str, Any]) -> ArticlePosition:
    """The position of an article in the list; its `key` is what a person gives to go on after it."""
    published_at = article["published_at"]
    return ArticlePosition(None if published_at is None else milliseconds(published_at), article["id"])


def sharing_address(database: Database, reference: str) -> list[dict[str, Any]]:
    """The articles with this URL, in the order in which they came, with the columns of `article_list`."""
    address = url.href(reference.strip())
    if address is None:
        return []
    with database.read() as connection:
        rows = connection.execute(_LISTED.where(_article.url == address).order_by(_article.id))
        return [dict(row._mapping) for row in rows]


def listed(
    database: Database, wanted: PropertyFilter, after: ArticlePosition | None, limit: int
) -> list[dict[str, Any]]:
    """The first articles after a position that the filter selects, with the columns of `article_list`."""
    newest = _article.published_at.desc(), _article.id.desc()
    articles: list[dict[str, Any]] = []
    with database.read() as connection:
        # Two queries, so that the index on published_at gives the order of the dated articles.
        if not wanted.undated and (after is None or after.published_ms is not None):
            dated = wanted.restrict(_LISTED, connection).where(_article.published_at.is_not(None))
            if after is not None and after.published_ms is not None:
                when = instant_of(after.published_ms)
                dated = dated.where(
                    _article.published_at <= when, sa.or_(_article.published_at < when, _article.id < after.article_id)
                )
            articles += (dict(row._mapping) for row in connection.execute(dated.order_by(*newest).limit(limit)))
        if wanted.may_be_undated and len(articles) < limit:
            undated = replace(wanted, undated=True).restrict(_LISTED, connection)
            if after is not None and after.published_ms is None:
                undated = undated.where(_article.id < after.article_id)
            rest = connection.execute(undated.order_by(_article.id.desc()).limit(limit - len(articles)))
            articles += (dict(row._mapping) for row in rest)
    return articles


def newest_dates(database: Database, wanted: PropertyFilter, limit: int) -> list[datetime]:
    """When the newest of the articles that the filter selects were published; those without a date are left out."""
    with database.read() as connection:
        dates = wanted.restrict(sa.select(_article.published_at), connection).where(_article.published_at.is_not(None))
        newest = dates.order_by(_article.published_at.desc(), _article.id.desc()).limit(limit)
        return list(connection.execute(newest).scalars())


def listed_hits(
    database: Database, index: Index, search: FilteredSearch, after: ArticlePosition | None, limit: int
) -> list[dict[str, Any]]:
    """What `listed` gives, but only the articles that a search finds.

    Raises UsageError if the search and its filter ask for different sources.
    """
    # With nothing to filter, each hit is shown: no more are needed.
    most = _FIRST_HITS if search.filter.has_properties else limit
    return list(islice(_hits(database, index, search, after, most), limit))


def newest_hit_dates(database: Database, index: Index, search: FilteredSearch, limit: int) -> list[datetime | None]:
    """What `newest_dates` gives, but only of the articles that a search finds; None for those without a date."""
    if search.filter.has_properties:
        return [row["published_at"] for row in listed_hits(database, index, search, None, limit)]
    # The hits have the dates themselves: no article need be read.
    hits = newest_hits(index, index_query(database, search.narrowed_query), None, limit)
    return [None if hit.published_ms is None else instant_of(hit.published_ms) for hit in hits]


def _hits(
    database: Database, index: Index, search: FilteredSearch, after: ArticlePosition | None, most: int
) -> Iterator[dict[str, Any]]:
    """All hits that pass the filter. The index is first asked for `most` of them, then for more at a time."""
    wanted, query = search.filter, search.narrowed_query
    sought = index_query(database, query)
    if _selects_few(database, wanted):
        yield from _hits_among_few(database, query, wanted, after)
        return
    if wanted.undated and after is None:
        after = _BEFORE_THE_UNDATED
    until = time.monotonic() + database.query_time_limit.total_seconds() if database.query_time_limit else float("inf")
    while hits := newest_hits(index, sought, after, most):
        with database.read() as connection:
            rows = connection.execute(
                wanted.restrict(_LISTED, connection).where(_article.id.in_([hit.article_id for hit in hits]))
            )
            by_id = {row.id: dict(row._mapping) for row in rows}
        yield from (by_id[hit.article_id] for hit in hits if hit.article_id in by_id)
        if len(hits) < most:
            return
        if time.monotonic() > until:
            raise StatementTimeout(TOO_LONG)
        after, most = hits[-1], min(2 * most, _MAX_HITS)


def _selects_few(database: Database, wanted: PropertyFilter) -> bool:
    """Whether few articles have the properties of the filter: most hits of a search would not pass it."""
    if not wanted.has_properties:
        return False
    with database.read() as connection:
        ids = wanted.without_selection.restrict(sa.select(_article.id), connection).limit(_FEW_TEXTS + 1).subquery()
        return connection.execute(sa.select(sa.func.count()).select_from(ids)).scalar_one() <= _FEW_TEXTS


def _hits_among_few(
    database: Database, query: Query, wanted: PropertyFilter, after: ArticlePosition | None
) -> Iterator[dict[str, Any]]:
    """The articles that pass the filter and match the query: each text is read, without the index."""
    wanted = replace(wanted, selection=Selection(since=query.since, until=query.until))
    while rows := listed(database, wanted, after, BODY_BATCH):
        with database.read() as connection:
            texts = sa.select(_article.id, _article.text).where(_article.id.in_([row["id"] for row in rows]))
            text_of = {row.id: row.text for row in connection.execute(texts)}
        for row in rows:
            is_of_source = not query.sources or row["source"] in query.sources
            is_excluded = row["source"] in query.excluded_sources
            if is_of_source and not is_excluded and matches(query, row["title"], text_of[row["id"]]):
                yield row
        if len(rows) < BODY_BATCH:
            return
        after = position_of(rows[-1])
