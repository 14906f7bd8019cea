"""Records: all that the database holds of an article or a source, with sources by name instead of ids.

An export writes them, `restore` inserts them. The columns come from the schema, so that a new one is exported too.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa

from kzfeed.model.articles import StoredArticle
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.integrity.damage import is_damage
from kzfeed.store.queries.article_queries import STREAM_SIZE, Selection, stream_on

Values = dict[str, Any]
"""Values by column; `source` and `revision_source` are names where the table has ids."""

TEXTS = ("title", "content", "text")
"""Columns of articles and revisions whose values archive files hold, or that are derived from them."""

_SOURCE_COLUMNS = ("name", "title", "url", "configured_url", "site_url")
"""The columns that describe the source itself, without its configuration and its state of polling."""

_source = tables.sources.c


BELONGING = {
    table.name: table
    for table in tables.metadata.sorted_tables
    if "article_id" in table.c and table not in (tables.revisions, tables.article_changes, tables.page_fetches)
}
"""The tables whose rows belong to articles, except older versions, and what is still to be done with articles."""


@dataclass(frozen=True, slots=True)
class ArticleRecord:
    """An article: its row, its older versions (the first one first), and the rows of other tables that belong to it."""

    article: Values
    versions: tuple[Values, ...]
    belonging: Mapping[str, tuple[Values, ...]]
    """By table."""
    ids: Mapping[str, int] = field(default_factory=dict)
    """The columns of its row that hold ids, which mean something in this database only."""

    def with_sources(self) -> Iterator[Values]:
        """All rows that name a source, except the article's own."""
        yield from self.versions
        for name, rows in self.belonging.items():
            if "source" in record_columns(BELONGING[name]):
                yield from rows


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A source: its row, its addresses and its gaps."""

    source: Values
    addresses: tuple[Values, ...]
    gaps: tuple[Values, ...]


@cache
def record_columns(table: sa.Table) -> dict[str, sa.Column[Any]]:
    """The columns of a table that records hold, by their names in records."""
    if table is tables.sources:
        return {name: _source[name] for name in _SOURCE_COLUMNS}
    is_left_out = {"id", "article_id"} | ({"source_id"} if table in (tables.gaps, tables.source_addresses) else set())
    return {
        column.name.removesuffix("_id") if column.foreign_keys else column.name: column
        for column in table.c
        if column.name not in is_left_out
    }


@cache
def article_columns() -> tuple[str, ...]:
    """The columns of a whole article in an export: those of `articles`, with the names of sources beside their ids."""
    names: list[str] = []
    for column in tables.articles.c:
        names += [column.name.removesuffix("_id"), column.name] if column.foreign_keys else [column.name]
    return tuple(names)


def whole_row(article: StoredArticle, record: ArticleRecord) -> Values:
    """The values of `article_columns`, of an article and its record. What cannot be read is None."""
    values = {"id": article.id, **{name: getattr(article, name) for name in TEXTS}, **record.article, **record.ids}
    return {name: values.get(name) for name in article_columns()}


def stream_records(
    database: Database,
    selection: Selection,
    on_unreadable: Callable[[int], None],
    *,
    versions: bool,
    sources: bool = True,
) -> Iterator[tuple[StoredArticle, ArticleRecord, list[SourceRecord]]]:
    """The selected articles in the order of `article_queries.stream`, each with its record, as of one moment.

    The record of a source comes once: with an article that mentions it, or with one read together with that article. If
    all articles are selected, the sources without articles come with the first one. Without `versions`, older versions
    are left out; without `sources`, the records of sources, whose addresses may be secret. `on_unreadable` is called
    with the id of each article of which something is on a damaged page.
    """
    described: set[str] = set()
    with database.read() as connection:
        names = _source_names(connection)
        for number, batch in enumerate(_batches(stream_on(connection, selection, on_unreadable))):
            records = _records(connection, batch, names, on_unreadable, versions=versions)
            mentioned = {name for record in records.values() for name in _mentioned(record)}
            if number == 0 and selection == Selection():
                mentioned |= _without_articles(connection)
            described_now = _source_records(connection, mentioned - described) if sources else []
            described |= mentioned
            for article in batch:
                yield article, records[article.id], described_now
                described_now = []


def _batches(articles: Iterator[StoredArticle]) -> Iterator[list[StoredArticle]]:
    batch: list[StoredArticle] = []
    for article in articles:
        batch.append(article)
        if len(batch) == STREAM_SIZE:
            yield batch
            batch = []
    if batch:
        yield batch


def _source_names(connection: sa.Connection) -> dict[int, str]:
    try:
        return {row.id: row.name for row in connection.execute(sa.select(_source.id, _source.name))}
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        return {}


def _mentioned(record: ArticleRecord) -> Iterator[str]:
    yield from (record.article["source"], record.article["revision_source"])
    yield from (values["source"] for values in record.with_sources())


def _records(
    connection: sa.Connection,
    articles: Sequence[StoredArticle],
    names: Mapping[int, str],
    on_unreadable: Callable[[int], None],
    *,
    versions: bool,
) -> dict[int, ArticleRecord]:
    """The records of these articles by id. What cannot be read of an article is empty, and its id is reported."""
    ids = [article.id for article in articles]
    try:
        return _read_records(connection, ids, names, versions=versions)
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
    if len(articles) > 1:
        half = len(articles) // 2
        return {
            article_id: record
            for part in (articles[:half], articles[half:])
            for article_id, record in _records(connection, part, names, on_unreadable, versions=versions).items()
        }
    (article,) = articles
    on_unreadable(article.id)
    row = {name: getattr(article, name, None) for name in record_columns(tables.articles) if name not in TEXTS}
    row |= {"revision": 1, "revision_seen_at": article.first_seen_at, "revision_source": article.source}
    return {article.id: ArticleRecord(row, (), {})}


def whole_records(connection: sa.Connection, ids: Sequence[int]) -> dict[int, ArticleRecord]:
    """The records of these articles by id, with the texts of all versions."""
    return _read_records(connection, ids, _source_names(connection), versions=True, left_out=())


def _read_records(
    connection: sa.Connection,
    ids: Sequence[int],
    names: Mapping[int, str],
    *,
    versions: bool,
    left_out: Collection[str] = TEXTS,
) -> dict[int, ArticleRecord]:
    """The records of these articles by id, without the columns `left_out` of `articles`."""
    own_ids: dict[int, dict[str, int]] = {}

    def rows(table: sa.Table, key: str, left_out: Collection[str] = ()) -> dict[int, list[Values]]:
        columns = {name: column for name, column in record_columns(table).items() if name not in left_out}
        references = {name: column.name for name, column in columns.items() if column.foreign_keys}
        query = sa.select(table.c[key], *columns.values())
        found: dict[int, list[Values]] = {}
        for article_id, *cells in connection.execute(query.where(table.c[key].in_(ids)).order_by(*table.primary_key)):
            values = dict(zip(columns, cells, strict=True))
            if table is tables.articles:
                own_ids[article_id] = {"id": article_id, **{own: values[name] for name, own in references.items()}}
            for name in references:
                values[name] = names.get(values[name], f"unknown-source-{values[name]}")
            found.setdefault(article_id, []).append(values)
        return found

    articles = rows(tables.articles, "id", left_out)
    older = rows(tables.revisions, "article_id") if versions else {}
    belonging = {name: rows(table, "article_id") for name, table in BELONGING.items()}
    return {
        article_id: ArticleRecord(
            articles[article_id][0],
            tuple(older.get(article_id, ())),
            {name: _in_order(BELONGING[name], found.get(article_id, ())) for name, found in belonging.items()},
            own_ids[article_id],
        )
        for article_id in ids
    }


def key_of_row(table: sa.Table) -> tuple[str, ...]:
    """The columns of a record that tell the rows of one article apart; none where the table numbers its rows."""
    return tuple(name for name, column in record_columns(table).items() if column.primary_key)


def row_of(table: sa.Table, values: Values, source_ids: Mapping[str, int]) -> Values:
    """The row that the values of a record become, given the ids of sources by name."""
    return {
        column.name: source_ids[values[name]] if column.foreign_keys else values[name]
        for name, column in record_columns(table).items()
    }


def _in_order(table: sa.Table, rows: Sequence[Values]) -> tuple[Values, ...]:
    """The rows in the same order in every database: by names of sources, not by their ids."""
    key = key_of_row(table)
    return tuple(sorted(rows, key=lambda values: [values[name] for name in key]))


def _without_articles(connection: sa.Connection) -> set[str]:
    sighted = sa.exists().where(tables.sightings.c.source_id == _source.id)
    try:
        return set(connection.execute(sa.select(_source.name).where(~sighted)).scalars())
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        return set()


def _source_records(connection: sa.Connection, names: Collection[str]) -> list[SourceRecord]:
    """The records of these sources, ordered by name. What is on damaged pages is left out."""
    if not names:
        return []
    try:
        columns = record_columns(tables.sources)
        query = sa.select(_source.id.label("source_id"), *columns.values()).where(_source.name.in_(sorted(names)))
        found = connection.execute(query.order_by(_source.name)).all()
        ids = [row.source_id for row in found]
        addresses = _rows_of_sources(connection, tables.source_addresses, ids)
        gaps = _rows_of_sources(connection, tables.gaps, ids)
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        return []
    return [
        SourceRecord(
            {name: row._mapping[name] for name in columns},
            tuple(addresses.get(row.source_id, ())),
            tuple(gaps.get(row.source_id, ())),
        )
        for row in found
    ]


def _rows_of_sources(connection: sa.Connection, table: sa.Table, ids: Sequence[int]) -> dict[int, list[Values]]:
    columns = record_columns(table)
    query = sa.select(table.c.source_id.label("key"), *columns.values()).where(table.c.source_id.in_(ids))
    found: dict[int, list[Values]] = {}
    for row in connection.execute(query.order_by(table.c.id)):
        found.setdefault(row.key, []).append({name: row._mapping[name] for name in columns})
    return found
