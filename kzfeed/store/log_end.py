"""End of the log of articles: the ids beyond which a transaction that is still open may add articles or changes.

Concurrent transactions of PostgreSQL take their ids in one order and commit in another, so that an article may appear
before one with a lower id. A reader that went on from the highest id that it found would miss that one. So each
transaction holds an advisory lock with the last id that was taken before its own, and readers stop there.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.store import tables

SPACES = {"articles": 50_219, "article_changes": 50_220}
"""The first number of the advisory locks for each table. Other programs in the same database must not use them."""
STEP = 1024
"""Ids are divided by it, because the second number of a lock has 31 bits."""

_ANNOUNCE = (
    "SELECT pg_advisory_xact_lock_shared({space}, "
    f"(coalesce(pg_sequence_last_value(pg_get_serial_sequence('{{table}}', 'id')::regclass), 0) / {STEP})::integer)"
)
_LOWEST = f"""
SELECT least((SELECT min(objid::bigint) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND classid = {{space}} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) * {STEP},
  %s)
"""  # noqa: S608 - numbers of ours


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The highest ids of an article and of a change up to which all are committed."""

    article_id: int
    change_id: int


def announce_ids(connection: sa.Connection, table: sa.Table) -> None:
    """Let readers of the log stop before the ids of this table that the transaction takes from now on."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_ANNOUNCE.format(space=SPACES[table.name], table=table.name))


def log_end(connection: sa.Connection) -> LogEnd:
    """The present end of the log. What is read up to it must be read in a later snapshot.

    Raises DatabaseError on a read replica of PostgreSQL, which does not know what is open on its primary server.
    """
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql and connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
        raise DatabaseError(
            "this server is a read replica, which cannot tell what is still being written: use its primary server"
        )
    highest = [
        connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))).scalar_one()
        for table in (tables.articles, tables.article_changes)
    ]
    if is_postgresql:
        # After the highest ids: a transaction that took a lower one holds its lock by now, or has committed.
        highest = [
            connection.exec_driver_sql(_LOWEST.format(space=space), (found,)).scalar_one()
            for space, found in zip(SPACES.values(), highest, strict=True)
        ]
    return LogEnd(*highest)
