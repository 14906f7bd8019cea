"""What a search index has not read of its archive yet: new and changed articles, in parts that fit into memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.log_end import LogEnd
from kzfeed.store.search.index import Lag
from kzfeed.store.transfer.article_log import LogMark
from kzfeed.store.value_batches import BODY_BATCH, in_batches

MAX_CHARACTERS = 10_000_000
"""The number of characters after which a transaction ends, even after few articles."""

_article, _change = tables.articles.c, tables.article_changes.c
_INDEXED = sa.select(_article.id, _article.title, _article.text, _article.published_at, _article.source_id)


def mark_of(state: sa.Row[Any]) -> LogMark:
    """The mark up to which an index in this state has read the log of articles."""
    return LogMark(state.article_id, state.url_hash, state.change_id, state.changed_article_id)


def highest_id(archive: sa.Connection) -> int:
    """The highest id of an article: about the number of articles."""
    return archive.execute(sa.select(sa.func.max(_article.id))).scalar() or 0


def lag_of(archive: sa.Connection, state: sa.Row[Any], *, is_shrinking: bool, has_old_functions: bool = False) -> Lag:
    """How far an index in this state is behind its archive."""
    changes = archive.execute(sa.select(sa.func.max(_change.id))).scalar() or 0
    after = sa.select(_article.first_seen_at).where(_article.id > state.article_id)
    since = archive.execute(after.order_by(_article.id).limit(1)).scalar()
    behind = highest_id(archive) - state.article_id + changes - state.change_id
    return Lag(behind, since, is_shrinking, has_old_functions)


def articles_after(archive: sa.Connection, after: int, end: LogEnd, most: int) -> Iterator[Sequence[Any]]:
    """The next articles by id up to the end of the log, in parts."""
    characters = 0
    while most > 0 and characters <= MAX_CHARACTERS:
        later = _INDEXED.where(_article.id > after, _article.id <= end.article_id)
        rows = archive.execute(later.order_by(_article.id).limit(min(most, BODY_BATCH))).all()
        if not rows:
            return
        yield rows
        after, most = rows[-1].id, most - len(rows)
        characters += sum(len(row.text) for row in rows)


def articles_of(archive: sa.Connection, ids: Iterable[int]) -> Iterator[Sequence[Any]]:
    """The articles with these ids that still exist, in parts."""
    for part in in_batches(ids, BODY_BATCH):
        if rows := archive.execute(_INDEXED.where(_article.id.in_(part))).all():
            yield rows
