"""Condition of the database in a second or two: schema, quick check, the right to write, and the server's clock."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from kzfeed.store import schema
from kzfeed.store.engine import Database

QUICK_CHECK_BYTES = 256 * 2**20
"""Larger SQLite files are left to `kzfeed verify`: the check reads the whole file."""


@dataclass(frozen=True, slots=True)
class DatabaseCondition:
    """What is wrong with the database, as sentences, and the clock of its server (None: SQLite has none)."""

    damage: tuple[str, ...]
    is_quick_checked: bool
    is_writable: bool
    server_time: datetime | None


def database_condition(database: Database) -> DatabaseCondition:
    """The condition of a database with the current schema. Nothing is written. Raises DatabaseError."""
    with database.read() as connection:
        damage = [f"{name}: {lack}" for name, lack in schema.missing(connection)]
        if database.dialect == "postgresql":
            return DatabaseCondition(tuple(damage), False, _may_write(connection), _server_time(connection))
        quick = database.file is not None and database.file.stat().st_size <= QUICK_CHECK_BYTES
        if quick:
            damage += [said for (said,) in connection.exec_driver_sql("PRAGMA quick_check(5)") if said != "ok"]
        return DatabaseCondition(tuple(damage), quick, True, None)


def _may_write(connection: sa.Connection) -> bool:
    # default_transaction_read_only, because this transaction itself is read-only.
    query = (
        "SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off' "
        "AND has_table_privilege('articles', 'INSERT')"
    )
    return bool(connection.exec_driver_sql(query).scalar_one())


def _server_time(connection: sa.Connection) -> datetime:
    found: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return found
