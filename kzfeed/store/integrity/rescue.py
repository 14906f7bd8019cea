"""Rescue of a damaged SQLite database: a new file with every row that can be read.

The new file has the current schema. Rows that cannot be read are named; rows that belong to lost ones are left out and
named too, except those of a lost source, which gets a placeholder.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import DatabaseError, UsageError
from kzfeed.files.atomic_file import atomic_file
from kzfeed.store import schema, tables
from kzfeed.store.backup import refuse_target, remove_sqlite_companions
from kzfeed.store.day_counts import rebuild_statement
from kzfeed.store.engine import Database
from kzfeed.store.integrity.damage import is_damage, ranges, read_around, row_ids
from kzfeed.store.transfer.article_log import archive_id

BATCH = 200
_NOT_COPIED = ("row_counts", "day_counts", "host_queue", "claims", "daemons", "archive_identity")
"""Tables that follow from what was copied, hold for running daemons only, or have their row from the beginning."""


def rescue(database: Database, file: Path, report: Callable[[str], None]) -> dict[str, int]:
    """Write all that can be read of `database` to the new database `file`; return the number of rows by table.

    `report` is called with a sentence for each loss. Raises UsageError if `file` exists or the database is not
    an SQLite file, and DatabaseError if not even its schema can be read.
    """
    if database.file is None:
        raise UsageError("`db rescue` reads around damaged pages of an SQLite file: for PostgreSQL, restore a backup")
    refuse_target(database, file, overwrite=False)
    with atomic_file(file, mode=0o600) as temporary:
        try:
            return _write(database, temporary, report)
        except DatabaseError as error:
            if isinstance(error.__cause__, sa.exc.DBAPIError) and is_damage(error.__cause__):
                raise DatabaseError(f"not even the schema of {database.file} can be read: restore a backup") from error
            raise
        finally:
            remove_sqlite_companions(temporary)


def _write(database: Database, file: Path, report: Callable[[str], None]) -> dict[str, int]:
    rescued = Database(sa.URL.create("sqlite", database=str(file)).render_as_string())
    losses: list[str] = []

    def lose(sentence: str) -> None:
        losses.append(sentence)
        report(sentence)

    with _of_full_length(database, file.parent, lose) as damaged:
        schema.create(rescued, _revision(damaged))
        rescued.close()
        with closing(sqlite3.connect(file)) as copy:  # SQLite does not enforce foreign keys unless told to
            _copy_tables(damaged, copy, lose)
            _repair_references(copy, lose)
            if losses:
                # Validators must not vouch for a document whose articles are lost: the next poll reads it again.
                copy.execute(
                    "UPDATE sources SET validators_url = NULL, etag = NULL, last_modified = NULL, body_hash = NULL"
                )
            copy.commit()
        schema.upgrade(rescued)
        rescued.close()
        with closing(sqlite3.connect(file)) as copy:
            _copy_identity(damaged, copy)
            counts = _set_counts(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    return counts


@contextmanager
def _of_full_length(database: Database, folder: Path, lose: Callable[[str], None]) -> Iterator[Database]:
    """The database, or a copy in `folder` with zeros at the end if its file is cut short: SQLite does not read that."""
    file = database.file
    assert file is not None  # noqa: S101 - for the type checker
    full_length = _length_in_header(file)
    # After a crash the end of a short file may be in its WAL: then SQLite reads it.
    if file.stat().st_size >= full_length or _can_be_read(database):
        yield database
        return
    lose(f"{file} lacks its last {full_length - file.stat().st_size:,} bytes")
    with TemporaryDirectory(prefix=".kzfeed-rescue-", dir=folder) as place:
        copy = Path(place) / "database"
        shutil.copyfile(file, copy)
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{file}-wal", f"{copy}-wal")
        os.truncate(copy, full_length)
        with closing(Database(sa.URL.create("sqlite", database=str(copy)).render_as_string())) as padded:
            yield padded


def _length_in_header(file: Path) -> int:
    """The length that a file must have by its header; 0 if that does not say it (https://sqlite.org/fileformat2.html)."""
    with file.open("rb") as raw:
        header = raw.read(100)
    page_bytes, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    is_valid = header.startswith(b"SQLite format 3\0") and header[24:28] == header[92:96]
    return (65_536 if page_bytes == 1 else page_bytes) * pages if is_valid else 0


def _can_be_read(database: Database) -> bool:
    try:
        schema.current(database)
    except DatabaseError:
        return False
    return True


def _revision(database: Database) -> str:
    try:
        return schema.current(database) or schema.HEAD
    except DatabaseError:
        return schema.HEAD


def _copy_tables(database: Database, copy: sqlite3.Connection, lose: Callable[[str], None]) -> None:
    with database.read() as connection:
        counted = _counted(connection)
        present = set(sa.inspect(connection).get_table_names())
        for table in tables.metadata.sorted_tables:
            name = table.name
            columns = [row[1] for row in copy.execute(f'PRAGMA table_info("{name}")')]
            if name in _NOT_COPIED or not columns:
                continue
            if name not in present:
                lose(f"{name}: the table is missing")
                continue
            lost: list[int] = []
            _copy_rows(connection, copy, name, columns, lost.append)
            if lost:
                lose(f"{name}: {len(lost)} of its rows cannot be read (rowid {ranges(sorted(lost))})")
            held = copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - a name of ours
            if (unnamed := counted.get(name, 0) - held - len(lost)) > 0:
                lose(f"{name}: {unnamed} more of the rows that were stored cannot be found")


def _counted(connection: sa.Connection) -> dict[str, int]:
    try:
        rows = connection.exec_driver_sql("SELECT table_name, row_count FROM row_counts").all()
    except sa.exc.DBAPIError:
        return {}  # an older schema, or damaged as well
    return {row.table_name: row.row_count for row in rows}


def _copy_rows(
    connection: sa.Connection,
    copy: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    on_lost: Callable[[int], None],
) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    insert = f'INSERT INTO "{table}" (rowid, {names}) VALUES (?, {", ".join("?" * len(columns))})'  # noqa: S608

    def read(ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        wanted = ", ".join(map(str, ids))
        query = f'SELECT rowid, {names} FROM "{table}" NOT INDEXED WHERE rowid IN ({wanted})'  # noqa: S608
        return {row[0]: tuple(row) for row in connection.exec_driver_sql(query)}

    ids = row_ids(connection, table)
    for start in range(0, len(ids), BATCH):
        for row in read_around(read, ids[start : start + BATCH], on_lost):
            try:
                copy.execute(insert, row)
            except sqlite3.IntegrityError:  # a damaged row that repeats another's key, or lacks a value
                on_lost(row[0])
    copy.commit()


def _repair_references(copy: sqlite3.Connection, lose: Callable[[str], None]) -> None:
    """Give lost sources a placeholder, and leave out what belongs to other lost rows."""
    for table, parent, column in _references(copy):
        if parent == "sources":
            query = f'SELECT DISTINCT "{column}" FROM "{table}" WHERE "{column}" NOT IN (SELECT id FROM sources)'  # noqa: S608
            for (source_id,) in copy.execute(query).fetchall():
                name = f"rescued-source-{source_id}"
                copy.execute(
                    "INSERT INTO sources (id, name, enabled, status, auto, failure_count, moved_polls, ask_in_full) "
                    "VALUES (?, ?, 0, 'active', 0, 0, 0, 0)",
                    (source_id, name),
                )
                lose(f"sources: id {source_id} is lost; what belongs to it is kept under the name {name}")
    for table, parent, column in _references(copy):
        where = f'"{column}" NOT IN (SELECT id FROM "{parent}")'  # noqa: S608 - names of the schema
        orphans = copy.execute(f'SELECT rowid FROM "{table}" WHERE {where} ORDER BY rowid').fetchall()  # noqa: S608
        if orphans:
            copy.execute(f'DELETE FROM "{table}" WHERE {where}')  # noqa: S608 - names of ours
            lose(
                f"{table}: {len(orphans)} rows are left out, because they belong to lost rows of {parent} "
                f"(rowid {ranges([rowid for (rowid,) in orphans])})"
            )


def _references(copy: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Each foreign key: its table, the table that it refers to (always by `id`), and its column."""
    return [
        (table.name, row[2], row[3])
        for table in tables.metadata.sorted_tables
        for row in copy.execute(f'PRAGMA foreign_key_list("{table.name}")')
    ]


def _copy_identity(database: Database, copy: sqlite3.Connection) -> None:
    """Give the copy the identity of the damaged database. Where that has none that can be read, it keeps its own."""
    with suppress(DatabaseError):
        if identity := archive_id(database):
            copy.execute("UPDATE archive_identity SET id = ?", (identity,))


def _set_counts(copy: sqlite3.Connection) -> dict[str, int]:
    """Set the row counts and day counts to what the file holds, and return the row counts."""
    copy.execute("DELETE FROM day_counts")
    copy.execute(rebuild_statement("sqlite"))
    copy.execute("DELETE FROM row_counts")
    counts = {
        table.name: int(copy.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0])  # noqa: S608 - a name of ours
        for table in tables.metadata.sorted_tables
        if table.name not in ("hosts", *_NOT_COPIED)
    }
    copy.executemany("INSERT INTO row_counts (table_name, row_count) VALUES (?, ?)", counts.items())
    copy.commit()
    return counts
