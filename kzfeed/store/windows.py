"""Windows of sources: the articles in their last documents, withdrawn articles, and gaps between two windows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.article.build import entry_key
from kzfeed.model.articles import Gap, WindowEntry
from kzfeed.model.polls import Source
from kzfeed.store import tables
from kzfeed.store.engine import Database

_article, _sighting, _source = tables.articles.c, tables.sightings.c, tables.sources.c
_revision, _withdrawal, _filtered = tables.revisions.c, tables.withdrawals.c, tables.filtered_entries.c

_KEYS_AT_A_TIME = 1_000
# The text of an article's page says nothing of what the feed showed.
_SHOWN = sa.case((_article.content_from == "page", sa.null()), else_=_article.fingerprint)
_OF_WINDOW_ENTRY = (
    *(_article.url_hash, _article.published_at),
    *(_sighting.guid, _SHOWN, _sighting.first_seen_at),
    sa.true(),
)
_SELECT_FILTERED = sa.select(
    *(_source.id, _source.window_at, _filtered.url_hash, _filtered.published_at),
    *(_filtered.guid, _filtered.fingerprint, _filtered.first_seen_at, sa.false()),
).join_from(tables.sources, tables.filtered_entries, _filtered.source_id == _source.id)


def select_last_window(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Selects these columns of the articles in the last windows of sources.

    They were seen at `window_at` or again since then. Those that only a document cut off later showed are left out.
    """
    is_in_window = sa.and_(
        _sighting.source_id == _source.id,
        _sighting.last_seen_at >= _source.window_at,
        _sighting.first_seen_at <= _source.window_at,
    )
    joined = sa.select(*columns).join_from(tables.sources, tables.sightings, is_in_window)
    return joined.join(tables.articles, _article.id == _sighting.article_id)


def last_windows(database: Database, sources: Sequence[Source]) -> list[list[WindowEntry]]:
    """The window of each source, in the order of `sources`: the articles in its last document that had entries, also
    those that its filters left out.

    A window is empty before the first document, and if another poll has stored a newer document since the source was
    loaded.
    """
    ids = sorted({source.id for source in sources if source.window_at})
    windows: dict[tuple[int, datetime | None], list[WindowEntry]] = {}
    if ids:
        archived = select_last_window(_source.id, _source.window_at, *_OF_WINDOW_ENTRY)
        with database.read() as connection:
            for query in (archived, _SELECT_FILTERED):
                for source_id, window_at, *values in connection.execute(query.where(_source.id.in_(ids))):
                    windows.setdefault((source_id, window_at), []).append(WindowEntry(*values))
    return [windows.get((source.id, source.window_at), []) for source in sources]


def archived_keys(database: Database, source_id: int) -> frozenset[bytes]:
    """The `entry_key` of every entry that the source has shown, as it showed it last."""
    older = sa.and_(_revision.article_id == _article.id, _revision.revision == _sighting.revision)
    title = sa.func.coalesce(_revision.title, _article.title)
    query = (
        sa.select(_article.url_hash, _article.url, _sighting.guid, title)
        .join_from(tables.sightings, tables.articles, _article.id == _sighting.article_id)
        .outerjoin(tables.revisions, older)
        .where(_sighting.source_id == source_id)
    )
    with database.read() as connection:
        rows = connection.execute(query, execution_options={"yield_per": _KEYS_AT_A_TIME})
        return frozenset(entry_key(*row) for row in rows)


def record_filtered_entries(connection: sa.Connection, windows: Mapping[int, Sequence[WindowEntry]]) -> None:
    """Record which entries of the new windows of sources, by id, were filtered out, in place of those before."""
    if not windows:
        return
    connection.execute(sa.delete(tables.filtered_entries).where(_filtered.source_id.in_(sorted(windows))))
    names = [column.name for column in tables.filtered_entries.c if column.name != "source_id"]
    rows = [
        {"source_id": source_id} | {name: getattr(entry, name) for name in names}
        for source_id, entries in windows.items()
        for entry in entries
    ]
    if rows:
        connection.execute(sa.insert(tables.filtered_entries), rows)


_RECORD_WINDOW = (
    sa.update(tables.sightings)
    .where(
        _sighting.source_id == sa.bindparam("by_source_id"),
        _sighting.last_seen_at >= sa.bindparam("window_at", type_=tables.Instant()),
        _sighting.first_seen_at <= sa.bindparam("window_at", type_=tables.Instant()),
    )
    .values(last_seen_at=sa.bindparam("now", type_=tables.Instant()))
)


def record_unchanged_windows(connection: sa.Connection, unchanged: Sequence[tuple[Source, datetime]]) -> None:
    """Record that sources showed their last windows again, each at the time given with it."""
    rows = [{"by_source_id": source.id, "window_at": source.window_at, "now": now} for source, now in unchanged]
    if rows:
        connection.execute(_RECORD_WINDOW, rows)


_RECORD_ARTICLES = (
    sa.update(tables.articles)
    .where(
        _article.id.in_(
            sa.select(_sighting.article_id).where(
                _sighting.source_id == sa.bindparam("by_source_id"),
                _sighting.last_seen_at == sa.bindparam("now", type_=tables.Instant()),
            )
        ),
        _article.last_seen_at < sa.bindparam("now", type_=tables.Instant()),
    )
    .values(last_seen_at=sa.bindparam("now", type_=tables.Instant()))
)


def record_unchanged_articles(connection: sa.Connection, unchanged: Sequence[tuple[Source, datetime]]) -> None:
    """Record in `articles` too that sources showed their last windows again, after `record_unchanged_windows`.

    It writes the articles with their content anew, so that it is done once a day (docs/decisions/last-seen.md).
    """
    rows = [{"by_source_id": source.id, "now": now} for source, now in unchanged]
    if rows:
        connection.execute(_RECORD_ARTICLES, rows)


def begin_withdrawals(connection: sa.Connection, source_id: int, url_hashes: Collection[str], now: datetime) -> None:
    """Record that from now on the source no longer shows these articles, unless it shows them now in an edited form."""
    if not url_hashes:
        return
    withdrawn = sa.select(_sighting.article_id).join(tables.articles, _article.id == _sighting.article_id)
    withdrawn = withdrawn.where(_sighting.source_id == source_id, _article.url_hash.in_(sorted(url_hashes)))
    withdrawn = withdrawn.where(_sighting.last_seen_at < now)
    ids = connection.execute(withdrawn.where(_sighting.withdrawn_at.is_(None))).scalars().all()
    if not ids:
        return
    connection.execute(
        sa.update(tables.sightings)
        .where(_sighting.source_id == source_id, _sighting.article_id.in_(ids))
        .values(withdrawn_at=now)
    )
    rows = [{"article_id": article_id, "source_id": source_id, "from_at": now} for article_id in ids]
    connection.execute(sa.insert(tables.withdrawals), rows)


_is_shown_again = (
    sa.select(_sighting.article_id)
    .where(
        _sighting.article_id == _withdrawal.article_id,
        _sighting.source_id == _withdrawal.source_id,
        _sighting.withdrawn_at.is_(None),
    )
    # Not `IN`: for each withdrawal SQLite would list everything that the source ever showed.
    .exists()
)
_END_WITHDRAWALS = (
    sa.update(tables.withdrawals)
    .where(_withdrawal.source_id == sa.bindparam("by_source_id"), _withdrawal.to_at.is_(None), _is_shown_again)
    .values(to_at=sa.bindparam("now", type_=tables.Instant()))
)


def end_withdrawals(connection: sa.Connection, documents: Sequence[tuple[int, datetime]]) -> None:
    """Record that articles are back: those that sources, by id, showed again at the time given."""
    if documents:
        connection.execute(_END_WITHDRAWALS, [{"by_source_id": source_id, "now": now} for source_id, now in documents])


def record_gaps(connection: sa.Connection, gaps: Sequence[tuple[int, Gap, datetime]]) -> None:
    """Record gaps, each given as the source's id, the gap, and when it was noticed."""
    rows = [
        {"source_id": source_id, "from_at": gap.from_at, "to_at": gap.to_at, "noticed_at": now}
        for source_id, gap, now in gaps
    ]
    if rows:
        connection.execute(sa.insert(tables.gaps), rows)
