"""What a check of the database finds, in words; and rows read so that no value in them stops the check.

Damage is what kzfeed never writes. What an older kzfeed, a clock that was put back or an archive file explains just as
well is a note: nothing is called damaged that only cannot be checked.
"""

from typing import Any

import sqlalchemy as sa

from kzfeed.model import Finding

_RESTORE = "put the row back from a backup (docs/backup.md)"
_DAMAGE = {
    "file": "restore a backup, or write a new database of what can be read by `kzfeed db rescue` (docs/backup.md)",
    "schema": "put it back as migrations/versions makes it, or restore a backup (docs/backup.md)",
    "text": _RESTORE,
    "instant": _RESTORE,
    "altered": f"something else than kzfeed wrote to it: {_RESTORE}",
    "hash": f"no source will be recognised as carrying it: {_RESTORE}",
    "archive-file": f"an export would not give it back: {_RESTORE}",
    "orphan": "put what it belongs to back from a backup (docs/backup.md)",
    "revisions": "put the missing versions back from a backup (docs/backup.md)",
    "sightings": _RESTORE,
    "polls": "the poll's record is wrong, its articles need not be: " + _RESTORE,
    "rows": "another program deleted or added rows: compare with a backup (docs/backup.md)",
    "counts": "rows are missing: compare with a backup (docs/backup.md)",
    "validators": "set etag, last_modified and body_hash of this source to NULL: the next poll reads it anew",
}
_NOTES = {
    "stale": "nothing to do: an older kzfeed read it, and read HTML in another way; what it stored cannot be checked",
    "unchecked": "nothing to do: a guid or an older text may have made its hash, as where an archive file named it",
    "clock": "nothing to do if the clock was put back in between; else compare with a backup",
}

_SQLITE_INSTANT = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]"


def finding(kind: str, row: str, found: str) -> Finding:
    """A finding of this kind, with the advice that goes with it."""
    is_damage = kind in _DAMAGE
    return Finding(kind, is_damage, row, found, (_DAMAGE if is_damage else _NOTES)[kind])


# --- rows, whatever they hold ----------------------------------------------------------------------------------------


def stream(connection: sa.Connection, query: sa.Select[Any], size: int = 1000) -> sa.CursorResult[Any]:
    """The rows, `size` of them in memory at a time."""
    return connection.execute(query.execution_options(yield_per=size))


def raw(connection: sa.Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The column as it is read without fail: SQLite keeps any bytes as text, its driver refuses what is not UTF-8."""
    if connection.dialect.name == "sqlite" and isinstance(column.type, sa.Text):
        return sa.cast(column, sa.LargeBinary).label(column.name)
    return column


def key(connection: sa.Connection, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """What `named` needs to know of a row, for a SELECT."""
    return [raw(connection, column).label(f"key_{column.name}") for column in table.primary_key]


def named(table: sa.Table, row: sa.Row[Any]) -> str:
    """`articles id=12`: the table and the row's key, as a WHERE would have it."""
    values = {column.name: row._mapping[f"key_{column.name}"] for column in table.primary_key}
    shown = (value.decode(errors="replace") if isinstance(value, bytes) else value for value in values.values())
    return f"{table.name} " + " ".join(f"{name}={value}" for name, value in zip(values, shown, strict=True))


def is_broken(connection: sa.Connection, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether an instant is none that kzfeed writes, and that Python could not read."""
    if connection.dialect.name == "postgresql":
        earliest, latest = "timestamptz '0001-01-01 00:00:00+00'", "timestamptz '9999-12-31 23:59:59.999999+00'"
        return sa.not_(column.between(sa.literal_column(earliest), sa.literal_column(latest)))
    text = sa.type_coerce(column, sa.Text)
    # With a modifier date() calculates: of 30 February it makes 2 March.
    day = sa.func.coalesce(sa.func.date(text, "+0 days"), "")
    return sa.and_(
        column.is_not(None),
        sa.or_(
            sa.func.typeof(text) != "text",
            sa.not_(text.bool_op("GLOB")(_SQLITE_INSTANT)),
            day != sa.func.substr(text, 1, 10),
            text < "0001",
        ),
    )
