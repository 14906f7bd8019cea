"""Backup of the whole database into one file, consistent as of one moment, while a daemon may run.

The file appears whole or not at all. SQLite's backup is an SQLite database, PostgreSQL's a dump for pg_restore.
"""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from kzfeed.errors import KzfeedError, UsageError
from kzfeed.files.atomic_file import atomic_file
from kzfeed.store.engine import Database
from kzfeed.store.search.sqlite_schema import file_of
from kzfeed.store.sqlite import COMPANIONS
from kzfeed.text import redacted

PAGES = 4096
"""So many pages of an SQLite file (16 MiB) are copied between two checks for Ctrl-C."""

OnProgress = Callable[[int, int], None]


class BackupError(KzfeedError):
    """No backup was written; the message says why, and what to do."""


def backup(
    database: Database, file: Path, *, overwrite: bool = False, on_progress: OnProgress = lambda done, total: None
) -> int:
    """Write a copy of the database to `file`, readable by its owner only, and return its size in bytes.

    An existing file is refused, or with `overwrite` replaced once the new one is whole. `on_progress` is called with
    the number of SQLite pages copied, and of all. Raises UsageError, BackupError, DatabaseError, OSError.
    """
    refuse_target(database, file, overwrite=overwrite)
    with atomic_file(file, mode=0o600) as temporary:
        if database.dialect == "sqlite":
            try:
                _copy_sqlite(database, temporary, on_progress)
            finally:
                remove_sqlite_companions(temporary)
        else:
            _dump_postgresql(database, temporary)
        size = temporary.stat().st_size
        refuse_target(database, file, overwrite=overwrite)  # the copy may have taken an hour
    return size


def remove_sqlite_companions(file: Path) -> None:
    """Delete the files that SQLite keeps beside a database in use, and leaves behind after an error."""
    for ending in COMPANIONS:
        Path(f"{file}{ending}").unlink(missing_ok=True)


def refuse_target(database: Database, file: Path, *, overwrite: bool) -> None:
    """Raise UsageError if writing to `file` would destroy something, or cannot work."""
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(f"{file}: expected the name of a file in a folder that exists")
    if database.dialect == "sqlite":
        source = Path(database.engine.url.database or "").resolve()
        own = {Path(f"{each}{ending}") for each in (source, file_of(source)) for ending in ("", ".daemon", *COMPANIONS)}
        if file.resolve() in own:
            raise UsageError(f"{file} belongs to the database itself: give another name")
        # SQLite takes a file of this name for changes to FILE.
        if beside := [name for ending in COMPANIONS if (name := Path(f"{file}{ending}")).exists()]:
            raise UsageError(f"{beside[0]} exists, as beside a database in use: give another name")
    if not overwrite and (file.exists() or file.is_symlink()):
        raise UsageError(f"{file} exists: give another name, or --overwrite")


# --- SQLite ----------------------------------------------------------------------------------------------------------


def _copy_sqlite(database: Database, file: Path, on_progress: OnProgress) -> None:
    try:
        with database.read() as connection, closing(sqlite3.connect(file, isolation_level=None)) as copy:
            # The first read fixes the moment: otherwise each commit of the daemon would restart the copy.
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)  # noqa: S101 - for the type checker
            # Python handles Ctrl-C only between calls of Python code.
            source.backup(copy, pages=PAGES, progress=lambda _, left, total: on_progress(total - left, total))
            # One file that opens from a read-only disk too. kzfeed sets WAL mode again when it opens it.
            copy.execute("PRAGMA journal_mode = DELETE")
            said = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:  # the rest of the code says in what way
            raise BackupError(f"no backup was written: {error}") from error
        said = [str(error)]
    if said != ["ok"]:
        raise BackupError(
            f"no backup was written, the database is damaged: SQLite finds: {'; '.join(said)}; "
            "run `kzfeed verify`, keep the backups that there are, and see docs/backup.md for `kzfeed db rescue`"
        )


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def _dump_postgresql(database: Database, file: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupError(
            "no backup was written: there is no pg_dump on the PATH; install PostgreSQL's client programs "
            "(postgresql-client on Debian), or run `pg_dump --format=custom` where the server is"
        )
    with database.read() as connection:
        server, address, secrets = _connection(connection.connection.driver_connection)
    if (version := _version(program)) < server:
        raise BackupError(
            f"no backup was written: {program} is version {version} and the server {server}; pg_dump must not be the "
            f"older one: install the client programs of PostgreSQL {server} and put them first on the PATH"
        )
    command = [program, "--format=custom", "--encoding=UTF8", "--no-password", f"--file={file}", f"--dbname={address}"]
    done = subprocess.run(command, env=os.environ | secrets, capture_output=True, check=False)  # noqa: S603 - no shell
    if done.returncode:
        # Behind "detail" is the whole query, with the names of all tables.
        said = redacted(" ".join(done.stderr.decode(errors="replace").partition("\npg_dump: detail:")[0].split()))
        raise BackupError(f"no backup was written: {said or f'pg_dump ended with {done.returncode}'}")


def _connection(raw: Any) -> tuple[int, str, dict[str, str]]:
    """The server's major version, its address without secrets, and the secrets as environment variables.

    Every user sees a process's arguments, and only its own user its environment.
    """
    from psycopg.conninfo import make_conninfo

    hidden = [option for option in raw.pgconn.info if option.dispchar == b"*"]  # libpq's mark for passwords
    keywords = {option.keyword.decode() for option in hidden}
    parameters = {name: value for name, value in raw.info.get_parameters().items() if name not in keywords}
    secrets = {option.envvar.decode(): option.val.decode() for option in hidden if option.envvar and option.val}
    return raw.info.server_version // 10000, make_conninfo(**parameters), secrets


def _version(program: str) -> int:
    """The major version of a pg_dump program, 16 for `pg_dump (PostgreSQL) 16.4`."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if done.returncode or not found:
        raise BackupError(f"no backup was written: {program} does not say which version it is")
    return int(found[1])
