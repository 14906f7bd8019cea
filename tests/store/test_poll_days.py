"""Old polls are summed up by day, and nothing else is lost by it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.model.polls import Poll, PollOutcome, SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from kzfeed.store.poll_days import sum_up
from kzfeed.store.queries.statistics import Period, statistics

OLD = datetime(2024, 3, 1, 23, 0, tzinfo=UTC)
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SOURCES = ("voa", "rfi")


def findings(database: Database) -> list[str]:
    found: list[str] = []
    verify(database, lambda each: found.append(str(each)))
    return found


def rows(database: Database, table: sa.Table) -> list[dict[str, Any]]:
    with database.read() as connection:
        found = connection.execute(sa.select(table).order_by(*table.primary_key.columns))
        return [dict(row._mapping) for row in found]


@pytest.fixture
def archive(database: Database) -> Database:
    """Two sources with four old polls each that can be summed up, two that cannot, and a new one."""
    sources.configure(database, [SourceConfig(name, f"https://{name}.example/") for name in SOURCES], OLD)
    for source in sources.load(database):

        def poll(at: datetime, outcome: PollOutcome, of: int = source.id, **more: Any) -> Poll:
            return Poll(of, at, timedelta(milliseconds=250), outcome, body_bytes=1000, **more)

        records = [poll(OLD + hour * timedelta(minutes=40), "unchanged") for hour in range(3)]
        records += [
            poll(OLD, "not-modified"),
            poll(OLD, "unchanged", flaw="it breaks off"),
            poll(OLD, "failed", error_kind="timeout", error="too slow"),
            poll(NOW, "unchanged"),
        ]
        commit_polls(database, [PollCommit(source, each) for each in records])
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE sources SET validators_url = NULL, body_hash = NULL")
    assert findings(database) == []
    return database


def test_old_polls_become_sums_of_days_and_failures_and_flaws_stay(archive: Database) -> None:
    before = archive_totals(archive)

    assert sum_up(archive, NOW - timedelta(days=400)) == 8
    assert sum_up(archive, NOW - timedelta(days=400)) == 0

    left = [(each["outcome"], each["flaw"]) for each in rows(archive, tables.polls)]
    assert left == 2 * [("unchanged", "it breaks off"), ("failed", None), ("unchanged", None)]
    ids = [source.id for source in sources.load(archive)]
    assert [
        (each["day"], each["source_id"], each["polls"], each["not_modified"], each["duration_ms"], each["bytes"])
        for each in rows(archive, tables.poll_days)
    ] == [
        *((date(2024, 3, 1), each, 3, 1, 750, 3000) for each in sorted(ids)),
        *((date(2024, 3, 2), each, 1, 0, 250, 1000) for each in sorted(ids)),
    ]
    assert findings(archive) == []
    assert archive_totals(archive) == before
    assert before["polls"] == 14


def archive_totals(database: Database) -> dict[str, Any]:
    found = statistics(database, Period(date(2024, 1, 1), NOW.date()))
    return {"polls": found["polls"], "by_outcome": found["polls_by_outcome"]}


def test_a_run_sums_up_a_bounded_number_and_the_next_ones_the_rest(archive: Database) -> None:
    assert [sum_up(archive, NOW - timedelta(days=400), limit=3) for _ in range(4)] == [3, 3, 2, 0]
    assert sum(each["polls"] for each in rows(archive, tables.poll_days)) == 8
    assert findings(archive) == []


def test_news_count_by_day_and_verify_compares_them_with_the_articles(archive: Database) -> None:
    with archive.write() as connection:
        connection.execute(
            sa.update(tables.polls)
            .where(tables.polls.c.outcome == "not-modified")
            .values(outcome="new", entries=9, new_articles=7, revised_articles=2)
        )
    assert len(findings(archive)) == 4
    sum_up(archive, NOW - timedelta(days=400))

    assert sum(each["new_articles"] for each in rows(archive, tables.poll_days)) == 14
    assert sum(each["with_news"] for each in rows(archive, tables.poll_days)) == 2
    assert len(findings(archive)) == 4


@pytest.mark.parametrize("table", ["polls", "poll_days"])
def test_verify_still_finds_deletions(archive: Database, table: str) -> None:
    sum_up(archive, NOW - timedelta(days=400))
    with archive.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE source_id = (SELECT min(id) FROM sources)")
    assert [each for each in findings(archive) if f"{table}" in each and "rows" in each]


def test_tidying_loses_nothing_and_leaves_an_empty_wal(archive: Database) -> None:
    before = rows(archive, tables.polls)

    archive.tidy()

    assert rows(archive, tables.polls) == before
    if archive.file:
        assert archive.file.with_name(f"{archive.file.name}-wal").stat().st_size == 0
    assert findings(archive) == []
