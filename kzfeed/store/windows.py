"""Windows of sources: the articles in their last documents, withdrawn articles, and gaps between two windows."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.model import Gap, Source, WindowEntry
from kzfeed.store import tables
from kzfeed.store.engine import Database

_article, _sighting, _source = tables.articles.c, tables.sightings.c, tables.sources.c


def select_last_window(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Selects these columns of the articles that sources showed in their last documents."""
    is_in_last_document = sa.and_(_sighting.source_id == _source.id, _sighting.last_seen_at == _source.last_document_at)
    joined = sa.select(*columns).join_from(tables.sources, tables.sightings, is_in_last_document)
    return joined.join(tables.articles, _article.id == _sighting.article_id)


def last_windows(database: Database, sources: Sequence[Source]) -> list[list[WindowEntry]]:
    """The window of each source, in the order of `sources`: the articles in its last document.

    A window is empty before the first document, and if another poll has stored a newer document since the source was
    loaded.
    """
    ids = sorted({source.id for source in sources if source.last_document_at})
    windows: dict[tuple[int, datetime | None], list[WindowEntry]] = {}
    if ids:
        query = select_last_window(_source.id, _source.last_document_at, _article.url_hash, _article.published_at)
        with database.read() as connection:
            for row in connection.execute(query.where(_source.id.in_(ids))):
                shown = WindowEntry(row.url_hash, row.published_at)
                windows.setdefault((row.id, row.last_document_at), []).append(shown)
    return [windows.get((source.id, source.last_document_at), []) for source in sources]


def mark_withdrawn(connection: sa.Connection, source_id: int, url_hashes: Collection[str], now: datetime) -> None:
    """Record that the source no longer shows these articles. A later sighting clears the mark."""
    if not url_hashes:
        return
    ids = sa.select(_article.id).where(_article.url_hash.in_(sorted(url_hashes)))
    connection.execute(
        sa.update(tables.sightings)
        .where(_sighting.source_id == source_id, _sighting.article_id.in_(ids))
        .values(withdrawn_at=now)
    )


def record_gaps(connection: sa.Connection, gaps: Sequence[tuple[int, Gap, datetime]]) -> None:
    """Record gaps, each given as the source's id, the gap, and when it was noticed."""
    rows = [
        {"source_id": source_id, "from_at": gap.from_at, "to_at": gap.to_at, "noticed_at": now}
        for source_id, gap, now in gaps
    ]
    if rows:
        connection.execute(sa.insert(tables.gaps), rows)
