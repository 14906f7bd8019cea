"""Connections to SQLite files: write-ahead log (WAL), locks, and readers without write permission.

SQLite lets such a reader open a database in WAL mode only if its companions `-wal` and `-shm` exist, or can be created
(https://sqlite.org/wal.html#readonly). So kzfeed leaves them in place when it closes a database.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from kzfeed.errors import DatabaseError

BUSY_TIMEOUT_S = 60
PAGE_BYTES = 16_384
"""Page size of a new file (docs/decisions/page-size.md)."""
CACHE_KB = 16_000
"""Page cache of a connection: what one transaction usually touches."""
ANALYSIS_LIMIT = 400
"""The most rows of an index that are read for the planner's statistics."""
COMPANIONS = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database."""

_WITHOUT_LOCKS = "kzfeed_without_locks"
_IN_WAL_MODE = "kzfeed_in_wal_mode"


def engine(url: sa.URL) -> sa.Engine:
    """A pool of connections to the file of this URL."""
    # Last in, first out: the connection used last has the fullest page cache.
    pool: dict[str, Any] = {"poolclass": sa.QueuePool, "pool_use_lifo": True}
    made = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, **pool)
    sa.event.listen(made, "do_connect", _connect)
    sa.event.listen(made, "connect", _prepare)
    sa.event.listen(made, "begin", _begin)
    return made


def file_id(file: Path) -> tuple[int, int] | None:
    """The identity of a file, whatever its name: device and inode. None if there is no such file."""
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


@contextmanager
def unchanged(file: Path | None, connection: sa.Connection) -> Iterator[None]:
    """Raise DatabaseError at the end of the block if the connection has no locks and the file was changed meanwhile."""
    try:
        yield
    finally:
        before = connection.info.get(_WITHOUT_LOCKS)
        if file and before and before != _state(file):
            raise DatabaseError(f"{file} was changed while it was read: run the command again")


@contextmanager
def keeping_companions(file: Path) -> Iterator[None]:
    """Keep `-wal` and `-shm` when this process closes its other connections to the file within the block.

    SQLite deletes them when the last connection is closed, unless that one may only read. Raises sqlite3.Error.
    """
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as last:
        last.execute("PRAGMA schema_version").fetchall()
        yield


def empty_wal(file: Path) -> None:
    """Write the contents of the WAL into the database file, unless somebody uses it. Raises sqlite3.Error."""
    with closing(sqlite3.connect(file, timeout=0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def refusal(error: object, file: Path) -> str | None:
    """A sentence for an error that says that the file is damaged, or that this user may not read or write it.

    None for any other error.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_CORRUPT:
        return (
            f"{file} is damaged ({error}): restore a backup, or let `kzfeed db rescue FILE` write a new database with "
            "all that can be read (docs/backup.md)"
        )
    if code == sqlite3.SQLITE_READONLY:
        return read_only(file)
    if code == sqlite3.SQLITE_CANTOPEN and os.path.exists(file):  # noqa: PTH110 - Path.exists raises PermissionError
        if os.access(file, os.R_OK):
            return f"{file}: this user may not write the files beside it: run the command as {_owner(file)}"
        return f"this user may not read {file}: docs/database.md says how to let a group read it"
    return None


def read_only(file: Path) -> str:
    """The sentence for a command that has to write to a file that it may only read."""
    return f"this user may only read {file}, and the command has to write: run it as {_owner(file)}"


def _owner(file: Path) -> str:
    try:
        return f"the user {file.owner()}, who owns the file"
    except (KeyError, OSError):
        return "the user who owns the file"


def _connect(dialect: Dialect, entry: ConnectionPoolEntry, arguments: list[Any], options: dict[str, Any]) -> Any:
    """A connection. Where this user can neither use nor create the companions, it reads the file without locks."""
    connection: Any = dialect.connect(*arguments, **options)
    file = Path(arguments[0])
    before = _state(file)
    try:
        connection.execute("PRAGMA schema_version").fetchall()
    except sqlite3.Error as error:
        connection.close()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        # Without locks, changes in a WAL would not be seen.
        if code not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN) or not before or before[-1]:
            raise
        entry.info[_WITHOUT_LOCKS] = before
        return dialect.connect(f"{file.absolute().as_uri()}?immutable=1", **options, uri=True)
    return connection


def _state(file: Path) -> tuple[int, ...] | None:
    """What changes whenever somebody writes to the database; the last number is the size of the WAL."""
    try:
        found = file.stat()
    except OSError:
        return None
    try:
        wal = Path(f"{file}-wal").stat().st_size
    except FileNotFoundError:
        wal = 0
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, wal


def _prepare(connection: Any, _entry: object) -> None:
    # sqlite3's own transactions begin at the first change and end before CREATE: kzfeed begins them itself.
    connection.isolation_level = None
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    if encoding != "UTF-8":
        raise sqlite3.DatabaseError(
            f"another program made this file with text in {encoding}, and kzfeed needs UTF-8: give kzfeed a new file"
        )
    pragmas = (
        f"page_size = {PAGE_BYTES}",  # has no effect once a file has a page
        "synchronous = NORMAL",
        "foreign_keys = ON",
        f"cache_size = -{CACHE_KB}",
    )
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get("kzfeed_write"):
        connection.exec_driver_sql("BEGIN")
        return
    # Only a writer sets it, so that a reader needs no permission to write.
    if _IN_WAL_MODE not in connection.info:
        _set_wal_mode(connection)
        connection.info[_IN_WAL_MODE] = True
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _set_wal_mode(connection: sa.Connection) -> None:
    # Setting WAL mode upgrades a read lock to a write lock, for which SQLite does not wait.
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            # Not through the driver itself: SQLAlchemy's errors are those that become sentences.
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except sa.exc.OperationalError as error:
            code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
