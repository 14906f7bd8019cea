"""Findings of `verify` with their advice, and queries that read any row whatever its values.

Damage is what kzfeed never writes. A note is what an older kzfeed, a clock that was set back or an archive file can
explain as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

_RESTORE = "put the row back from a backup (docs/backup.md)"
_DAMAGE = {
    "file": "restore a backup, or write a new database of what can be read by `kzfeed db rescue` (docs/backup.md)",
    "schema": "put it back as migrations/versions makes it, or restore a backup (docs/backup.md)",
    "text": _RESTORE,
    "instant": _RESTORE,
    "altered": f"another program changed it: {_RESTORE}",
    "hash": f"kzfeed will not recognise this article in a feed: {_RESTORE}",
    "archive-file": f"its archive file would not hold it unchanged: {_RESTORE}",
    "orphan": "put the row that it refers to back from a backup (docs/backup.md)",
    "revisions": "put the missing versions back from a backup (docs/backup.md)",
    "sightings": _RESTORE,
    "polls": "the poll's record is wrong, its articles need not be: " + _RESTORE,
    "rows": "another program deleted or added rows: compare with a backup (docs/backup.md)",
    "day-counts": "the counts were changed, or dates of articles of that day: compare them with a backup "
    "(docs/backup.md); only if the articles are right, `kzfeed db recount` counts them anew",
    "counts": "rows are missing: compare with a backup; after a `db rescue` that lost some this stays (docs/backup.md)",
    "validators": "set etag, last_modified and body_hash of this source to NULL: the next poll reads it anew",
}
_NOTES = {
    "stale": "nothing to do: another version of kzfeed extracted its text in another way, so it cannot be checked",
    "unchecked": "nothing to do: its hash may come from a guid or an older text that is not stored",
    "clock": "nothing to do if the clock was set back in between; else compare with a backup",
}

_SQLITE_INSTANT = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of the database found. It is damage, or a note: something that may be right.

    `row` names what it is about, `found` says what is there and what was expected, `advice` what to do.
    """

    kind: str
    is_damage: bool
    row: str
    found: str
    advice: str


@dataclass(frozen=True, slots=True)
class Checked:
    """How much a check of the database looked at, and how many findings of either sort it made."""

    articles: int
    revisions: int
    damage: int
    notes: int


Findings = Iterator[Finding]


def finding(kind: str, row: str, found: str) -> Finding:
    """A finding of this kind, with the advice that goes with it."""
    is_damage = kind in _DAMAGE
    return Finding(kind, is_damage, row, found, (_DAMAGE if is_damage else _NOTES)[kind])


# --- queries that read any value -------------------------------------------------------------------------------------


def stream(connection: sa.Connection, query: sa.Select[Any], size: int = 1000) -> sa.CursorResult[Any]:
    """Execute the query with `size` rows in memory at a time."""
    return connection.execute(query.execution_options(yield_per=size))


def raw(connection: sa.Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The column, as bytes where SQLite may hold text that is not UTF-8, which its driver refuses to read."""
    if connection.dialect.name == "sqlite" and isinstance(column.type, sa.Text):
        return sa.cast(column, sa.LargeBinary).label(column.name)
    return column


def key(connection: sa.Connection, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The columns of the primary key, labelled for `named`."""
    return [raw(connection, column).label(f"key_{column.name}") for column in table.primary_key]


def named(table: sa.Table, row: sa.Row[Any]) -> str:
    """The name of a row for people, by its table and key: `articles id=12`."""
    values = {column.name: row._mapping[f"key_{column.name}"] for column in table.primary_key}
    shown = (value.decode(errors="replace") if isinstance(value, bytes) else value for value in values.values())
    return f"{table.name} " + " ".join(f"{name}={value}" for name, value in zip(values, shown, strict=True))


_BROKEN_INSTANT = {
    "postgresql": "{0} NOT BETWEEN timestamptz '0001-01-01 00:00:00+00'"
    " AND timestamptz '9999-12-31 23:59:59.999999+00'",
    # With a modifier, date() normalises: 30 February becomes 2 March, and so differs.
    "sqlite": f"{{0}} IS NOT NULL AND (typeof({{0}}) <> 'text' OR {{0}} NOT GLOB '{_SQLITE_INSTANT}'"
    " OR coalesce(date({0}, '+0 days'), '') <> substr({0}, 1, 10) OR {0} < '0001')",
}


def is_broken(connection: sa.Connection, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether an instant has a form that kzfeed never writes and Python cannot read."""
    name = f"{column.table.name}.{column.name}"
    return sa.literal_column(f"({_BROKEN_INSTANT[connection.dialect.name].format(name)})", sa.Boolean)
