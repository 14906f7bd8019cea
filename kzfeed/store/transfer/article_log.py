"""The log of an archive's articles: which of them are new or changed since a mark.

Search indexes and archive folders follow it. New articles have higher ids than all before, and the table
`article_changes` lists those that changed later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from kzfeed.model.articles import StoredArticle
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.log_end import LogEnd, log_end
from kzfeed.store.queries.article_queries import Selection, stream_on
from kzfeed.store.transfer.article_places import FormerPlaces, former_places

_article, _change = tables.articles.c, tables.article_changes.c
_MARKED = sa.select(
    sa.select(_article.url_hash).where(_article.id == sa.bindparam("article_id")).scalar_subquery(),
    sa.select(_change.article_id).where(_change.id == sa.bindparam("change_id")).scalar_subquery(),
)


@dataclass(frozen=True, slots=True)
class LogMark:
    """The place up to which a copy has read the log: the last article and the last change.

    `url_hash` and `changed_article_id` say which article each of them is, so that another archive is noticed.
    """

    article_id: int = 0
    url_hash: str | None = None
    change_id: int = 0
    changed_article_id: int | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """The next changes after a mark: how many, the articles among them that the mark covers, and the last one's id."""

    count: int
    article_ids: frozenset[int]
    last: int


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Articles that are new or changed, what is known of their former places (by id), and the mark after them."""

    articles: Sequence[StoredArticle]
    former: Mapping[int, FormerPlaces]
    mark: LogMark


def is_known(database: Database, mark: LogMark) -> bool:
    """Whether the archive has the last article and the last change of the mark."""
    with database.read() as connection:
        return has_mark(connection, mark)


def has_mark(connection: sa.Connection, mark: LogMark) -> bool:
    """Whether the archive of this connection has the last article and the last change of the mark."""
    return mark_at(connection, mark.article_id, mark.change_id) == mark


def archive_id(database: Database) -> str | None:
    """The identity of the archive, which its backups and rescues share; None if its row is lost."""
    with database.read() as connection:
        return connection.execute(sa.select(tables.archive_identity.c.id)).scalar()


def first_article(database: Database) -> str | None:
    """The url_hash of the archive's first article; None if it is empty."""
    with database.read() as connection:
        return connection.execute(sa.select(_article.url_hash).order_by(_article.id).limit(1)).scalar()


def mark_before_all(database: Database) -> LogMark:
    """The mark from which all articles count as new, each in its newest version."""
    with database.read() as connection:
        return mark_at(connection, 0, connection.execute(sa.select(sa.func.max(_change.id))).scalar() or 0)


def batch_after(database: Database, mark: LogMark, limit: int) -> LogBatch | None:
    """At most `limit` changed and `limit` new articles after the mark; None if there is nothing after it."""
    with database.read() as connection:
        end = log_end(connection)
    with database.read() as connection:
        ids, after = _ids_after(connection, mark, limit, end)
        if after == mark:
            return None
        return LogBatch(list(stream_on(connection, Selection(ids=ids))), former_places(connection, ids), after)


def mark_at(connection: sa.Connection, article_id: int, change_id: int) -> LogMark:
    """The mark at this article and this change."""
    found = connection.execute(_MARKED, {"article_id": article_id, "change_id": change_id}).one()
    return LogMark(article_id, found[0], change_id, found[1])


def changes_after(connection: sa.Connection, mark: LogMark, limit: int, end: LogEnd) -> Changes:
    """At most `limit` changes after the mark, up to the end. A changed article beyond the mark is read as a new one."""
    query = sa.select(_change.id, _change.article_id).where(_change.id > mark.change_id, _change.id <= end.change_id)
    rows = connection.execute(query.order_by(_change.id).limit(limit)).all()
    covered = frozenset(row.article_id for row in rows if row.article_id <= mark.article_id)
    return Changes(len(rows), covered, rows[-1].id if rows else mark.change_id)


def _ids_after(connection: sa.Connection, mark: LogMark, limit: int, end: LogEnd) -> tuple[Sequence[int], LogMark]:
    changes = changes_after(connection, mark, limit, end)
    later = sa.select(_article.id).where(_article.id > mark.article_id, _article.id <= end.article_id)
    new = connection.execute(later.order_by(_article.id).limit(limit)).scalars().all()
    if not changes.count and not new:
        return (), mark
    last_article = new[-1] if new else mark.article_id
    return sorted({*changes.article_ids, *new}), mark_at(connection, last_article, changes.last)
