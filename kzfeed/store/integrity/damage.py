"""Reading around the damaged pages of an SQLite file: which rows there are, and which of them can be read."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import sqlalchemy as sa

Row = TypeVar("Row")


def is_damage(error: sa.exc.DBAPIError) -> bool:
    """Whether SQLite found a damaged page, or its driver bytes in a text that are not UTF-8."""
    if not isinstance(error.orig, sqlite3.Error):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        return str(error.orig).startswith("Could not decode to UTF-8")
    return bool(code & 0xFF == sqlite3.SQLITE_CORRUPT)


def row_ids(connection: sa.Connection, table: str) -> list[int]:
    """The rowids of the table's rows, in order, as far as the table or one of its indexes can be read.

    An index of the whole table lists all its rows, also those on damaged pages.
    """
    found, is_complete = _scan(connection, f'SELECT rowid FROM "{table}" NOT INDEXED ORDER BY rowid')  # noqa: S608 - names of the schema
    for index in [] if is_complete else _indexes(connection, table):
        columns = [row.name for row in connection.exec_driver_sql(f'PRAGMA index_info("{index}")')]
        order = ", ".join(f'"{column}" {{0}}' for column in columns)
        # Within an index, rows of one key are in order of their rowids.
        query = f'SELECT rowid FROM "{table}" INDEXED BY "{index}" ORDER BY {order}, rowid {{0}}'  # noqa: S608 - names of the schema
        more, is_complete = _scan(connection, query.format(""))
        found |= more
        if is_complete:
            break
        found |= _scan(connection, query.format("DESC"))[0]
    return sorted(found)


def _indexes(connection: sa.Connection, table: str) -> list[str]:
    return [row.name for row in connection.exec_driver_sql(f'PRAGMA index_list("{table}")') if not row.partial]


def _scan(connection: sa.Connection, query: str) -> tuple[set[int], bool]:
    """The rowids up to the first damaged page, and whether there was none."""
    found: set[int] = set()
    try:
        for row in connection.exec_driver_sql(query, execution_options={"stream_results": True, "yield_per": 1000}):
            found.add(row[0])
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        return found, False
    return found, True


def read_around(
    read: Callable[[Sequence[int]], Mapping[int, Row]], ids: Sequence[int], on_lost: Callable[[int], None]
) -> Iterator[Row]:
    """The rows of these ids, in order. `read` reads some of them at once; `on_lost` gets the ids that it cannot."""
    try:
        rows = read(ids)
    except sa.exc.DBAPIError as error:
        if not is_damage(error):
            raise
        rows = None
    if rows is None and len(ids) > 1:
        half = len(ids) // 2
        yield from read_around(read, ids[:half], on_lost)
        yield from read_around(read, ids[half:], on_lost)
        return
    for each in ids:
        if rows and each in rows:
            yield rows[each]
        else:
            on_lost(each)


def ranges(ids: Sequence[int]) -> str:
    """Sorted ids in few words: `3, 7-12`."""
    spans: list[list[int]] = []
    for each in ids:
        if spans and each == spans[-1][1] + 1:
            spans[-1][1] = each
        else:
            spans.append([each, each])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
