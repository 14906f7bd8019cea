"""Sums of old polls by day (UTC) and source (table `poll_days`), which take the place of the rows of `polls`.

Polls that failed or had a flaw keep their rows.
"""

from collections import defaultdict
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.row_counts import count_deleted

BATCH = 500
"""The most polls that one transaction sums up, so that polls wait for it but a moment."""
FIGURES = (
    *("polls", "with_news", "not_modified", "duration_ms", "bytes", "new_articles", "revised_articles", "filtered"),
)
_SUMMED_OUTCOMES = ("new", "unchanged", "not-modified")

_poll, _day = tables.polls.c, tables.poll_days.c
_READ = ("duration_ms", "bytes", "new_articles", "revised_articles", "filtered")


def sum_up(database: Database, before: datetime, *, limit: int = BATCH) -> int:
    """Sum up the earliest polls before this time, at most `limit`, and return how many they were."""
    columns = (_poll.id, _poll.source_id, _poll.started_at, _poll.outcome, *(_poll[name] for name in _READ))
    with database.read() as connection:
        if not _old_polls(connection, before, [_poll.id], 1):
            return 0

    def work(connection: sa.Connection) -> int:
        if rows := _old_polls(connection, before, columns, limit):  # unless another daemon was faster
            _add(connection, rows)
            # PostgreSQL then looks for them in the partitions of that time only.
            is_old = _poll.started_at.between(min(row.started_at for row in rows), max(row.started_at for row in rows))
            deletion = sa.delete(tables.polls).where(_poll.id.in_([row.id for row in rows]), is_old)
            count_deleted(connection, tables.polls, connection.execute(deletion).rowcount)
        return len(rows)

    return database.write_concurrently({"sums of polls"}, work)


def _old_polls(connection: sa.Connection, before: datetime, columns: Any, limit: int) -> list[Any]:
    """The earliest polls without failure and flaw. One query for each outcome, because an index has them in order."""
    rows: list[Any] = []
    for outcome in _SUMMED_OUTCOMES:
        query = sa.select(*columns).where(_poll.outcome == outcome, _poll.started_at < before, _poll.flaw.is_(None))
        rows += connection.execute(query.order_by(_poll.started_at).limit(limit - len(rows))).all()
        if len(rows) >= limit:
            break
    return rows


def _add(connection: sa.Connection, rows: list[Any]) -> None:
    sums: defaultdict[tuple[date, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIGURES, 0))
    for row in rows:
        figures = sums[row.started_at.date(), row.source_id]
        figures["polls"] += 1
        figures["with_news"] += row.outcome == "new"
        figures["not_modified"] += row.outcome == "not-modified"
        for name in _READ:
            figures[name] += getattr(row, name)
    days = [day for day, _ in sums]
    known = sa.select(_day.day, _day.source_id).where(_day.day.between(min(days), max(days)))
    present = {(row.day, row.source_id) for row in connection.execute(known)}
    if added := [
        {"of_day": day, "of_source": source_id, **{f"more_{name}": number for name, number in figures.items()}}
        for (day, source_id), figures in sums.items()
        if (day, source_id) in present
    ]:
        update = sa.update(tables.poll_days).where(
            _day.day == sa.bindparam("of_day"), _day.source_id == sa.bindparam("of_source")
        )
        connection.execute(update.values({name: _day[name] + sa.bindparam(f"more_{name}") for name in FIGURES}), added)
    if new := [
        {"day": day, "source_id": source_id, **figures}
        for (day, source_id), figures in sums.items()
        if (day, source_id) not in present
    ]:
        connection.execute(sa.insert(tables.poll_days), new)
