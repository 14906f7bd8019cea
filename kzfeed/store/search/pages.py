"""Pages of hits, the same on both engines: articles as people see them, with their snippets."""

from array import array
from collections.abc import Sequence
from contextlib import closing

import sqlalchemy as sa

from kzfeed.search.hits import Found, Hit
from kzfeed.search.query import Query, check_sources
from kzfeed.search.relevance import relevance
from kzfeed.search.snippet import marked, snippet
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index, IndexQuery
from kzfeed.store.search.postgresql_index import PostgresqlIndex
from kzfeed.store.search.sqlite_index import SqliteIndex
from kzfeed.store.value_batches import BODY_BATCH, in_batches

RANKED = 500
"""How many of the newest articles that match are ranked by relevance."""
EVERY_HIT_PAGE = 1_000
"""How many hits `every_hit` asks for at a time."""

_article, _source = tables.articles.c, tables.sources.c
_PAGE = sa.select(
    *(_article.id, _article.url, _article.title, _article.text, _article.published_at),
    _source.name.label("source"),
).join_from(tables.articles, tables.sources, _article.source_id == _source.id)

_TEXTS = sa.select(_article.id, _article.title, _article.text)


def open_index(database: Database) -> closing[Index]:
    """The search index of an archive, closed at the end of the block. Raises DatabaseError if it can have none."""
    return closing(PostgresqlIndex(database) if database.dialect == "postgresql" else SqliteIndex(database))


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


def page(database: Database, index: Index, query: Query, after: Hit | None = None, *, limit: int) -> list[Found]:
    """The first articles after a hit that match the query, the newest first, the undated last."""
    return found(database, query, index.newest(index_query(database, query), after, limit))


def best(database: Database, index: Index, query: Query, *, limit: int) -> list[Found]:
    """The articles that match best among the newest `RANKED` that match, the best first."""
    hits = index.newest(index_query(database, query), None, RANKED)
    with database.read() as connection:
        rows = connection.execute(_TEXTS.where(_article.id.in_([hit.article_id for hit in hits])))
        scores = {row.id: relevance(query, row.title, row.text) for row in rows}
    ranked = sorted(hits, key=lambda hit: scores.get(hit.article_id, 0.0), reverse=True)
    return found(database, query, ranked[:limit])


def found(database: Database, query: Query, hits: Sequence[Hit]) -> list[Found]:
    """The articles of these hits, in this order."""
    by_id: dict[int, Found] = {}
    keys = {hit.article_id: hit.key for hit in hits}
    with database.read() as connection:
        for ids in in_batches(keys, BODY_BATCH):
            for row in connection.execute(_PAGE.where(_article.id.in_(ids))):
                by_id[row.id] = Found(
                    url=row.url,
                    title=marked(query, row.title),
                    source=row.source,
                    published_at=row.published_at,
                    snippet=snippet(query, row.text),
                    key=keys[row.id],
                )
    return [by_id[hit.article_id] for hit in hits if hit.article_id in by_id]


def every_hit(database: Database, index: Index, query: Query) -> Sequence[int]:
    """The ids of all articles that match, the oldest first, the undated last. Eight bytes of memory each."""
    sought = index_query(database, query)
    dated, undated = array("q"), array("q")
    after: Hit | None = None
    while hits := index.newest(sought, after, EVERY_HIT_PAGE):
        for hit in hits:
            (undated if hit.published_ms is None else dated).append(hit.article_id)
        after = hits[-1]
    dated.reverse()
    undated.reverse()
    return dated + undated
