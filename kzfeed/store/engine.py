"""Connections and transactions on either engine: a database URL in, an Engine out that keeps our rules.

A write transaction is alone: SQLite's BEGIN IMMEDIATE, PostgreSQL's advisory lock. So what a transaction read stays
true until it commits, and two writers never meet half-way.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DatabaseError as DriverDatabaseError
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kzfeed.errors import DatabaseError
from kzfeed.text import redacted

SQLITE_BUSY_TIMEOUT_S = 60
SQLITE_PAGE = 16_384
"""In bytes, of a new file: an article of 30 KB is written in a third less time than in pages of 4,096, for it spills
over fewer of them, and four times as much is gathered before it is brought from the WAL into the file."""
SQLITE_CACHE_KB = 16_000
"""What one transaction usually touches: with SQLite's own 2 MB it would read and write many a page twice."""
# Any fixed number will do: it only has to differ from the locks of other programs in the same database.
WRITER_LOCK = 5_021_747_902
RECONNECT_S = 1.0
"""A PostgreSQL that could not be reached is not asked again any sooner."""
POSTGRESQL_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # the only one in milliseconds
}
"""For libpq: a server that vanished without a word is given up after a minute. A URL may say otherwise."""
HELD_UP_MS = 60_000
"""How long a writer may do nothing within its transaction: one whose machine vanished must not stop all the others."""


class Database:
    """One database, reached through a pool of connections; safe to share between threads."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        """`url` as operators write it: `sqlite:///kzfeed.db`, `postgresql://user@host/name`.

        An SQLite file that is not there is made, or with `create=False` it is an error.
        """
        try:
            self.engine = _engine(url)
            file = self.engine.url.database
            if self.engine.dialect.name == "sqlite" and not create and not Path(file or "").is_file():
                raise DatabaseError(f"there is no database {file}: `kzfeed backfill` and `kzfeed poll` make one")
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise _database_error("cannot use this database", error) from error
        self.dialect = self.engine.dialect.name
        # SQLite polls for its lock with pauses; within one process a real lock is fair and at once.
        self._writer = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection on which everything is seen as of one moment."""
        with _failures("reading"), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """The only writer, until the block ends: committed at its end, rolled back when it raises."""
        with _failures("writing"), self._writer:
            connection = self.engine.connect().execution_options(kzfeed_write=True)
            with connection, connection.begin():
                if self.dialect == "postgresql":
                    connection.exec_driver_sql(
                        f"SELECT pg_advisory_xact_lock({WRITER_LOCK}), "
                        f"set_config('idle_in_transaction_session_timeout', '{HELD_UP_MS}', true)"
                    )
                yield connection

    @contextmanager
    def only_daemon(self) -> Iterator[None]:
        """Be the daemon of this database while the block runs; several may share a PostgreSQL, but not an SQLite file.

        The lock is the kernel's, on a file beside the database, so that it ends with its process however that ends.
        Raises DatabaseError where another daemon has it.
        """
        if self.dialect != "sqlite":
            yield
            return
        # Not the database file itself: closing it here would drop SQLite's own locks on it.
        file = _locked(Path(f"{Path(self.engine.url.database or '').resolve()}.daemon"))
        try:
            yield
        finally:
            os.close(file)

    def close(self) -> None:
        """Give all connections back; the database can be opened again."""
        self.engine.dispose()


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "postgresql":
        patience = {name: value for name, value in POSTGRESQL_PATIENCE.items() if name not in parsed.query}
        engine = sa.create_engine(parsed, pool_pre_ping=True, connect_args=patience)
        sa.event.listen(engine, "do_connect", _Connector())
        sa.event.listen(engine, "connect", _prepare_postgresql)
        return engine
    # Last in, first out: the connection used last has the most in its cache.
    pool: dict[str, Any] = {"poolclass": sa.QueuePool, "pool_use_lifo": True}
    engine = sa.create_engine(parsed, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S}, **pool)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


class _Connector:
    """Connects, one at a time; for a while after a failure every attempt fails at once, with the same words."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words = ""
        self._closed_until = 0.0

    def __call__(self, dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        with self._lock:
            if time.monotonic() < self._closed_until:
                raise dialect.loaded_dbapi.OperationalError(self._words)
            try:
                return dialect.connect(*arguments, **options)
            except Exception as error:
                self._words, self._closed_until = str(error), time.monotonic() + RECONNECT_S
                raise


def _locked(path: Path) -> int:
    """The file, open and locked until it is closed."""
    file = None
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if file is None or not isinstance(error, BlockingIOError):
            raise _database_error("cannot use this database", error) from error
        holder = os.read(file, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(file)
        raise DatabaseError(
            f"another `kzfeed run` (process {holder}) polls into {path.with_suffix('')} already: "
            "stop it first, or use PostgreSQL, which several can share"
        ) from error
    with suppress(OSError):  # on a full disk the lock says enough
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
    return file


# PostgreSQL's own compression takes two thirds of the time in which it stores an article, lz4 next to nothing, and no
# more room. Not every server has it, and what its operator has chosen stays.
_QUICK_COMPRESSION = """
SELECT set_config(name, 'lz4', false) FROM pg_settings
WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)
"""


def _prepare_postgresql(dbapi: Any, _record: object) -> None:
    # In a zone east of UTC the last instants of the year 9999 would be read as the year 10000, which Python has not.
    dbapi.execute("SET TIME ZONE 'UTC'")
    dbapi.execute(_QUICK_COMPRESSION)
    dbapi.commit()


def _prepare_sqlite(dbapi: Any, _record: object) -> None:
    # sqlite3's own transaction handling begins too late and commits before CREATE: BEGIN is ours.
    dbapi.isolation_level = None
    (encoding,) = dbapi.execute("PRAGMA encoding").fetchone()
    if encoding != "UTF-8":
        raise sqlite3.DatabaseError(
            f"another program made this file for text in {encoding}: kzfeed needs one for UTF-8, so let it make its own"
        )
    dbapi.execute(f"PRAGMA page_size = {SQLITE_PAGE}")  # first: it is settled when a new file becomes a WAL database
    _write_ahead(dbapi)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", f"cache_size = -{SQLITE_CACHE_KB}"):
        dbapi.execute(f"PRAGMA {pragma}")


def _write_ahead(dbapi: Any) -> None:
    # Whoever makes a new file a WAL database goes from reading to writing, and for that SQLite never waits.
    until = time.monotonic() + SQLITE_BUSY_TIMEOUT_S
    while True:
        try:
            dbapi.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("kzfeed_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _failures(doing: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise _database_error(f"{doing} the database failed", error) from error


def is_database_failure(error: DatabaseError) -> bool:
    """Whether the database itself is in trouble: away, locked, full, damaged; and not what was to be written."""
    cause = error.__cause__
    if isinstance(cause, DBAPIError) and cause.connection_invalidated:
        return True
    # The driver's plain DatabaseError is how SQLite says that its file is damaged.
    return isinstance(cause, OperationalError | PoolTimeoutError) or type(cause) is DriverDatabaseError


def _database_error(what: str, error: Exception) -> DatabaseError:
    # SQLAlchemy's own text repeats the whole statement with its values: the driver's words are what a person needs.
    reason = getattr(error, "orig", None) or error
    return DatabaseError(f"{what}: {redacted(' '.join(str(reason).split()))}")
