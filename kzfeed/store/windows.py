"""The windows of sources: what their last documents showed, what they took back, and what fell between two of them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.model import Gap, Shown, Source
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.statements import for_each_engine, rows

_article, _sighting, _source = tables.articles.c, tables.sightings.c, tables.sources.c


def among_last_shown(*columns: sa.ColumnElement[Any]) -> Mapping[str, Any]:
    """For each engine the statement for these columns of what the last documents of the sources `ids` showed."""
    return for_each_engine(
        lambda among: (
            sa.select(*columns)
            .join_from(
                tables.sources,
                tables.sightings,
                sa.and_(_sighting.source_id == _source.id, _sighting.last_seen_at == _source.last_document_at),
            )
            .join(tables.articles, _article.id == _sighting.article_id)
            .where(among(_source.id, "ids"))
        )
    )


_WINDOWS = among_last_shown(_source.id, _source.last_document_at, _article.url_hash, _article.published_at)


def last_windows(database: Database, sources: Sequence[Source]) -> list[list[Shown]]:
    """The articles in the last document of each source that was read; none before the first.

    None either where another poll has stored a document since the source was read: that says nothing of this one.
    """
    ids = sorted({source.id for source in sources if source.last_document_at})
    windows: dict[tuple[int, datetime | None], list[Shown]] = {}
    if ids:
        with database.read() as connection:
            for row in rows(connection, _WINDOWS, ids=ids):
                shown = Shown(row.url_hash, row.published_at)
                windows.setdefault((row.id, row.last_document_at), []).append(shown)
    return [windows.get((source.id, source.last_document_at), []) for source in sources]


def mark_withdrawn(connection: sa.Connection, source_id: int, url_hashes: Collection[str], now: datetime) -> None:
    """Write down that the source took these articles back. A later sighting clears it."""
    if not url_hashes:
        return
    ids = sa.select(_article.id).where(_article.url_hash.in_(sorted(url_hashes)))
    connection.execute(
        sa.update(tables.sightings)
        .where(_sighting.source_id == source_id, _sighting.article_id.in_(ids))
        .values(withdrawn_at=now)
    )


def record_gaps(connection: sa.Connection, gaps: Sequence[tuple[int, Gap, datetime]]) -> None:
    """Write down that articles of these stretches were probably missed: of which source, what, noticed when."""
    noticed = [
        {"source_id": source_id, "from_at": gap.from_at, "to_at": gap.to_at, "noticed_at": now}
        for source_id, gap, now in gaps
    ]
    if noticed:
        connection.execute(sa.insert(tables.gaps), noticed)
