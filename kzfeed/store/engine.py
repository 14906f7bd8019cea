"""Connections and transactions on either engine: a database URL in, an Engine out that keeps our rules.

A write transaction is alone: SQLite's BEGIN IMMEDIATE, PostgreSQL's advisory lock. So what a transaction read stays
true until it commits, and two writers never meet half-way.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from kzfeed.errors import DatabaseError
from kzfeed.redact import redact_text

SQLITE_BUSY_TIMEOUT_S = 60
# Any fixed number will do: it only has to differ from the locks of other programs in the same database.
WRITER_LOCK = 5_021_747_902


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
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
                yield connection

    def close(self) -> None:
        """Give all connections back; the database can be opened again."""
        self.engine.dispose()


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    engine = sa.create_engine(parsed, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(dbapi: Any, _record: object) -> None:
    # sqlite3's own transaction handling begins too late and commits before CREATE: BEGIN is ours.
    dbapi.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        dbapi.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("kzfeed_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _failures(doing: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise _database_error(f"{doing} the database failed", error) from error


def _database_error(what: str, error: Exception) -> DatabaseError:
    # SQLAlchemy's own text repeats the whole statement with its values: the driver's words are what a person needs.
    reason = getattr(error, "orig", None) or error
    return DatabaseError(f"{what}: {redact_text(' '.join(str(reason).split()))}")
