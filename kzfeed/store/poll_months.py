"""Partitions of the table `polls` by month (UTC), on PostgreSQL: `polls_2026_12`.

They are made before their months begin. `polls_default` takes what belongs to no other partition, and
`polls_before_2026_12` holds the polls that were stored before the table was partitioned.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.store import tables
from kzfeed.store.engine import LOCK_NOT_AVAILABLE, Database, driver_errors, sqlstate

AHEAD = 3
"""How many months have a partition at any time: the present one and those after it."""
LOCK_TIMEOUT_S = 3
"""How long a change of partitions waits for those who read the table; they, and polls, wait behind it meanwhile."""
SUMMED_UP = "Its polls are summed up."
"""The comment on a partition that will not change any more."""

_MONTH = re.compile(r"polls_(\d{4})_(\d{2})")
_PAST = re.compile(r"polls_before_(\d{4})_(\d{2})")
_PARTITIONS = """
SELECT relname, obj_description(inhrelid, 'pg_class') AS comment
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass('polls') ORDER BY relname
"""
_MAY_CHANGE = """
SELECT has_schema_privilege(current_schema(), 'CREATE') AND pg_has_role(relowner, 'USAGE')
FROM pg_class WHERE oid = to_regclass('polls')
"""

_poll = tables.polls.c


def make_ahead(database: Database, now: datetime) -> list[str]:
    """Make the missing partitions of this month and the next ones, and return their names.

    A month of which `polls_default` already holds polls gets none. A role that may not change the table makes none, and
    a partition is left for later while another program reads the table for long.
    """
    with database.read() as connection:
        if not connection.exec_driver_sql(_MAY_CHANGE).scalar():
            return []
        present = _partitions(connection)
    months = [_month_of(now)]
    while len(months) < AHEAD:
        months.append(_following(months[-1]))
    past = max((end for name in present if (end := _named(_PAST, name))), default=months[0])
    lacking = [month for month in months if month >= past and _name(month) not in present]
    return [_name(month) for month in lacking if _change(database, partial(_create, month))]


def retire(database: Database, before: datetime) -> str | None:
    """Drop the oldest partition if its month ended before this time, and return its name.

    Polls that failed or had a flaw are kept: a partition that holds some gives back its free space instead. Nothing is
    done while the month has polls that are not summed up yet.
    """
    with database.read() as connection:
        if not connection.exec_driver_sql(_MAY_CHANGE).scalar():
            return None
        open_months = [
            month
            for name, comment in _partitions(connection).items()
            if (month := _named(_MONTH, name)) and comment != SUMMED_UP
        ]
        if not open_months or _following(min(open_months)) > before:
            return None
        month = min(open_months)
        is_kept = sa.or_(_poll.outcome == "failed", _poll.flaw.is_not(None))
        if connection.execute(_polls_of(month).where(~is_kept)).first():
            return None
        is_empty = connection.execute(_polls_of(month)).first() is None
    is_done = _change(database, partial(_drop, month)) if is_empty else _shrink(database, _name(month))
    return _name(month) if is_done else None


# --- one partition ---------------------------------------------------------------------------------------------------


def _create(month: datetime, connection: sa.Connection) -> bool:
    # Another daemon may have made it meanwhile.
    if _name(month) in _partitions(connection) or connection.execute(_polls_of(month)).first():
        return False
    range_of_month = f"FROM ('{month.isoformat()}') TO ('{_following(month).isoformat()}')"
    connection.exec_driver_sql(f"CREATE TABLE {_name(month)} PARTITION OF polls FOR VALUES {range_of_month}")
    return True


def _drop(month: datetime, connection: sa.Connection) -> bool:
    connection.exec_driver_sql(f"LOCK TABLE {_name(month)} IN ACCESS EXCLUSIVE MODE")
    if connection.execute(_polls_of(month)).first():
        return False
    connection.exec_driver_sql(f"DROP TABLE {_name(month)}")
    return True


def _change(database: Database, work: Callable[[sa.Connection], bool]) -> bool:
    """Whether `work` has changed the partitions; not if it had to wait for a lock for too long."""

    def change(connection: sa.Connection) -> bool:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        return work(connection)

    try:
        return database.write_concurrently({"partitions of polls"}, change)
    except DatabaseError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        return False


def _shrink(database: Database, name: str) -> bool:
    """Give back the space of deleted rows, and return whether that was done: not while others read the partition."""
    try:
        with driver_errors("writing", None), database.engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
            try:
                connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {name}")
                connection.exec_driver_sql(f"COMMENT ON TABLE {name} IS '{SUMMED_UP}'")
            finally:
                connection.exec_driver_sql("RESET lock_timeout")
    except DatabaseError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


# --- months and names ------------------------------------------------------------------------------------------------


def _partitions(connection: sa.Connection) -> dict[str, str | None]:
    """The comment on each partition, by its name."""
    return {row.relname: row.comment for row in connection.exec_driver_sql(_PARTITIONS)}


def _polls_of(month: datetime) -> sa.Select[int]:
    return sa.select(_poll.id).where(_poll.started_at >= month, _poll.started_at < _following(month)).limit(1)


def _month_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _following(month: datetime) -> datetime:
    return _month_of(month + timedelta(days=31))


def _name(month: datetime) -> str:
    return f"polls_{month:%Y_%m}"


def _named(pattern: re.Pattern[str], name: str) -> datetime | None:
    found = pattern.fullmatch(name)
    return datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC) if found else None
