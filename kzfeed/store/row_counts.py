"""Row counts of the tables (table `row_counts`), by which `verify` sees that rows were deleted.

Each of the tables COUNTED must hold as many rows as kzfeed has inserted, less those that it has deleted: old polls,
which are summed up (`poll_days`). The counts are written in the transaction that inserts or deletes the rows. On
PostgreSQL the count of a table is the sum of several rows, so that concurrent transactions do not wait for each other.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables

_NOT_COUNTED = (
    *(tables.hosts, tables.host_queue, tables.claims, tables.daemons, tables.row_counts, tables.day_counts),
    tables.archive_identity,
    tables.filtered_entries,
    tables.robots_txt,
)
COUNTED = [table for table in tables.metadata.sorted_tables if table not in _NOT_COUNTED]

SLOTS = 64
"""The most rows that share the count of a table."""
_SLOT = {"sqlite": "0", "postgresql": f"pg_backend_pid() % {SLOTS}"}
# Text, because both engines share this syntax and SQLAlchemy has `ON CONFLICT` only for one dialect at a time.
_ADD = {
    dialect: sa.text(
        f"INSERT INTO row_counts (table_name, slot, row_count) VALUES (:table_name, {slot}, :inserted) "  # noqa: S608
        "ON CONFLICT (table_name, slot) DO UPDATE SET row_count = row_counts.row_count + excluded.row_count"
    )
    for dialect, slot in _SLOT.items()
}


@contextmanager
def counted_inserts(connection: sa.Connection) -> Iterator[None]:
    """Count the rows that INSERT statements insert within the block, and add them to the counts at its end.

    Statements are SQLAlchemy's `Insert`, each inserting one row for each of its parameter sets.
    """
    inserted: Counter[str] = Counter()

    def count(_connection: Any, statement: Any, parameter_sets: Any, *_: Any) -> None:
        if isinstance(statement, sa.Insert) and statement.table in COUNTED:
            inserted[statement.table.name] += len(parameter_sets) or 1

    sa.event.listen(connection, "after_execute", count)
    yield
    if inserted:
        _add(connection, inserted)


def count_deleted(connection: sa.Connection, table: sa.Table, deleted: int) -> None:
    """Take rows that kzfeed itself has deleted from the count of their table."""
    _add(connection, {table.name: -deleted})


def _add(connection: sa.Connection, rows: Mapping[str, int]) -> None:
    counts = [{"table_name": name, "inserted": number} for name, number in sorted(rows.items())]
    connection.execute(_ADD[connection.dialect.name], counts)


def row_counts(connection: sa.Connection) -> dict[str, int]:
    """The counted rows of each table, by its name; a table of which none was counted is missing."""
    row_count = tables.row_counts.c
    sums = sa.select(row_count.table_name, sa.func.sum(row_count.row_count)).group_by(row_count.table_name)
    return {table_name: int(rows) for table_name, rows in connection.execute(sums)}


def wrong_counts(connection: sa.Connection) -> Iterator[tuple[str, int, int]]:
    """Each table whose number of rows is not what was counted: its name, the rows counted, the rows it holds."""
    counted = row_counts(connection)
    for table in COUNTED:
        held = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        if held != counted.get(table.name, 0):
            yield table.name, counted.get(table.name, 0), held
