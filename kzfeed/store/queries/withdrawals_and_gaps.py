"""Pages of the lists of withdrawals and of gaps, the newest first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import UsageError
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.list_keys import list_key, parse_list_key

_article, _gap, _source, _withdrawal = tables.articles.c, tables.gaps.c, tables.sources.c, tables.withdrawals.c


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A time in which a source no longer showed an article, though it showed older ones.

    `to_at` is None while it lasts.
    """

    from_at: datetime
    to_at: datetime | None
    article_id: int
    source_id: int
    source: str
    url_hash: str
    url: str | None
    title: str
    language: str | None
    published_at: datetime | None

    @property
    def key(self) -> str:
        """The text that `withdrawals` takes to go on after this one."""
        return list_key(self.from_at, self.article_id, self.source_id)


@dataclass(frozen=True, slots=True)
class NoticedGap:
    """A time span that no document of a source covered, and when that was noticed."""

    id: int
    source: str
    from_at: datetime
    to_at: datetime
    noticed_at: datetime

    @property
    def key(self) -> str:
        """The text that `gaps` takes to go on after this one."""
        return str(self.id)


def withdrawals(database: Database, after: str | None, limit: int) -> Sequence[Withdrawal]:
    """The next withdrawals after the one with the key `after`. Raises UsageError if that is no key."""
    query = (
        sa.select(
            *(_withdrawal.from_at, _withdrawal.to_at, _withdrawal.article_id, _withdrawal.source_id),
            *(_source.name.label("source"), _article.url_hash, _article.url, _article.title, _article.language),
            _article.published_at,
        )
        .join_from(tables.withdrawals, tables.articles, _article.id == _withdrawal.article_id)
        .join(tables.sources, _source.id == _withdrawal.source_id)
    )
    columns = _withdrawal.from_at, _withdrawal.article_id, _withdrawal.source_id
    if after is not None:
        from_at, article_id, source_id = parse_list_key(after, "withdrawal")
        is_later_id = sa.or_(columns[1] < article_id, sa.and_(columns[1] == article_id, columns[2] < source_id))
        query = query.where(columns[0] <= from_at, sa.or_(columns[0] < from_at, is_later_id))
    return _read(database, query.order_by(*(column.desc() for column in columns)).limit(limit), Withdrawal)


def gaps(database: Database, after: str | None, limit: int) -> Sequence[NoticedGap]:
    """The next gaps after the one with the key `after`. Raises UsageError if that is no key."""
    query = _GAPS.order_by(_gap.id.desc()).limit(limit)
    if after is not None:
        if not re.fullmatch(r"\d{1,18}", after, re.ASCII):
            raise UsageError(f"{after!r} is not the key of a gap")
        query = query.where(_gap.id < int(after))
    return _read(database, query, NoticedGap)


def gaps_of_source(database: Database, source_id: int, since: datetime) -> Sequence[NoticedGap]:
    """The gaps of a source that end after `since`, the newest first."""
    query = _GAPS.where(_gap.source_id == source_id, _gap.to_at > since)
    return _read(database, query.order_by(_gap.from_at.desc(), _gap.id.desc()), NoticedGap)


_GAPS = sa.select(_gap.id, _source.name.label("source"), _gap.from_at, _gap.to_at, _gap.noticed_at).join_from(
    tables.gaps, tables.sources, _source.id == _gap.source_id
)


def _read(database: Database, query: sa.Select[Any], kind: Any) -> list[Any]:
    with database.read() as connection:
        return [kind(**row._mapping) for row in connection.execute(query)]
