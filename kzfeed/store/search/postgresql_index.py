"""The search index of a PostgreSQL archive, written and read. `postgresql_schema` describes its tables.

Processes that index at the same time wait for one another, but never for polls, and polls never for them.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from kzfeed.errors import DatabaseError
from kzfeed.instants import DAY_MS, milliseconds
from kzfeed.search.hits import ArticlePosition
from kzfeed.search.postgresql_text import postgresql_text
from kzfeed.store.engine import LOCK_NOT_AVAILABLE, Database, driver_errors, sqlstate
from kzfeed.store.log_end import log_end
from kzfeed.store.search import postgresql_schema
from kzfeed.store.search.index import (
    BUILD_BATCH,
    BUSY_SECONDS,
    NO_INDEX,
    OTHER_ARCHIVE,
    OTHER_VERSION,
    IndexQuery,
    IndexUnusable,
    Lag,
    OnProgress,
    SearchHits,
)
from kzfeed.store.search.unindexed import articles_after, articles_of, highest_id, lag_of, mark_of
from kzfeed.store.transfer.article_log import changes_after, has_mark, mark_at

INDEX_LOCK = 5_021_747_903
"""Number of the advisory lock under which a process writes the index."""
REBUILD_LOCK = 5_021_747_904
"""Number of the advisory lock under which a process builds it again."""
REPLACE_TRIES = 100
"""How often a rebuilt index tries to take the place of the present one."""
REPLACE_WAIT_S = 3
"""How long each try waits for searches to end."""


# One statement for all rows: PostgreSQL prepares the function of the index once for each statement.
_PUT = """
INSERT INTO {name}_docs (article_id, published_at, source_id, day, is_large, title, body, mixed_pairs)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::integer[], %s::boolean[],
  %s::text[], %s::text[], %s::text[])
ON CONFLICT (article_id) DO UPDATE SET published_at = excluded.published_at, source_id = excluded.source_id,
  day = excluded.day, is_large = excluded.is_large, title = excluded.title, body = excluded.body,
  mixed_pairs = excluded.mixed_pairs
"""
_SET_STATE = """
UPDATE {name}_state SET article_id = %s, url_hash = %s, change_id = %s, changed_article_id = %s, indexed_at = now()
"""
_HITS = "SELECT article_id, published_at FROM search_hits(%s, %s, %s, %s)"
_MAY_WRITE = """
SELECT NOT pg_is_in_recovery() AND CASE WHEN to_regclass('search_docs') IS NULL
  THEN has_schema_privilege(current_schema(), 'CREATE')
  ELSE has_table_privilege('search_docs', 'INSERT') END
"""

_OTHER_OWNER = """
SELECT pg_get_userbyid(relowner) FROM pg_class
WHERE oid = to_regclass('search_docs') AND NOT pg_has_role(relowner, 'USAGE')
"""


class PostgresqlIndex:
    """The index in the archive's own database. Each of its methods may raise DatabaseError."""

    def __init__(self, archive: Database) -> None:
        self._archive = archive

    def close(self) -> None:
        """Do nothing: the connections are the archive's."""

    def may_write(self) -> bool:
        with self._archive.read() as connection:
            return bool(connection.exec_driver_sql(_MAY_WRITE).scalar())

    def articles(self) -> int:
        with self._archive.read() as connection:
            return highest_id(connection)

    # --- writing -----------------------------------------------------------------------------------------------------

    def lag(self) -> Lag:
        with self._read() as connection:
            state = _usable_state(connection, "search")
            recent = f"SELECT coalesce(now() - %s::timestamptz < interval '{BUSY_SECONDS} seconds', false)"
            is_shrinking = bool(connection.exec_driver_sql(recent, (state.indexed_at,)).scalar())
            has_old_functions = _has_old_functions(state)
            return lag_of(connection, state, is_shrinking=is_shrinking, has_old_functions=has_old_functions)

    def index_some(self, most: int) -> int:
        with self._write() as connection:
            if not postgresql_schema.exists(connection, "search"):
                postgresql_schema.create(connection, "search")
                postgresql_schema.create_indexes(connection, "search")
            if _has_old_functions(_usable_state(connection, "search")):
                postgresql_schema.create_functions(connection)
            done = _index_some(connection, "search", most)
            if done:
                postgresql_schema.merge_pending(connection, "search")
            return done

    def rebuild(self, on_progress: OnProgress) -> None:
        with driver_errors("writing", None), self._archive.engine.connect() as session:
            if owner := session.exec_driver_sql(_OTHER_OWNER).scalar():
                raise DatabaseError(f"the search index belongs to the role {owner}: only that role builds it again")
            before = session.exec_driver_sql("SELECT to_regclass('search_docs')::oid").scalar()
            session.exec_driver_sql(f"SELECT pg_advisory_lock({REBUILD_LOCK})")
            # The lock belongs to the session; an open transaction would keep old rows from being removed.
            session.commit()
            try:
                after = session.exec_driver_sql("SELECT to_regclass('search_docs')::oid").scalar()
                session.commit()
                if before == after or after is None:
                    self._rebuild(on_progress)
            finally:
                session.exec_driver_sql(f"SELECT pg_advisory_unlock({REBUILD_LOCK})")
                session.commit()

    def _rebuild(self, on_progress: OnProgress) -> None:
        with self._write(lock=None) as connection:
            postgresql_schema.drop(connection, "rebuilt")
            postgresql_schema.create(connection, "rebuilt")
        while self._rebuild_some(on_progress):
            pass
        with self._write(lock=None) as connection:
            postgresql_schema.create_indexes(connection, "rebuilt")
        while self._rebuild_some(on_progress):
            pass
        for tries_left in reversed(range(REPLACE_TRIES)):
            try:
                self._replace()
                return
            except DatabaseError as error:
                if sqlstate(error) != LOCK_NOT_AVAILABLE or not tries_left:
                    raise
                time.sleep(1)

    def _rebuild_some(self, on_progress: OnProgress) -> bool:
        with self._write(lock=None) as connection:
            done = _index_some(connection, "rebuilt", BUILD_BATCH)
            indexed = connection.exec_driver_sql("SELECT article_id FROM rebuilt_state").scalar_one()
            on_progress(indexed, max(indexed, highest_id(connection)))
            return done > 0

    def _replace(self) -> None:
        with self._write() as connection:
            while _index_some(connection, "rebuilt", BUILD_BATCH):
                pass
            postgresql_schema.merge_pending(connection, "rebuilt")
            # While this transaction waits for a search to end, all later searches wait for it.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{REPLACE_WAIT_S}s'")
            postgresql_schema.replace(connection, "search", "rebuilt")

    @contextmanager
    def _write(self, lock: int | None = INDEX_LOCK) -> Iterator[sa.Connection]:
        """A transaction of its own, without the lock of the archive's writer."""
        with driver_errors("writing", None), self._archive.engine.connect() as connection, connection.begin():
            if lock is not None:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
            postgresql_schema.allow_memory(connection)
            yield connection

    # --- reading -----------------------------------------------------------------------------------------------------

    @contextmanager
    def search(self, wanted: IndexQuery, after: ArticlePosition | None, limit: int) -> Iterator[SearchHits]:
        with self._read() as connection:
            _usable_state(connection, "search")
            place = (after.published_ms, after.article_id) if after else (None, None)
            rows = connection.exec_driver_sql(_HITS, (_as_json(wanted), *place, limit))
            hits = [
                ArticlePosition(None if row.published_at is None else milliseconds(row.published_at), row.article_id)
                for row in rows
            ]
            yield SearchHits(hits, connection)

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        """The archive and its index as of one moment, which is never within a replacement of the index."""
        with self._archive.read() as connection:
            try:
                connection.exec_driver_sql("LOCK TABLE search_state IN ACCESS SHARE MODE")
            except ProgrammingError as error:
                if getattr(error.orig, "sqlstate", None) != "42P01":  # undefined_table
                    raise
                raise IndexUnusable(NO_INDEX) from error
            yield connection


def _as_json(wanted: IndexQuery) -> str:
    """The query as JSON, as the function `search_hits` takes it."""
    asked = asdict(wanted)
    for name in ("since", "until"):
        asked[name] = None if asked[name] is None else milliseconds(asked[name])
    return json.dumps(asked)


def _has_old_functions(state: sa.Row[Any]) -> bool:
    return bool(state.functions_version != postgresql_schema.FUNCTIONS_VERSION)


def _usable_state(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """The state of the index. Raises IndexUnusable if it does not hold the terms of this archive."""
    state = connection.exec_driver_sql(f"SELECT * FROM {name}_state").one()  # noqa: S608 - a name of ours
    if state.terms_version != postgresql_schema.VERSION:
        raise IndexUnusable(OTHER_VERSION)
    if not has_mark(connection, mark_of(state)):
        raise IndexUnusable(OTHER_ARCHIVE)
    return state


def _index_some(connection: sa.Connection, name: str, most: int) -> int:
    state = _usable_state(connection, name)
    end = log_end(connection)
    # The changes first: articles read after them are at least as new.
    changes = changes_after(connection, mark_of(state), most, end)
    for rows in articles_of(connection, changes.article_ids):
        _put(connection, name, rows)
    count, last_article = changes.count, state.article_id
    for rows in articles_after(connection, state.article_id, end, most):
        _put(connection, name, rows)
        count, last_article = count + len(rows), rows[-1].id
    if count:
        set_state = _SET_STATE.format(name=name)
        connection.exec_driver_sql(set_state, astuple(mark_at(connection, last_article, changes.last)))
    return count


def _put(connection: sa.Connection, name: str, rows: Sequence[Any]) -> None:
    connection.exec_driver_sql(_PUT.format(name=name), tuple(map(list, zip(*_docs(rows), strict=True))))


def _docs(rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        day = None if row.published_at is None else milliseconds(row.published_at) // DAY_MS
        made = postgresql_text(row.title, row.text)
        yield (
            *(row.id, row.published_at, row.source_id, day),
            *(made.is_large, made.title, made.body, made.mixed_pairs),
        )
