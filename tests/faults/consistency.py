"""Consistency of archives: the rows of two archives compared, and the rules that every archive obeys."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.faults.growing_feeds import GrowingFeeds, etag_of, shown

Rows = dict[str, list[tuple[Any, ...]]]

_TIMES = {"first_seen_at", "last_seen_at", "revision_seen_at", "seen_at"}


def snapshot(url: str) -> Rows:
    """The rows of the archive, with ids replaced by names and hashes, and without the times of sightings."""
    database = Database(url)
    with database.read() as connection:
        hashes = _names(connection, tables.articles.c.url_hash)
        names = _names(connection, tables.sources.c.name)
        found: Rows = {}
        for table in (tables.articles, tables.revisions, tables.sightings, tables.media, tables.tags):
            rows: list[tuple[Any, ...]] = []
            for row in connection.execute(sa.select(table)).mappings():
                told = {name: value for name, value in row.items() if name != "id" and name not in _TIMES}
                told |= {name: names[told[name]] for name in ("source_id", "revision_source_id") if name in told}
                if "article_id" in told:
                    told["article_id"] = hashes[told["article_id"]]
                if "withdrawn_at" in told:
                    told["withdrawn_at"] = told["withdrawn_at"] is not None
                rows.append(tuple(told.values()))
            found[table.name] = sorted(rows, key=repr)
    database.close()
    return found


def _names(connection: sa.Connection, column: sa.Column[Any]) -> dict[int, str]:
    return {row[0]: row[1] for row in connection.execute(sa.select(column.table.c.id, column))}


def differences(expected: Rows, found: Rows) -> list[str]:
    """The rows that only one of two archives has; empty if they are equal."""
    told: list[str] = []
    for table, rows in expected.items():
        for word, ours, theirs in (("missing", rows, found[table]), ("too much", found[table], rows)):
            left = _less(ours, theirs)
            told += [f"{table}: {word}: {str(row)[:200]}" for row in left[:3]]
            if len(left) > 3:
                told.append(f"{table}: {word}: {len(left)} rows in all")
    return told


def _less(rows: Iterable[tuple[Any, ...]], others: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    remaining = list(map(repr, others))
    left: list[tuple[Any, ...]] = []
    for row in rows:
        if repr(row) in remaining:
            remaining.remove(repr(row))
        else:
            left.append(row)
    return left


def violations(url: str, feeds: GrowingFeeds | None = None, *, polled_only: bool = True) -> list[str]:
    """Breaches of the rules of every archive: a damaged database, a validator without its entries, a gap (the windows
    of `feeds` overlap). With `polled_only` also a poll recorded twice, or wrong counts; that holds where single
    processes polled one after the other and nothing else wrote.
    """
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
        return []  # killed before there was one
    database = Database(url)
    found: list[str] = []
    if database.dialect == "sqlite":
        connection = sqlite3.connect(str(database.engine.url.database))
        found += [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
        connection.close()
    if feeds and sa.inspect(database.engine).has_table("sources"):
        with database.read() as connection_:
            found += _missing_entries(connection_, feeds) + _gaps(connection_)
            found += _doubled(connection_) + _miscounted(connection_) if polled_only else []
    database.close()
    return found


def _missing_entries(connection: sa.Connection, feeds: GrowingFeeds) -> list[str]:
    """Entries of a stored ETag that are not stored themselves."""
    article, revision = tables.articles.c, tables.revisions.c
    held = {(row.url, row.content) for row in connection.execute(sa.select(article.url, article.content))}
    older = sa.select(article.url, revision.content).join_from(tables.revisions, tables.articles)
    held |= {(row.url, row.content) for row in connection.execute(older)}
    contents = {(url, content[content.find(">") + 1 : content.find("<", 1)]) for url, content in held}
    etags = {row.name: row.etag for row in connection.execute(sa.select(tables.sources.c.name, tables.sources.c.etag))}
    missing: list[str] = []
    for name in feeds.names:
        versions = [version for version in range(feeds.last + 1) if etags.get(name) == etag_of(name, version)]
        if etags.get(name) and not versions:
            missing.append(f"{name}: no document had the ETag {etags[name]}")
        missing += [
            f"{name}: {etags[name]} is stored, {entry.wording} is not"
            for version in versions
            for entry in shown(name, version)
            if (entry.link, entry.wording) not in contents
        ]
    return missing


def _gaps(connection: sa.Connection) -> list[str]:
    gap = tables.gaps.c
    return [f"a gap: {row}" for row in connection.execute(sa.select(gap.source_id, gap.from_at, gap.to_at))]


def _doubled(connection: sa.Connection) -> list[str]:
    key = (tables.polls.c.source_id, tables.polls.c.started_at)
    twice = connection.execute(sa.select(*key).group_by(*key).having(sa.func.count() > 1))
    return [f"a poll twice: {row}" for row in twice]


def _miscounted(connection: sa.Connection) -> list[str]:
    sums = [sa.func.coalesce(sa.func.sum(tables.polls.c[name]), 0) for name in ("new_articles", "revised_articles")]
    told = list(connection.execute(sa.select(*sums)).one())
    there = [
        connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in (tables.articles, tables.revisions)
    ]
    return [f"polls count {told} new and revised articles, the tables have {there}"] if told != there else []
