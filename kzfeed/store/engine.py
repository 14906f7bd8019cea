"""Connections and transactions on SQLite and PostgreSQL.

What a write transaction has read stays true until it commits, because no other one may change it meanwhile: SQLite has
one writer at a time (BEGIN IMMEDIATE), and on PostgreSQL those that touch the same things wait for an advisory lock.
"""

import fcntl
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DatabaseError as DriverDatabaseError
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kzfeed.errors import DatabaseError, DatabaseFileReplaced, DatabaseMissing, StatementTimeout
from kzfeed.hosts import host_of
from kzfeed.store import sqlite
from kzfeed.store.only_reading import TOO_LONG, restrict_to_reading, was_stopped
from kzfeed.store.row_counts import counted_inserts
from kzfeed.text import redacted

T = TypeVar("T")

WRITER_LOCK = 5_021_747_902
"""Number of PostgreSQL's advisory lock of writers: `write` holds it exclusively, `write_concurrently` shares it. Other
programs in the same database must not use it."""
NAMES_SPACE = 50_218
"""The first number of the advisory locks on names, for what a write transaction touches. It is reserved, too."""
MAX_LOCKED_NAMES = 256
"""A transaction with more names runs alone: PostgreSQL's table of locks has room for some thousands."""
WRITE_ATTEMPTS = 5
"""How often a transaction is tried that PostgreSQL ends because it conflicts with another one."""
WRITE_PAUSE_S = 0.02
LOCK_NOT_AVAILABLE = "55P03"
"""The SQLSTATE with which PostgreSQL ends a statement that has waited too long for a lock."""
_CONFLICTS = {"40001", "40P01", "23505"}  # serialization_failure, deadlock_detected, unique_violation
_READ_ONLY = "25006"  # read_only_sql_transaction
_LOCK_NAMES = f"""
SELECT CASE WHEN key IS NULL THEN pg_advisory_xact_lock_shared({WRITER_LOCK})
  ELSE pg_advisory_xact_lock({NAMES_SPACE}, key) END FROM unnest(%s::integer[]) AS key
"""  # noqa: S608 - numbers of ours
RECONNECT_S = 1.0
"""The time after a failed attempt before PostgreSQL is asked again."""
POSTGRESQL_TIMEOUTS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # the only one in milliseconds
}
"""Options of libpq: a server that no longer answers is given up after a minute. The database's URL overrides."""
IDLE_WRITER_TIMEOUT_MS = 60_000
"""How long a writer may be idle within its transaction: one whose machine vanished must not stop all the others."""


class Database:
    """A database, reached through a pool of connections that all threads share."""

    def __init__(self, url: str, *, create: bool = True, query_time_limit: timedelta | None = None) -> None:
        """Take a URL as operators write it: `sqlite:///kzfeed.db`, `postgresql://user@host/name`.

        A missing SQLite file is created, or raises DatabaseError if `create` is False. With `query_time_limit` the
        engine refuses to write, and a transaction whose statements take longer is stopped and raises StatementTimeout.
        """
        self.query_time_limit = query_time_limit
        try:
            self.engine = _engine(url)
            if query_time_limit is not None:
                restrict_to_reading(self.engine, query_time_limit)
            self.file = _sqlite_file(self.engine.url)
            if self.file and self.file.is_dir():
                example = f"sqlite:///{self.file / 'kzfeed.db'}"
                raise DatabaseError(f"{self.file} is a folder: name a file for the database, such as {example}")
            if self.file and not create and not self.file.is_file():
                raise DatabaseMissing(f"there is no database {self.file}: `kzfeed backfill` and `kzfeed poll` make one")
        except OSError as error:
            raise DatabaseError(f"cannot use this database: {error.filename}: {error.strerror}") from error
        except ImportError as error:
            raise DatabaseError(f"PostgreSQL needs a driver: install kzfeed[postgres] ({error})") from error
        except (SQLAlchemyError, ValueError) as error:
            raise _database_error("cannot use this database", error) from error
        self.dialect = self.engine.dialect.name
        # SQLite waits for its lock by polling; a lock within the process wakes the next writer at once.
        self._writer = threading.Lock()
        self._file_id: tuple[int, int] | None = None
        self._has_written = False
        self._was_opened = False

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees the database as of one moment."""
        with (
            driver_errors("reading", self.file),
            self._connect() as connection,
            sqlite.unchanged(self.file, connection),
        ):
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """The only writer: commits at the end of the block, and rolls back if the block raises.

        On PostgreSQL it waits for all other writers: frequent transactions use `write_concurrently` instead.

        Rows that it inserts are counted (`row_counts`). Raises DatabaseFileReplaced if the file of an SQLite database
        is no longer in its place, also when this happens before the commit is done.
        """
        with self._writer, self._transaction() as connection:
            if self.dialect == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            yield connection

    def write_concurrently(self, locked_names: Iterable[str], work: Callable[[sa.Connection], T]) -> T:
        """Call `work` in a write transaction, and return what it returns. On PostgreSQL it runs beside other writers.

        `locked_names` are those of all that it touches: two transactions with a name in common run one after the other.
        They are read on PostgreSQL only.
        `work` is called again, in a new transaction, if PostgreSQL ended the first one for a conflict with another one.
        """
        if self.dialect != "postgresql" or len(names := set(locked_names)) > MAX_LOCKED_NAMES:
            with self.write() as connection:
                return work(connection)
        # The lock of writers first, then the others in order, so that no two transactions wait for each other here.
        locks = [None, *sorted({zlib.crc32(name.encode()) - 2**31 for name in names})]
        for attempts_left in reversed(range(WRITE_ATTEMPTS)):
            try:
                with self._transaction() as connection:
                    connection.exec_driver_sql(_LOCK_NAMES, (locks,))
                    return work(connection)
            except DatabaseError as error:
                if not attempts_left or sqlstate(error) not in _CONFLICTS:
                    raise
            # Without a pause it could take the lock again before the transaction that waits for it.
            time.sleep(WRITE_PAUSE_S)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with driver_errors("writing", self.file):
            connection = self._connect().execution_options(kzfeed_write=True)
            with connection, connection.begin():
                if self.dialect == "postgresql":
                    connection.exec_driver_sql(
                        f"SELECT set_config('idle_in_transaction_session_timeout', '{IDLE_WRITER_TIMEOUT_MS}', true)"
                    )
                with counted_inserts(connection):
                    yield connection
            self._has_written = True
            self.check_file()

    def check_file(self) -> None:
        """Raise DatabaseFileReplaced if the SQLite file was deleted, moved or replaced since it was opened.

        Open connections then go on reading and writing a file that nobody will find again.
        """
        if self.file is None or self._file_id is None:
            return
        found = sqlite.file_id(self.file)
        if found != self._file_id:
            what = "another file was put in its place" if found else "it was deleted or moved"
            raise DatabaseFileReplaced(f"the database file {self.file} is no longer the one that kzfeed opened: {what}")

    def tidy(self) -> None:
        """Renew the statistics of SQLite's planner where they are out of date, and write the WAL into the file.

        Each takes a fraction of a second; the second is left out while somebody else uses the file.
        """
        if self.file is None:
            return
        with self.write() as connection:
            connection.exec_driver_sql(f"PRAGMA analysis_limit = {sqlite.ANALYSIS_LIMIT}")
            connection.exec_driver_sql("PRAGMA optimize")
        with suppress(sqlite3.Error):
            sqlite.empty_wal(self.file)

    def _connect(self) -> sa.Connection:
        self.check_file()
        if self.file and self._was_opened and not self.file.is_file():
            # SQLite would create an empty one.
            raise DatabaseMissing(f"there is no database {self.file} any more: put it back, or restore a backup")
        connection = self.engine.connect()
        if self.file and self._file_id is None:
            self._file_id = sqlite.file_id(self.file)
            self._was_opened = True
        return connection

    @contextmanager
    def only_daemon(self) -> Iterator[None]:
        """A lock that makes this the only daemon of an SQLite database. A PostgreSQL database may have several.

        The lock is the operating system's, on a file beside the database, so that it ends with its process. Raises
        DatabaseError if another daemon holds it.
        """
        if self.file is None:
            yield
            return
        # Not on the database file itself: closing that would release SQLite's own locks on it.
        try:
            lock = _lock_file(Path(f"{self.file.resolve()}.daemon"))
        except PermissionError as error:
            raise DatabaseError(sqlite.read_only(self.file)) from error
        try:
            yield
        finally:
            os.close(lock)

    def close(self) -> None:
        """Close all connections. The database can be used again, then also if its file was replaced."""
        if self.file and self._file_id == sqlite.file_id(self.file):
            # No reader can use a damaged file.
            with suppress(sqlite3.Error), sqlite.keeping_companions(self.file):
                if self._has_written:
                    sqlite.empty_wal(self.file)
                self.engine.dispose()
        self.engine.dispose()
        self._file_id = None
        self._has_written = False


def _sqlite_file(url: sa.URL) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "postgresql":
        timeouts = {name: value for name, value in POSTGRESQL_TIMEOUTS.items() if name not in parsed.query}
        # PGCLIENTENCODING could name an encoding that has not all characters of the archive.
        engine = sa.create_engine(parsed, pool_pre_ping=True, connect_args=timeouts | {"client_encoding": "UTF8"})
        sa.event.listen(engine, "do_connect", _Reconnector())
        sa.event.listen(engine, "connect", _prepare_postgresql)
        sa.event.listen(engine, "checkout", _take_access_mode_of_server)
        return engine
    return sqlite.engine(parsed)


class _Reconnector:
    """Connection factory that, for `RECONNECT_S` after a failed attempt, fails at once with the same message."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._message = ""
        self._failing_until = 0.0

    def __call__(self, dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        with self._lock:
            if time.monotonic() < self._failing_until:
                raise dialect.loaded_dbapi.OperationalError(self._message)
            try:
                return dialect.connect(*arguments, **options)
            except Exception as error:
                self._message, self._failing_until = str(error), time.monotonic() + RECONNECT_S
                raise


def _lock_file(path: Path) -> int:
    """Open and lock the file. The lock lasts until the descriptor that is returned is closed."""
    file = None
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        if file is None or not isinstance(error, BlockingIOError):
            raise _database_error("cannot use this database", error) from error
        holder = os.read(file, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(file)
        raise DatabaseError(
            f"another `kzfeed run` (process {holder}) polls into {path.with_suffix('')} already: "
            "stop it first, or use PostgreSQL, which several can share"
        ) from error
    with suppress(OSError):  # a full disk: the lock works without the number
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
    return file


# Compress with lz4 if the server has it and its operator has chosen nothing (docs/decisions/two-engines.md).
_LZ4_COMPRESSION = """
SELECT set_config(name, 'lz4', false) FROM pg_settings
WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)
"""


def _prepare_postgresql(dbapi: Any, _record: object) -> None:
    if (encoding := dbapi.info.parameter_status("server_encoding")) != "UTF8":
        raise DatabaseError(
            f"the encoding of the database {dbapi.info.dbname} is {encoding}, which has not all characters: "
            "CREATE DATABASE NAME ENCODING 'UTF8' TEMPLATE template0 makes one that kzfeed can use"
        )
    # East of UTC, the last hours of the year 9999 would be read as the year 10000, which Python does not have. The
    # driver reads times and intervals in these two styles only; a server, a role or a variable may choose others.
    dbapi.execute("SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'; SET IntervalStyle TO 'postgres'")
    dbapi.execute(_LZ4_COMPRESSION)
    dbapi.commit()


def _take_access_mode_of_server(dbapi: Any, _record: object, _proxy: object) -> None:
    # SQLAlchemy leaves READ WRITE behind where a transaction only read: the next one would write although the operator,
    # or a server whose disk is full, has set default_transaction_read_only.
    dbapi.read_only = None


@contextmanager
def driver_errors(doing: str, file: Path | None) -> Iterator[None]:
    """Raises errors of SQLAlchemy and of drivers as DatabaseError."""
    try:
        yield
    except SQLAlchemyError as error:
        original = getattr(error, "orig", None)
        if was_stopped(original):
            raise StatementTimeout(TOO_LONG) from error
        if refusal := sqlite.refusal(original, file) if file else _postgresql_refusal(original):
            raise DatabaseError(refusal) from error
        where = f": {file}" if file else ""
        raise _database_error(f"{doing} the database failed{where}", error) from error


def _postgresql_refusal(error: object) -> str | None:
    """A sentence for an error that says that this role may not read or write; None for any other error."""
    if getattr(error, "sqlstate", None) == "42501":  # insufficient_privilege
        return f"the role in this database's URL lacks a right (docs/database.md says who needs which): {error}"
    if getattr(error, "sqlstate", None) == _READ_ONLY:
        return f"the database is read-only at present (default_transaction_read_only, or a standby): {error}"
    return None


def name_of_source(source_id: int) -> str:
    """The name of a source for `write_concurrently`."""
    return f"source {source_id}"


def name_of_host(url: str) -> str:
    """The name of a URL's host for `write_concurrently`; the host with a final dot is the same."""
    return f"host {host_of(url).rstrip('.')}"


def sqlstate(error: DatabaseError) -> str | None:
    """The SQLSTATE by which PostgreSQL reported the error."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)


def is_database_failure(error: DatabaseError) -> bool:
    """Whether the database itself failed (unreachable, locked, full, damaged), and not one statement."""
    if isinstance(error, DatabaseFileReplaced) or sqlstate(error) == _READ_ONLY:
        return True
    cause = error.__cause__
    if isinstance(cause, DBAPIError) and cause.connection_invalidated:
        return True
    # SQLite reports a damaged file by the plain DatabaseError, not by a subclass.
    return isinstance(cause, OperationalError | PoolTimeoutError) or type(cause) is DriverDatabaseError


def _database_error(what: str, error: Exception) -> DatabaseError:
    # SQLAlchemy's message repeats the statement with all its values: the driver's own message is enough.
    reason = getattr(error, "orig", None) or error
    return DatabaseError(f"{what}: {redacted(' '.join(str(reason).split()))}")
