"""Restore of exported records: rows are inserted as they were, with the ids of this database.

What the database has already stays, so that a restore can be repeated, also after it was killed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import sqlalchemy as sa

from kzfeed.article.build import fingerprint
from kzfeed.hosts import host_of
from kzfeed.store import tables
from kzfeed.store.day_counts import DayCounts
from kzfeed.store.engine import Database
from kzfeed.store.sources import ids_by_name
from kzfeed.store.transfer.merge import merged, write_merged
from kzfeed.store.transfer.records import (
    BELONGING,
    ArticleRecord,
    SourceRecord,
    Values,
    record_columns,
    row_of,
    whole_records,
)
from kzfeed.store.value_batches import BODY_BATCH, in_batches

_article, _revision = tables.articles.c, tables.revisions.c
_UNPOLLED: dict[str, Any] = {
    "enabled": False,
    "auto": False,
    "ask_in_full": False,
    "failure_count": 0,
    "moved_polls": 0,
}


Restored = Literal["new", "unchanged", "merged"]
"""Whether an article is new, is in the database in all its versions, or in others, to which versions were added."""


def restore_sources(database: Database, records: Sequence[SourceRecord]) -> None:
    """Insert the sources that the database does not have, with status `removed` until the operator configures them.

    A source that it has gets what it lacks: title and addresses, where it has none, and gaps. Raises DatabaseError.
    """
    source = tables.sources.c
    with database.write() as connection:
        names = [record.source["name"] for record in records]
        held = set(connection.execute(sa.select(source.name).where(source.name.in_(names))).scalars())
        for values in (record.source for record in records):
            if values["name"] in held:
                empty = {name: sa.func.coalesce(source[name], values[name]) for name in ("title", "site_url")}
                connection.execute(sa.update(tables.sources).where(source.name == values["name"]).values(empty))
            else:
                held.add(values["name"])
                # A source without URL is one that only backfill knows.
                state = {
                    "status": "removed" if values["url"] else "active",
                    "host": host_of(values["url"] or "") or None,
                }
                connection.execute(sa.insert(tables.sources), [values | _UNPOLLED | state])
        ids = ids_by_name(connection, names)
        for record in records:
            source_id = ids[record.source["name"]]
            _add_missing(connection, tables.source_addresses, source_id, record.addresses)
            _add_missing(connection, tables.gaps, source_id, record.gaps)


def _add_missing(connection: sa.Connection, table: sa.Table, source_id: int, rows: Iterable[Values]) -> None:
    columns = record_columns(table)
    query = sa.select(*columns.values()).where(table.c.source_id == source_id)
    held = {tuple(row) for row in connection.execute(query)}
    missing = [row for row in rows if tuple(row[name] for name in columns) not in held]
    if missing:
        connection.execute(sa.insert(table), [row | {"source_id": source_id} for row in missing])


def restore_articles(database: Database, records: Sequence[ArticleRecord]) -> list[Restored]:
    """Insert the articles that the database does not have, with all that belongs to them, in one transaction.

    Versions that it lacks are added to an article that it has. Returns for each, in order, what became of it. Older
    versions that the export left out leave no hole: those that are there are numbered from 1. Raises DatabaseError.
    """
    results: list[Restored] = []
    new: dict[str, ArticleRecord] = {}
    with database.write() as connection:
        held = _held_versions(connection, {record.article["url_hash"] for record in records})
        for record in records:
            url_hash = record.article["url_hash"]
            if url_hash not in held:
                new[url_hash] = _renumbered(record)
                held[url_hash] = _versions_of(record)
                results.append("new")
            else:
                results.append("unchanged" if _holds(held[url_hash], record) else "merged")
        _insert(connection, list(new.values()))
        _merge(connection, [record for record, result in zip(records, results, strict=True) if result == "merged"])
    return results


def _merge(connection: sa.Connection, records: Sequence[ArticleRecord]) -> None:
    """Add the versions of these records to the articles that the database holds, one after the other."""
    for record in records:
        url_hash = record.article["url_hash"]
        article_id = connection.execute(sa.select(_article.id).where(_article.url_hash == url_hash)).scalar_one()
        before = whole_records(connection, [article_id])[article_id]
        after = merged(before, _renumbered(record))
        source_ids = _source_ids(connection, [after])
        write_merged(connection, article_id, before, after, source_ids)
        day_counts = DayCounts()
        _count_days(day_counts, before, source_ids, -1)
        _count_days(day_counts, after, source_ids)
        day_counts.write(connection)


def _source_ids(connection: sa.Connection, records: Sequence[ArticleRecord]) -> Mapping[str, int]:
    """The ids of all sources that these records name."""
    names = {row["source"] for record in records for row in record.with_sources()}
    names |= {record.article[key] for record in records for key in ("source", "revision_source")}
    return ids_by_name(connection, sorted(names))


def _versions_of(record: ArticleRecord) -> set[tuple[str, str]]:
    return {(each["title"], each["content"]) for each in (record.article, *record.versions)}


def _held_versions(connection: sa.Connection, hashes: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
    """Title and content of every version of those of these articles that the database holds."""
    newest = sa.select(_article.url_hash, _article.title, _article.content)
    older = sa.select(_article.url_hash, _revision.title, _revision.content).join_from(
        tables.articles, tables.revisions, _revision.article_id == _article.id
    )
    held: dict[str, set[tuple[str, str]]] = {}
    for batch in in_batches(hashes, BODY_BATCH):
        for query in (newest, older):
            for url_hash, title, content in connection.execute(query.where(_article.url_hash.in_(batch))):
                held.setdefault(url_hash, set()).add((title, content))
    return held


def _holds(held: set[tuple[str, str]], record: ArticleRecord) -> bool:
    """Whether all versions of the record are held, at least with the same visible text."""
    versions = _versions_of(record)
    if versions <= held:
        return True
    visible = {fingerprint(*version) for version in held}
    return all(fingerprint(*version) in visible for version in versions - held)


def _renumbered(record: ArticleRecord) -> ArticleRecord:
    """The record with its versions numbered from 1, and with a sighting by the source that had the article first."""
    article = record.article
    numbers = [*(row["revision"] for row in record.versions), article["revision"]]
    new = {number: sum(each <= number for each in numbers) or 1 for number in range(1, numbers[-1] + 1)}
    sightings = [row | {"revision": new[row["revision"]]} for row in record.belonging["sightings"]]
    if article["source"] not in {row["source"] for row in sightings}:
        empty = dict.fromkeys(record_columns(tables.sightings))
        shared = {name: article[name] for name in ("source", "first_seen_at", "last_seen_at")}
        sightings.append({**empty, **shared, "revision": len(numbers)})
    return replace(
        record,
        article=article | {"revision": len(numbers)},
        versions=tuple(row | {"revision": new[row["revision"]]} for row in record.versions),
        belonging={**record.belonging, "sightings": tuple(sightings)},
    )


def _insert(connection: sa.Connection, records: Sequence[ArticleRecord]) -> None:
    if not records:
        return
    source_ids = _source_ids(connection, records)
    statement = sa.insert(tables.articles).returning(_article.id, sort_by_parameter_order=True)
    rows = [row_of(tables.articles, record.article, source_ids) for record in records]
    ids = connection.execute(statement, rows).scalars().all()
    with_ids = list(zip(ids, records, strict=True))
    _insert_belonging(connection, tables.revisions, source_ids, [(key, each.versions) for key, each in with_ids])
    for name, table in BELONGING.items():
        _insert_belonging(connection, table, source_ids, [(key, each.belonging[name]) for key, each in with_ids])
    day_counts = DayCounts()
    for record in records:
        _count_days(day_counts, record, source_ids)
    day_counts.write(connection)


def _count_days(day_counts: DayCounts, record: ArticleRecord, source_ids: Mapping[str, int], number: int = 1) -> None:
    article = record.article
    day_counts.count_article(source_ids[article["source"]], article["published_at"], article["first_seen_at"], number)
    if article["revision"] > 1:
        day_counts.count_version(source_ids[article["revision_source"]], article["revision_seen_at"], number)
    for version in record.versions:
        if version["revision"] > 1:
            day_counts.count_version(source_ids[version["source"]], version["seen_at"], number)


def _insert_belonging(
    connection: sa.Connection,
    table: sa.Table,
    source_ids: Mapping[str, int],
    by_article: Iterable[tuple[int, Sequence[Values]]],
) -> None:
    rows = [
        row_of(table, values, source_ids) | {"article_id": article_id}
        for article_id, belonging in by_article
        for values in belonging
    ]
    if rows:
        connection.execute(sa.insert(table), rows)
