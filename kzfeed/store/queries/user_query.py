"""Queries that people write themselves: the engine keeps them from writing, and they are bounded in time.

Rows come from a server-side cursor or one by one from SQLite, so that a result of any size fits into memory.
"""

import difflib
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import DatabaseError, KzfeedError, UsageError
from kzfeed.store.engine import Database

FETCH_SIZE = 500
"""The most rows in memory at a time."""
_ONE_SELECT = "give one SELECT: `kzfeed query` reads and never writes"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The names of the columns, and the rows, which are read from the database as they are iterated over."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


@contextmanager
def run_query(database: Database, text: str, time_limit: timedelta) -> Iterator[QueryResult]:
    """Run one query within a transaction that cannot write, and give its result within the block.

    The time limit counts the database's work, not the time in which the caller uses the rows; on PostgreSQL it holds
    for each fetch. Raises UsageError if the query is wrong, would write, or is more than one statement,
    KzfeedError when the time is over, and DatabaseError if the database fails.
    """
    if not text.strip():
        raise UsageError("the query is empty: " + _ONE_SELECT)
    with (_on_sqlite if database.dialect == "sqlite" else _on_postgresql)(database, text, time_limit) as result:
        yield result


def _time_is_over(limit: timedelta) -> KzfeedError:
    return KzfeedError(
        f"the query took longer than {limit.total_seconds():g} s and was stopped: narrow it down, or give --timeout"
    )


# --- SQLite ----------------------------------------------------------------------------------------------------------

# query_only refuses to write. These would reach other files, or change the connection.
_REFUSED = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT}
_READING_PRAGMAS = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "data_version"}
_STEPS_BETWEEN_CHECKS = 10_000
"""Steps of SQLite's virtual machine between two checks of the time: about a millisecond."""


class _Stopwatch:
    """The time that a query may still take; it runs only inside `running`."""

    def __init__(self, limit: timedelta) -> None:
        self._left = limit.total_seconds()
        self._until = time.monotonic() + self._left

    @contextmanager
    def running(self) -> Iterator[None]:
        self._until = time.monotonic() + self._left
        yield
        self._left = self._until - time.monotonic()

    def is_over(self) -> bool:
        return time.monotonic() > self._until


@contextmanager
def _on_sqlite(database: Database, text: str, limit: timedelta) -> Iterator[QueryResult]:
    stopwatch = _Stopwatch(limit)
    try:
        with database.read() as pooled, _only_reading(pooled, stopwatch) as connection:
            with stopwatch.running():
                cursor = connection.execute(text)
            if cursor.description is None:
                raise UsageError("the query is empty: " + _ONE_SELECT)
            with closing(cursor):
                yield QueryResult(tuple(name for name, *_ in cursor.description), _sqlite_rows(cursor, stopwatch))
    except (sqlite3.Error, sqlite3.Warning) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            if not stopwatch.is_over():
                # Ctrl-C raised an exception while SQLite called `is_over`, and SQLite has replaced it by its own.
                raise KeyboardInterrupt from error
            raise _time_is_over(limit) from error
        if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY):
            raise UsageError(f"the query would change something: {_ONE_SELECT}") from error
        if "one statement" in str(error):
            raise UsageError(f"there is more than one statement: {_ONE_SELECT}") from error
        if code in (None, sqlite3.SQLITE_ERROR):
            raise _wrong_query(database, str(error)) from error
        raise DatabaseError(f"reading the database failed: {database.file}: {error}") from error


@contextmanager
def _only_reading(pooled: sa.Connection, stopwatch: _Stopwatch) -> Iterator[sqlite3.Connection]:
    """The driver's connection, which within the block cannot write and stops when the time is over."""
    connection: Any = pooled.connection.driver_connection
    connection.execute("PRAGMA query_only = ON")
    # Another program may have written text that is not UTF-8.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    connection.set_authorizer(_authorize)
    connection.set_progress_handler(stopwatch.is_over, _STEPS_BETWEEN_CHECKS)
    try:
        yield connection
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)
        connection.text_factory = str
        connection.execute("PRAGMA query_only = OFF")


def _authorize(action: int, name: str | None, *_: str | None) -> int:
    is_refused = action in _REFUSED or (action == sqlite3.SQLITE_PRAGMA and name not in _READING_PRAGMAS)
    return sqlite3.SQLITE_DENY if is_refused else sqlite3.SQLITE_OK


def _sqlite_rows(cursor: sqlite3.Cursor, stopwatch: _Stopwatch) -> Iterator[Row]:
    while True:
        with stopwatch.running():
            rows = cursor.fetchmany(FETCH_SIZE)
        if not rows:
            return
        yield from rows


# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_OUT_OF_TIME = "57014"
_READ_ONLY = "25006"
_WRONG_QUERY = ("0A", "22", "25", "42", "54")
"""Classes of SQLSTATE for errors of the query, not of the database."""


@contextmanager
def _on_postgresql(database: Database, text: str, limit: timedelta) -> Iterator[QueryResult]:
    with database.read() as connection:
        milliseconds = str(max(1, round(limit.total_seconds() * 1000)))
        # This also takes the snapshot, after which no function of the query can make the transaction a writing one.
        connection.execute(sa.select(sa.func.set_config("statement_timeout", milliseconds, True)))
        try:
            # The driver declares a cursor in the extended protocol, in which the server takes a single statement.
            result = connection.execution_options(no_parameters=True, yield_per=FETCH_SIZE).exec_driver_sql(text)
            yield QueryResult(tuple(result.keys()), (tuple(row) for row in result))
        except sa.exc.DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None) or ""
            message = str(error.orig).splitlines()[0]
            if state == _OUT_OF_TIME:
                raise _time_is_over(limit) from error
            if state == _READ_ONLY:
                raise UsageError(f"the query would change something: {_ONE_SELECT}") from error
            if state == "" or state.startswith(_WRONG_QUERY):
                raise _wrong_query(database, message) from error
            raise


# --- wrong queries ---------------------------------------------------------------------------------------------------

_UNKNOWN = (
    ("table", re.compile(r'no such table: (?:\w+\.)?([^ ]+)|relation "(?:\w+\.)?([^"]+)" does not exist')),
    ("column", re.compile(r'no such column: "?(?:\w+\.)?([^" ]+)"?|column "?(?:\w+\.)?([^" ]+)"? does not exist')),
    ("function", re.compile(r"no such function: (.+)|function ([\w.]+)\(.*\) does not exist")),
)


def _wrong_query(database: Database, message: str) -> UsageError:
    """The error of a wrong query. For an unknown table or column it names a similar one, if there is one."""
    engine = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database.dialect]
    for kind, pattern in _UNKNOWN:
        if found := pattern.search(message):
            name = next(filter(None, found.groups()))
            if kind == "function":
                return UsageError(f"{engine} has no function {name}: was the query written for another engine?")
            near = difflib.get_close_matches(name.lower(), _names(database, kind), n=1)
            hint = f"the nearest is {near[0]} (docs/database.md has all)" if near else "docs/database.md has all"
            return UsageError(f"there is no {kind} {name}: {hint}")
    return UsageError(f"{engine} cannot run the query: {message}; {_ONE_SELECT}")


def _names(database: Database, kind: str) -> list[str]:
    """The names of all tables and views, or of all their columns."""
    with database.read() as connection:
        inspector = sa.inspect(connection)
        relations = [*inspector.get_table_names(), *inspector.get_view_names()]
        if kind == "table":
            return relations
        return sorted({column["name"] for name in relations for column in inspector.get_columns(name)})
