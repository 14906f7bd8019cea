"""The search index of an SQLite archive, written and read. `sqlite_schema` describes its file."""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.instants import DAY_MS, milliseconds
from kzfeed.search.hits import ArticlePosition, sort_key
from kzfeed.search.match import matches
from kzfeed.search.query import Query, Term
from kzfeed.search.terms import VERSION, source_term, terms
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.log_end import log_end
from kzfeed.store.search import sqlite_schema
from kzfeed.store.search.index import (
    BUILD_BATCH,
    BUSY_SECONDS,
    NO_INDEX,
    OTHER_ARCHIVE,
    OTHER_VERSION,
    PAUSE_S,
    IndexQuery,
    IndexUnusable,
    Lag,
    OnProgress,
    SearchHits,
)
from kzfeed.store.search.unindexed import articles_after, articles_of, highest_id, lag_of, mark_of
from kzfeed.store.transfer.article_log import changes_after, has_mark, mark_at
from kzfeed.store.value_batches import BODY_BATCH

MERGE_PAGES = 500
"""The pages of the index that one transaction merges at the end of a rebuild."""
_FIRST_CHECK = 30
_LARGEST_CHECK = 400
"""How many candidates are checked together, at first and at most."""

_article = tables.articles.c

_MERGE = "INSERT INTO rebuilt_index (rebuilt_index, rank) VALUES ('merge', ?)"
_IS_RECENT = "SELECT julianday('now') - julianday(?) < ? / 86400.0"


class DayIsFull(IndexUnusable):
    """All numbers of a day are taken: an index with more numbers must be built."""


class SqliteIndex:
    """The index beside the file of an archive. Each of its methods may raise DatabaseError."""

    def __init__(self, archive: Database) -> None:
        if archive.file is None:
            raise DatabaseError("a database in memory has no search index: search needs a database in a file")
        self._archive = archive
        self.file = sqlite_schema.file_of(archive.file)
        self._index = Database(f"sqlite:///{self.file}", query_time_limit=archive.query_time_limit)

    def close(self) -> None:
        self._index.close()

    def may_write(self) -> bool:
        return os.access(self.file if self.file.exists() else self.file.parent, os.W_OK)

    def articles(self) -> int:
        with self._archive.read() as archive:
            return highest_id(archive)

    # --- writing -----------------------------------------------------------------------------------------------------

    def lag(self) -> Lag:
        with self._read() as (index, archive):
            state = _usable_state(index, archive, "search")
            is_shrinking = bool(index.exec_driver_sql(_IS_RECENT, (state.indexed_at, BUSY_SECONDS)).scalar())
            return lag_of(archive, state, is_shrinking=is_shrinking)

    def index_some(self, most: int) -> int:
        with self._write() as index, self._archive.read() as archive:
            if not sqlite_schema.exists(index, "search"):
                sqlite_schema.create(index, "search", VERSION, _day_bits(archive))
            return _index_some(index, archive, "search", most)

    def rebuild(self, on_progress: OnProgress) -> None:
        self._begin_rebuild()
        while self._go_on_rebuilding(on_progress):
            time.sleep(PAUSE_S)
        sqlite_schema.shrink(self.file)

    def _go_on_rebuilding(self, on_progress: OnProgress) -> bool:
        """One step of a rebuild; False if nothing is left to do."""
        try:
            return self._rebuild_some(on_progress) or self._merge_some() or not self._replace()
        except DayIsFull:
            # The archive has grown since the rebuild began, which chose how many numbers a day has.
            self._begin_rebuild()
            return True

    def _begin_rebuild(self) -> None:
        with self._write() as index, self._archive.read() as archive:
            sqlite_schema.drop(index, "rebuilt")
            sqlite_schema.create(index, "rebuilt", VERSION, _day_bits(archive))
            # Parts of the index are merged once at the end, not again and again.
            index.exec_driver_sql("INSERT INTO rebuilt_index (rebuilt_index, rank) VALUES ('automerge', 0)")

    def _rebuild_some(self, on_progress: OnProgress) -> bool:
        """One step of a rebuild; False if nothing is left, or another process has finished the rebuild."""
        with self._write() as index, self._archive.read() as archive:
            if not sqlite_schema.exists(index, "rebuilt"):
                return False
            done = _index_some(index, archive, "rebuilt", BUILD_BATCH)
            indexed = index.exec_driver_sql("SELECT article_id FROM rebuilt_state").scalar_one()
            on_progress(indexed, max(indexed, highest_id(archive)))
            return done > 0

    def _merge_some(self) -> bool:
        with self._write() as index:
            if not sqlite_schema.exists(index, "rebuilt"):
                return False
            changes = "SELECT total_changes()"
            before = index.exec_driver_sql(changes).scalar_one()
            # A negative number of pages begins a merge of all parts, and goes on with one that has begun.
            index.exec_driver_sql(_MERGE, (-MERGE_PAGES,))
            # FTS5's documentation: a merge that had something to do changes two rows at least.
            return bool(index.exec_driver_sql(changes).scalar_one() - before >= 2)

    def _replace(self) -> bool:
        """Put the rebuilt index in its place; False if it lacked many articles that have come meanwhile."""
        with self._write() as index, self._archive.read() as archive:
            if sqlite_schema.exists(index, "rebuilt"):
                if _index_some(index, archive, "rebuilt", BUILD_BATCH) >= BODY_BATCH:
                    return False
                index.exec_driver_sql("INSERT INTO rebuilt_index (rebuilt_index, rank) VALUES ('automerge', 4)")
                sqlite_schema.replace(index, "search", "rebuilt")
            return True

    # --- reading -----------------------------------------------------------------------------------------------------

    @contextmanager
    def search(self, wanted: IndexQuery, after: ArticlePosition | None, limit: int) -> Iterator[SearchHits]:
        with self._read() as (index, archive):
            state = _usable_state(index, archive, "search")
            candidates = _candidates(index, wanted, after, state.day_bits)
            yield SearchHits(list(islice(_checked(archive, candidates, wanted), limit)), archive)

    @contextmanager
    def _read(self) -> Iterator[tuple[sa.Connection, sa.Connection]]:
        if not self.file.exists():
            # Opening it would make an empty file.
            raise IndexUnusable(NO_INDEX)
        with self._explaining_damage(), self._index.read() as index, self._archive.read() as archive:
            yield index, archive

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        if not self.file.exists():
            if not self.may_write():
                raise DatabaseError(
                    f"this user may not make {self.file}, the search index: "
                    "run the command as a user who may write the archive"
                )
            sqlite_schema.make_file(self.file)
        with self._explaining_damage(), self._index.write() as index:
            yield index

    @contextmanager
    def _explaining_damage(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            code = getattr(getattr(error.__cause__, "orig", None), "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) and str(self.file) in str(error):
                said = f"{self.file} is damaged: delete it, and the next search builds it again"
                raise DatabaseError(said) from error
            raise


# --- state -----------------------------------------------------------------------------------------------------------


def _usable_state(index: sa.Connection, archive: sa.Connection, name: str) -> sa.Row[Any]:
    """The state of the index. Raises IndexUnusable if it does not hold the terms of this archive."""
    if not sqlite_schema.exists(index, name):
        raise IndexUnusable(NO_INDEX)
    state = index.exec_driver_sql(f"SELECT * FROM {name}_state").one()  # noqa: S608 - a name of ours
    if state.terms_version != VERSION:
        raise IndexUnusable(OTHER_VERSION)
    if not has_mark(archive, mark_of(state)):
        raise IndexUnusable(OTHER_ARCHIVE)
    return state


# --- indexing --------------------------------------------------------------------------------------------------------


def _index_some(index: sa.Connection, archive: sa.Connection, name: str, most: int) -> int:
    state = _usable_state(index, archive, name)
    end = log_end(archive)
    changes = changes_after(archive, mark_of(state), most, end)
    numbers = _Numbers(index, name, state.day_bits)
    _forget(index, name, changes.article_ids)
    for rows in articles_of(archive, changes.article_ids):
        _insert(index, name, numbers, rows)
    count, last_article = changes.count, state.article_id
    for rows in articles_after(archive, state.article_id, end, most):
        _insert(index, name, numbers, rows)
        count, last_article = count + len(rows), rows[-1].id
    if not count:
        return 0
    index.exec_driver_sql(
        f"UPDATE {name}_state SET article_id = ?, url_hash = ?, change_id = ?, changed_article_id = ?, "  # noqa: S608
        "indexed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')",
        astuple(mark_at(archive, last_article, changes.last)),
    )
    return count


def _forget(index: sa.Connection, name: str, article_ids: Iterable[int]) -> None:
    rows = [(article_id,) for article_id in article_ids]
    if rows:
        index.exec_driver_sql(f"UPDATE {name}_docs SET article_id = NULL WHERE article_id = ?", rows)  # noqa: S608


def _insert(index: sa.Connection, name: str, numbers: "_Numbers", rows: Sequence[Any]) -> None:
    docs: list[tuple[int, int, int | None]] = []
    indexed: list[tuple[int, str]] = []
    for row in rows:
        published_ms = None if row.published_at is None else milliseconds(row.published_at)
        number = numbers.next(row.id, published_ms)
        docs.append((number, row.id, published_ms))
        indexed.append((number, " ".join(terms(row.title, row.text, row.source_id))))
    index.exec_driver_sql(f"INSERT INTO {name}_docs VALUES (?, ?, ?)", docs)  # noqa: S608 - a name of ours
    index.exec_driver_sql(f"INSERT INTO {name}_index (rowid, terms) VALUES (?, ?)", indexed)  # noqa: S608


class _Numbers:
    """Numbers of new documents: the next free one of each day, and of each undated article."""

    def __init__(self, index: sa.Connection, name: str, day_bits: int) -> None:
        self._index = index
        self._day_bits = day_bits
        self._highest = f"SELECT max(docid) FROM {name}_docs WHERE docid BETWEEN ? AND ?"  # noqa: S608 - a name of ours
        self._next: dict[int, int] = {}

    def next(self, article_id: int, published_ms: int | None) -> int:
        if published_ms is None:
            first = sqlite_schema.UNDATED + (article_id << sqlite_schema.UNDATED_BITS)
            last = first + (1 << sqlite_schema.UNDATED_BITS) - 1
        else:
            first, last = _day_numbers(published_ms, self._day_bits)
        if first not in self._next:
            highest = self._index.exec_driver_sql(self._highest, (first, last)).scalar()
            self._next[first] = first if highest is None else highest + 1
        number = self._next[first]
        if number > last:
            raise DayIsFull("the search index has no room for more articles of one day")
        self._next[first] += 1
        return number


def _day_numbers(published_ms: int, day_bits: int) -> tuple[int, int]:
    """The first and the last number of documents of the same day."""
    first = published_ms // DAY_MS << day_bits
    return first, first + (1 << day_bits) - 1


def _day_bits(archive: sa.Connection) -> int:
    """The number of bits that can number four times the articles of the fullest day."""
    day = sa.func.substr(sa.type_coerce(_article.published_at, sa.Text), 1, 10)
    count = sa.select(sa.func.count().label("articles")).where(_article.published_at.is_not(None)).group_by(day)
    most = archive.execute(sa.select(sa.func.max(count.subquery().c.articles))).scalar() or 0
    return max(sqlite_schema.LEAST_DAY_BITS, int(4 * most).bit_length())


# --- hits ------------------------------------------------------------------------------------------------------------

_CANDIDATES = """
SELECT docs.docid, docs.article_id, docs.published_ms
FROM search_index CROSS JOIN search_docs AS docs ON docs.docid = search_index.rowid
WHERE search_index MATCH ? AND search_index.rowid BETWEEN ? AND ? AND docs.article_id IS NOT NULL
ORDER BY search_index.rowid DESC
"""


def _candidates(
    index: sa.Connection, wanted: IndexQuery, after: ArticlePosition | None, day_bits: int
) -> Iterator[ArticlePosition]:
    """The articles that have the index terms of the query, in the order of hits."""
    since, until = (None if each is None else milliseconds(each) for each in (wanted.since, wanted.until))
    lowest, highest = -(1 << 63), (1 << 63) - 1
    if since is not None:
        lowest = _day_numbers(since, day_bits)[0]
    elif until is not None:
        lowest = sqlite_schema.UNDATED_END
    if until is not None:
        highest = _day_numbers(until, day_bits)[1]
    if after is not None:
        undated = sqlite_schema.UNDATED + (after.article_id << sqlite_schema.UNDATED_BITS)
        highest = min(highest, undated if after.published_ms is None else _day_numbers(after.published_ms, day_bits)[1])
    rows = index.exec_driver_sql(_CANDIDATES, (_match_expression(wanted), lowest, highest))

    def day_or_number(row: sa.Row[Any]) -> int:
        """The day of a document, or the number of an undated one."""
        return int(row.docid) if row.published_ms is None else int(row.docid) >> day_bits

    for _, of_day in groupby(rows, day_or_number):
        # The documents of a day are numbered in the order in which they were indexed.
        for hit in sorted(
            (ArticlePosition(row.published_ms, row.article_id) for row in of_day), key=sort_key, reverse=True
        ):
            is_in_time = hit.published_ms is None or (
                (since is None or hit.published_ms >= since) and (until is None or hit.published_ms < until)
            )
            if is_in_time and (after is None or hit.is_after(after)):
                yield hit


def _match_expression(wanted: IndexQuery) -> str:
    """The query in FTS5's language, as far as index terms express it."""
    parts = [part for term in wanted.terms for part in _expressions(term)]
    if wanted.source_ids:
        parts.append("(" + " OR ".join(map(_quoted_source, wanted.source_ids)) + ")")
    excluded = [part for term in wanted.excluded if term.index_terms.suffice for part in _expressions(term)]
    excluded += map(_quoted_source, wanted.excluded_source_ids)
    expression = " AND ".join(dict.fromkeys(parts))
    return f"({expression}) NOT ({' OR '.join(excluded)})" if excluded else expression


def _expressions(term: Term) -> Iterator[str]:
    needed = term.index_terms
    yield from (f'"{each}"' for each in needed.whole)
    if needed.prefix is not None:
        yield f'"{needed.prefix}" *'


def _quoted_source(source_id: int) -> str:
    return f'"{source_term(source_id)}"'


def _checked(
    archive: sa.Connection, candidates: Iterator[ArticlePosition], wanted: IndexQuery
) -> Iterator[ArticlePosition]:
    """The candidates that match. Their texts are read from the archive, in growing parts."""
    query = Query(
        tuple(term for term in wanted.terms if not term.index_terms.suffice),
        tuple(term for term in wanted.excluded if not term.index_terms.suffice),
    )
    if not query.terms and not query.excluded:
        yield from candidates
        return
    # A row begins with the title: if that is enough, the long text after it is not read.
    only_titles = all(term.in_title for term in (*query.terms, *query.excluded))
    columns = _TITLES if only_titles else _TEXTS
    size = _FIRST_CHECK
    while part := list(islice(candidates, size)):
        ids = [hit.article_id for hit in part]
        texts = {row.id: row for row in archive.execute(columns.where(_article.id.in_(ids)))}
        for hit in part:
            row = texts.get(hit.article_id)
            if row and matches(query, row.title, row.text):
                yield hit
        size = min(2 * size, _LARGEST_CHECK)


_TEXTS = sa.select(_article.id, _article.title, _article.text)
_TITLES = sa.select(_article.id, _article.title, sa.literal("").label("text"))
