"""Connections that only read, and whose statements are stopped after a time limit: both by the engine itself."""

import sqlite3
import time
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import StatementTimeout

TOO_LONG = "reading the database took too long, and was stopped"
CACHE_KB = 500
"""Page cache of a connection to SQLite: a reader has several connections, and little memory."""
_STEPS_BETWEEN_CHECKS = 10_000
"""Steps of SQLite's virtual machine between two checks of the time: about a millisecond."""
_UNTIL = "kzfeed_until"
_QUERY_CANCELED = "57014"


def restrict_to_reading(engine: sa.Engine, limit: timedelta) -> None:
    """Make all later connections of the engine refuse to write, and stop statements that take longer than `limit`.

    The time counts from when a connection is taken from the pool: with several statements, all of them together.
    """
    sa.event.listen(engine, "checkout", _stopwatch(limit))
    sa.event.listen(engine, "before_cursor_execute", _check_time)
    sa.event.listen(engine, "connect", _postgresql(limit) if engine.dialect.name == "postgresql" else _prepare_sqlite)


def was_stopped(error: object) -> bool:
    """Whether this error of a driver says that a statement was stopped."""
    code = getattr(error, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_INTERRUPT or getattr(error, "sqlstate", None) == _QUERY_CANCELED


def _postgresql(limit: timedelta) -> Any:
    def prepare(connection: Any, _entry: object) -> None:
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET statement_timeout = {max(1, round(limit.total_seconds() * 1000))}")
        connection.commit()

    return prepare


def _prepare_sqlite(connection: Any, entry: Any) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KB}")
    # Another program may have written text that is not UTF-8.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    info = entry.info
    connection.set_progress_handler(lambda: time.monotonic() > info.get(_UNTIL, float("inf")), _STEPS_BETWEEN_CHECKS)


def _stopwatch(limit: timedelta) -> Any:
    def start(_connection: Any, entry: Any, _proxy: object) -> None:
        entry.info[_UNTIL] = time.monotonic() + limit.total_seconds()

    return start


def _check_time(connection: sa.Connection, *_: object) -> None:
    if time.monotonic() > connection.info.get(_UNTIL, float("inf")):
        raise StatementTimeout(TOO_LONG)
