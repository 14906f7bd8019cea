"""Queries for stored articles and their versions."""

import re
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from kzfeed.article import url
from kzfeed.errors import UsageError
from kzfeed.instants import check_period
from kzfeed.model.articles import StoredArticle, StoredVersion, VersionHead
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.integrity.damage import is_damage, read_around, row_ids

_Version = TypeVar("_Version", bound=StoredVersion | VersionHead)

STREAM_SIZE = 200
"""The most articles in memory at a time while they are streamed."""

_article, _source = tables.articles.c, tables.sources.c
_OWN_COLUMNS = [_article[each.name] for each in fields(StoredArticle) if each.name != "source"]
_COLUMNS = [
    _source.name.label(each.name) if each.name == "source" else _article[each.name] for each in fields(StoredArticle)
]
_STORED = sa.select(*_COLUMNS).join_from(tables.articles, tables.sources, _article.source_id == _source.id)


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of articles: those that `source` had first, published at `since` or later and before `until`.

    `since` and `until` exclude articles without a publication date. `ids` are the articles that a search found, in the
    order of an export: it took the other conditions into account already.
    """

    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[int] | None = None

    def __post_init__(self) -> None:
        check_period(self.since, self.until)

    def of(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The query, restricted to the selection."""
        if self.source:
            query = query.where(_source.name == self.source)
        if self.since:
            query = query.where(_article.published_at >= self.since)
        if self.until:
            query = query.where(_article.published_at < self.until)
        return query

    def includes(self, article: StoredArticle) -> bool:
        """Whether the article is selected."""
        published = article.published_at
        return (
            (self.source is None or article.source == self.source)
            and (self.since is None or (published is not None and published >= self.since))
            and (self.until is None or (published is not None and published < self.until))
        )


def stream(
    database: Database, selection: Selection = Selection(), on_unreadable: Callable[[int], None] | None = None
) -> Iterator[StoredArticle]:
    """The selected articles ordered by publication, the undated last, as of one moment, a few in memory at a time.

    `on_unreadable` is called with the id of each article on a damaged page of an SQLite file. The other articles
    follow; if an index is damaged, in order of their ids. Without it, damage raises DatabaseError.
    """
    with database.read() as connection:
        yield from stream_on(connection, selection, on_unreadable)


def stream_on(
    connection: sa.Connection, selection: Selection, on_unreadable: Callable[[int], None] | None = None
) -> Iterator[StoredArticle]:
    """What `stream` gives, on a connection that the caller uses for more queries of the same moment."""
    if on_unreadable is None:
        yield from _stream(connection, selection)
        return
    seen = array("q")  # eight bytes each: there may be millions
    found = None if selection.ids is None else frozenset(selection.ids)
    try:
        for article in _stream(connection, selection):
            seen.append(article.id)
            yield article
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
    else:
        return
    for article in _stream_around_damage(connection, frozenset(seen), on_unreadable):
        if selection.includes(article) and (found is None or article.id in found):
            yield article


def _stream(connection: sa.Connection, selection: Selection) -> Iterator[StoredArticle]:
    for part in _id_parts(connection, selection):
        found = {row.id: row for row in connection.execute(_STORED.where(_article.id.in_(part)))}
        for article_id in part:
            if selection.ids is None or article_id in found:  # one that a search found may be deleted
                yield StoredArticle(*found.pop(article_id))


def _id_parts(connection: sa.Connection, selection: Selection) -> Iterator[Sequence[int]]:
    """The ids of the selected articles in their order, `STREAM_SIZE` at a time."""
    if selection.ids is not None:
        for start in range(0, len(selection.ids), STREAM_SIZE):
            yield list(selection.ids[start : start + STREAM_SIZE])
        return
    # The order of the ids first: with the bodies beside them, the database would sort all undated articles with bodies.
    ids = sa.select(_article.id).join_from(tables.articles, tables.sources, _article.source_id == _source.id)
    query = selection.of(ids).order_by(_article.published_at, _article.url_hash)
    in_parts: dict[str, Any] = {"stream_results": True, "yield_per": STREAM_SIZE}
    # Two queries, because the index on published_at gives this order.
    for is_in_part in (_article.published_at.is_not(None), _article.published_at.is_(None)):
        selected = connection.execute(query.where(is_in_part), execution_options=in_parts)
        yield from selected.scalars().partitions()


def _stream_around_damage(
    connection: sa.Connection, seen: Collection[int], on_unreadable: Callable[[int], None]
) -> Iterator[StoredArticle]:
    """The articles that can be read, except those seen already, ordered by id."""
    names = dict(_readable_sources(connection))

    def read(ids: Sequence[int]) -> dict[int, StoredArticle]:
        query = sa.select(*_OWN_COLUMNS, _article.source_id).where(_article.id.in_(ids))
        articles = {}
        for row in connection.execute(query):
            values = dict(row._mapping)
            source_id = values.pop("source_id")
            articles[row.id] = StoredArticle(source=names.get(source_id, f"unknown-source-{source_id}"), **values)
        return articles

    ids = [each for each in row_ids(connection, "articles") if each not in seen]
    for start in range(0, len(ids), STREAM_SIZE):
        yield from read_around(read, ids[start : start + STREAM_SIZE], on_unreadable)


def _readable_sources(connection: sa.Connection) -> Iterator[tuple[int, str]]:
    """The ids and names of the sources that can be read."""

    def read(ids: Sequence[int]) -> dict[int, tuple[int, str]]:
        query = sa.select(_source.id, _source.name).where(_source.id.in_(ids))
        return {row.id: (row.id, row.name) for row in connection.execute(query)}

    return read_around(read, row_ids(connection, "sources"), lambda _id: None)


def count(database: Database, selection: Selection) -> int:
    """The number of selected articles."""
    if selection.ids is not None:
        return len(selection.ids)
    query = sa.select(sa.func.count()).join_from(tables.articles, tables.sources, _article.source_id == _source.id)
    with database.read() as connection:
        try:
            return int(connection.execute(selection.of(query)).scalar_one())
        except sa.exc.DBAPIError as error:
            if not is_damage(error):
                raise
            return len(row_ids(connection, "articles"))


def find(database: Database, reference: str) -> StoredArticle:
    """The article with this URL, this url_hash (or at least its first 8 digits), or this id.

    Raises UsageError if there is none, or more than one.
    """
    with database.read() as connection:
        found = connection.execute(_STORED.where(_refers(reference.strip())).limit(2)).all()
    if not found:
        raise UsageError(f"no article {reference!r} in the archive: give its URL, its url_hash or its id")
    if len(found) > 1:
        raise UsageError(f"{reference!r} is the beginning of more than one url_hash: give more of it")
    return StoredArticle(*found[0])


def _refers(reference: str) -> sa.ColumnElement[bool]:
    if url.URL_HASH.fullmatch(reference):
        return _article.url_hash == reference
    if re.fullmatch(r"[0-9]{1,15}", reference):
        is_id = _article.id == int(reference)
        return sa.or_(is_id, _begins_with(reference)) if len(reference) >= 8 else is_id
    if re.fullmatch(r"[0-9a-f]{8,63}", reference):
        return _begins_with(reference)
    return _article.url_hash == url.url_hash(url.href(reference) or reference)


def _begins_with(digits: str) -> sa.ColumnElement[bool]:
    # A range instead of LIKE, so that both engines use the unique index.
    return sa.and_(_article.url_hash >= digits, _article.url_hash < digits + "g")


def versions(database: Database, article_id: int, revisions: Collection[int] | None = None) -> list[StoredVersion]:
    """All versions of an article, or those with these numbers, the oldest first."""
    return _versions(database, article_id, StoredVersion, revisions)


def version_heads(database: Database, article_id: int) -> list[VersionHead]:
    """What is known of all versions of an article beside their texts, the oldest first."""
    return _versions(database, article_id, VersionHead, None)


def _versions(
    database: Database, article_id: int, kind: type[_Version], revisions: Collection[int] | None
) -> list[_Version]:
    older = tables.revisions.c
    names: list[str] = [each.name for each in fields(kind) if each.name not in ("seen_at", "source")]
    columns = (*(older[name] for name in names), older.seen_at, older.source_id)
    newest = (
        *(_article[name] for name in names),
        _article.revision_seen_at.label("seen_at"),
        _article.revision_source_id.label("source_id"),
    )
    every = sa.union_all(
        sa.select(*columns).where(older.article_id == article_id), sa.select(*newest).where(_article.id == article_id)
    ).subquery()
    query = sa.select(*(each for each in every.c if each.name != "source_id"), _source.name.label("source"))
    joined = query.join_from(every, tables.sources, every.c.source_id == _source.id).order_by(every.c.revision)
    if revisions is not None:
        joined = joined.where(every.c.revision.in_(revisions))
    with database.read() as connection:
        return [kind(**row._mapping) for row in connection.execute(joined)]


def article_rows(database: Database, article_id: int) -> dict[str, list[dict[str, Any]]]:
    """The rows that belong to an article: its `tags`, `media` and `sightings`, the last with the source's name."""
    tag, media, sighting = tables.tags.c, tables.media.c, tables.sightings.c
    queries = {
        "tags": sa.select(tag.tag).where(tag.article_id == article_id).order_by(tag.id),
        "media": sa.select(
            *(media.kind, media.url, media.proxy_url, media.mime_type, media.size_bytes, media.duration_seconds)
        )
        .where(media.article_id == article_id)
        .order_by(media.id),
        "sightings": sa.select(
            *(_source.name.label("source"), sighting.guid, sighting.first_seen_at, sighting.last_seen_at),
            *(sighting.withdrawn_at, sighting.revision),
        )
        .join_from(tables.sightings, tables.sources, sighting.source_id == _source.id)
        .where(sighting.article_id == article_id)
        .order_by(sighting.first_seen_at, _source.name),
    }
    with database.read() as connection:
        return {name: [dict(row._mapping) for row in connection.execute(query)] for name, query in queries.items()}
