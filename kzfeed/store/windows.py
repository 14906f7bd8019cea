"""The windows of a source: what its last document showed, what it took back, and what fell between two of them."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from kzfeed.model import Gap, Shown, Source
from kzfeed.store import tables
from kzfeed.store.engine import Database

_sighting = tables.sightings.c


def last_window(database: Database, source: Source) -> list[Shown]:
    """The articles in the last document of the source that was read; none before the first.

    None either where another poll has stored a document since `source` was read: that says nothing of this one.
    """
    if source.last_document_at is None:
        return []
    article = tables.articles.c
    query = (
        sa.select(article.url_hash, article.published_at)
        .join_from(tables.sightings, tables.articles, _sighting.article_id == article.id)
        .join(tables.sources, tables.sources.c.id == _sighting.source_id)
        .where(
            _sighting.source_id == source.id,
            _sighting.last_seen_at == source.last_document_at,
            tables.sources.c.last_document_at == source.last_document_at,
        )
    )
    with database.read() as connection:
        return [Shown(row.url_hash, row.published_at) for row in connection.execute(query)]


def mark_withdrawn(connection: sa.Connection, source_id: int, url_hashes: Collection[str], now: datetime) -> None:
    """Write down that the source took these articles back. A later sighting clears it."""
    article = tables.articles.c
    ids = sa.select(article.id).where(article.url_hash.in_(sorted(url_hashes)))
    connection.execute(
        sa.update(tables.sightings)
        .where(_sighting.source_id == source_id, _sighting.article_id.in_(ids))
        .values(withdrawn_at=now)
    )


def record_gap(connection: sa.Connection, source_id: int, gap: Gap, now: datetime) -> None:
    """Write down that articles of this stretch were probably missed."""
    values = {"source_id": source_id, "from_at": gap.from_at, "to_at": gap.to_at, "noticed_at": now}
    connection.execute(sa.insert(tables.gaps).values(values))
