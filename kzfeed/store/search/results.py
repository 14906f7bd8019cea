"""Results of searches, the same on both engines: the articles of the hits, with the snippets that people see."""

from array import array
from collections.abc import Sequence

import sqlalchemy as sa

from kzfeed.search.hits import ArticlePosition, SearchResult
from kzfeed.search.query import Query, check_sources
from kzfeed.search.relevance import relevance
from kzfeed.search.snippet import marked, snippet
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index, IndexQuery
from kzfeed.store.value_batches import BODY_BATCH, in_batches

RANKED = 500
"""How many of the newest articles that match are ranked by relevance."""
HITS_BATCH = 1_000
"""How many hits `every_hit_id` asks for at a time."""

_article, _source = tables.articles.c, tables.sources.c
_SHOWN = sa.select(
    *(_article.id, _article.url, _article.title, _article.text, _article.published_at),
    _source.name.label("source"),
).join_from(tables.articles, tables.sources, _article.source_id == _source.id)

_TEXTS = sa.select(_article.id, _article.title, _article.text)


def index_query(database: Database, query: Query) -> IndexQuery:
    """The query with the sources' ids. Raises UsageError if it names a source that the archive does not have."""
    ids: dict[str, int] = {}
    if query.sources or query.excluded_sources:
        with database.read() as connection:
            ids = {row.name: row.id for row in connection.execute(sa.select(_source.name, _source.id))}
        check_sources((*query.sources, *query.excluded_sources), ids)
    return IndexQuery(
        query.terms,
        query.excluded,
        tuple(ids[name] for name in query.sources),
        tuple(ids[name] for name in query.excluded_sources),
        query.since,
        query.until,
    )


def newest_hits(
    index: Index, sought: IndexQuery, after: ArticlePosition | None, limit: int
) -> Sequence[ArticlePosition]:
    """The positions of the first matching articles after one, the newest first, the undated last."""
    with index.search(sought, after, limit) as found:
        return found.hits


def newest_results(
    database: Database, index: Index, query: Query, after: ArticlePosition | None = None, *, limit: int
) -> list[SearchResult]:
    """The first articles after a position that match the query, the newest first, the undated last."""
    with index.search(index_query(database, query), after, limit) as found:
        return load_results(found.archive, query, found.hits)


def best_results(database: Database, index: Index, query: Query, *, limit: int) -> list[SearchResult]:
    """The articles that match best among the newest `RANKED` that match, the best first."""
    with index.search(index_query(database, query), None, RANKED) as (hits, archive):
        rows = archive.execute(_TEXTS.where(_article.id.in_([hit.article_id for hit in hits])))
        scores = {row.id: relevance(query, row.title, row.text) for row in rows}
        ranked = sorted(hits, key=lambda hit: scores.get(hit.article_id, 0.0), reverse=True)
        return load_results(archive, query, ranked[:limit])


def load_results(archive: sa.Connection, query: Query, hits: Sequence[ArticlePosition]) -> list[SearchResult]:
    """The articles of these hits, in this order."""
    by_id: dict[int, SearchResult] = {}
    keys = {hit.article_id: hit.key for hit in hits}
    for ids in in_batches(keys, BODY_BATCH):
        for row in archive.execute(_SHOWN.where(_article.id.in_(ids))):
            by_id[row.id] = SearchResult(
                url=row.url,
                title=marked(query, row.title),
                source=row.source,
                published_at=row.published_at,
                snippet=snippet(query, row.text),
                key=keys[row.id],
            )
    return [by_id[hit.article_id] for hit in hits if hit.article_id in by_id]


def every_hit_id(database: Database, index: Index, query: Query) -> Sequence[int]:
    """The ids of all articles that match, the oldest first, the undated last. Eight bytes of memory each."""
    sought = index_query(database, query)
    dated, undated = array("q"), array("q")
    after: ArticlePosition | None = None
    while hits := newest_hits(index, sought, after, HITS_BATCH):
        for hit in hits:
            (undated if hit.published_ms is None else dated).append(hit.article_id)
        after = hits[-1]
    dated.reverse()
    undated.reverse()
    return dated + undated
