"""Pages of the list of changes: later versions of articles, those that kzfeed saw last first.

Indexes of both tables that hold versions give the order, so that a page costs the same in any archive.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from kzfeed.article.change_size import ChangeSize, change_size
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.list_keys import list_key, parse_list_key

MAX_EXAMINED = 150
"""The most versions that are compared for one page."""
MAX_COMPARED_LENGTH = 50_000
"""Characters of the longest text of which the size of a change is computed."""
_TOGETHER = 30
"""How many versions are in memory at a time."""

_article, _older, _source = tables.articles.c, tables.revisions.c, tables.sources.c
_FORMER = tables.revisions.alias("former")


@dataclass(frozen=True, slots=True, order=True)
class VersionPosition:
    """The position of a version in the list."""

    seen_at: datetime
    article_id: int
    revision: int

    @property
    def key(self) -> str:
        """The text from which `parse_version_key` makes this position again."""
        return list_key(self.seen_at, self.article_id, self.revision)


def parse_version_key(key: str) -> VersionPosition:
    """The position with this key. Raises UsageError if it is no key."""
    return VersionPosition(*parse_list_key(key, "version"))


@dataclass(frozen=True, slots=True)
class ListedChange:
    """A later version of an article: which source showed it when, its title and the one before, and how much changed.

    `size` is None if a text is longer than `MAX_COMPARED_LENGTH`, `former_title` if the version before is missing.
    """

    position: VersionPosition
    url_hash: str
    url: str | None
    source: str
    title: str
    former_title: str | None
    language: str | None
    published_at: datetime | None
    size: ChangeSize | None

    @property
    def is_title_changed(self) -> bool:
        return self.former_title is not None and self.title != self.former_title


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Some changes in their order, and the position after which the list goes on; None at its end.

    `examined_to` is the time of the last version that was looked at.
    """

    changes: Sequence[ListedChange]
    after: VersionPosition | None
    examined_to: datetime | None


def changes(database: Database, after: VersionPosition | None, limit: int, least: int = 0) -> ChangePage:
    """The next changes after a position, at most `limit`, of at least `least` characters; those of unknown size too.

    At most `MAX_EXAMINED` versions are looked at, so that a page may have fewer changes although more follow.
    """
    wanted = MAX_EXAMINED if least else limit
    found: list[ListedChange] = []
    position: VersionPosition | None = None
    with database.read() as connection:
        for change in islice(_changes(connection, after, wanted), wanted):
            position = change.position
            if change.size is None or change.size.total >= least:
                found.append(change)
            if len(found) == limit:
                break
        is_end = position is None or next(_positions(connection, position, 1), None) is None
    return ChangePage(found, None if is_end else position, None if position is None else position.seen_at)


def _changes(connection: sa.Connection, after: VersionPosition | None, limit: int) -> Iterator[ListedChange]:
    positions = _positions(connection, after, limit)
    while part := list(islice(positions, _TOGETHER)):
        ids = {position.article_id for position in part}
        read = {
            VersionPosition(row.seen_at, row.article_id, row.revision): row
            for query in (_NEWEST.where(_article.id.in_(ids)), _OLDER.where(_older.article_id.in_(ids)))
            for row in connection.execute(query)
        }
        yield from (_change(position, read[position]) for position in part)


def _positions(connection: sa.Connection, after: VersionPosition | None, limit: int) -> Iterator[VersionPosition]:
    """The next positions after this one, the newest first."""
    newest = sa.select(_article.revision_seen_at, _article.id, _article.revision)
    older = sa.select(_older.seen_at, _older.article_id, _older.revision)
    lists = [
        (VersionPosition(*row) for row in connection.execute(_next(query, after, limit))) for query in (newest, older)
    ]
    return heapq.merge(*lists, reverse=True)


def _next(query: sa.Select[Any], after: VersionPosition | None, limit: int) -> sa.Select[Any]:
    seen_at, article_id, revision = query.selected_columns
    # Written into the statement: for a parameter, the engines would not use the partial index.
    query = query.where(revision > sa.literal_column("1"))
    if after is not None:
        is_later_id = sa.or_(
            article_id < after.article_id, sa.and_(article_id == after.article_id, revision < after.revision)
        )
        query = query.where(seen_at <= after.seen_at, sa.or_(seen_at < after.seen_at, is_later_id))
    order = (seen_at, article_id) if seen_at is _article.revision_seen_at else (seen_at, article_id, revision)
    return query.order_by(*(column.desc() for column in order)).limit(limit)


def _with_former(
    table: sa.Table, article_id: sa.ColumnElement[int], columns: Sequence[sa.ColumnElement[Any]]
) -> sa.Select[Any]:
    """A query for versions, each with the one before it."""
    own, former = table.c, _FORMER.c
    texts = (_bounded(own.text).label("text"), _bounded(former.text).label("former_text"))
    return sa.select(
        *(own.revision, article_id.label("article_id"), *columns, own.title, former.title.label("former_title")),
        *(_article.url_hash, _article.url, _article.language, _source.name.label("source"), own.published_at, *texts),
    ).select_from(table)


def _bounded(text: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    return sa.case((sa.func.length(text) <= MAX_COMPARED_LENGTH, text))


_NEWEST = (
    _with_former(tables.articles, _article.id, [_article.revision_seen_at.label("seen_at")])
    .join(tables.sources, _source.id == _article.revision_source_id)
    .outerjoin(_FORMER, sa.and_(_FORMER.c.article_id == _article.id, _FORMER.c.revision == _article.revision - 1))
    .where(_article.revision > 1)
)
_OLDER = (
    _with_former(tables.revisions, _older.article_id, [_older.seen_at])
    .join(tables.articles, _article.id == _older.article_id)
    .join(tables.sources, _source.id == _older.source_id)
    .outerjoin(_FORMER, sa.and_(_FORMER.c.article_id == _older.article_id, _FORMER.c.revision == _older.revision - 1))
    .where(_older.revision > 1)
)


def _change(position: VersionPosition, row: Any) -> ListedChange:
    is_known = row.text is not None and row.former_text is not None
    size = change_size(f"{row.former_title}\n{row.former_text}", f"{row.title}\n{row.text}") if is_known else None
    return ListedChange(
        *(position, row.url_hash, row.url, row.source, row.title, row.former_title),
        *(row.language, row.published_at, size),
    )
