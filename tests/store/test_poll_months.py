"""Polls in partitions by month, on PostgreSQL: made ahead, cleared when their polls are summed up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command

from kzfeed.model.polls import FailureKind, Poll, PollOutcome, SourceConfig
from kzfeed.store import poll_months, schema, sources
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from kzfeed.store.poll_days import sum_up
from tests.store.test_batches import rows
from tests.store.test_schema import migrate

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
NOVEMBER = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def store_polls(database: Database, *polls: tuple[datetime, PollOutcome]) -> None:
    sources.configure(database, [SourceConfig("voa", "https://voa.example/rss")], NOVEMBER)
    [source] = sources.load(database)
    for at, outcome in polls:
        kind: FailureKind | None = "timeout" if outcome == "failed" else None
        poll = Poll(source.id, at, timedelta(seconds=1), outcome, error_kind=kind, error=kind and "too slow")
        [stored] = commit_polls(database, [PollCommit(source, poll)])
        assert isinstance(stored, Poll)


def polls_by_partition(database: Database) -> list[tuple[str, str]]:
    return rows(database, "SELECT tableoid::regclass::text, outcome FROM polls ORDER BY started_at, id")


def test_months_are_made_ahead_once_and_polls_go_to_their_month(database: Database) -> None:
    assert poll_months.make_ahead(database, NOVEMBER) == ["polls_2026_11", "polls_2026_12", "polls_2027_01"]
    assert poll_months.make_ahead(database, DECEMBER) == ["polls_2027_02"]

    just_before = DECEMBER - timedelta(milliseconds=1)
    store_polls(database, (datetime(2026, 10, 1, tzinfo=UTC), "unchanged"), (just_before, "failed"), (DECEMBER, "new"))

    assert polls_by_partition(database) == [
        ("polls_default", "unchanged"),
        ("polls_2026_11", "failed"),
        ("polls_2026_12", "new"),
    ]
    with database.read() as connection:
        assert list(schema.missing(connection)) == []


def test_two_daemons_that_start_together_make_each_month_once(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = [
            name for names in pool.map(lambda _: poll_months.make_ahead(database, NOVEMBER), range(4)) for name in names
        ]

    assert sorted(made) == ["polls_2026_11", "polls_2026_12", "polls_2027_01"]


def test_a_month_that_has_polls_already_stays_in_the_default_partition(database: Database) -> None:
    store_polls(database, (NOVEMBER, "unchanged"))

    assert poll_months.make_ahead(database, NOVEMBER) == ["polls_2026_12", "polls_2027_01"]
    assert polls_by_partition(database) == [("polls_default", "unchanged")]


def test_a_month_that_is_summed_up_is_dropped_and_one_with_failures_keeps_these(database: Database) -> None:
    poll_months.make_ahead(database, NOVEMBER)
    store_polls(database, (NOVEMBER, "unchanged"), (DECEMBER, "failed"), (DECEMBER, "unchanged"))
    february = datetime(2027, 2, 10, tzinfo=UTC)

    assert poll_months.retire(database, DECEMBER) is None  # not summed up yet
    assert sum_up(database, february) == 2
    cleared = [poll_months.retire(database, february) for _ in range(4)]

    assert cleared == ["polls_2026_11", "polls_2026_12", "polls_2027_01", None]
    assert polls_by_partition(database) == [("polls_2026_12", "failed")]
    assert rows(database, "SELECT day::text, polls FROM poll_days ORDER BY day") == [
        ("2026-11-29", 1),
        ("2026-12-01", 1),
    ]
    findings: list[object] = []
    verify(database, findings.append)
    assert findings == []


def test_a_month_that_somebody_reads_for_long_is_left_for_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_months, "LOCK_TIMEOUT_S", 0.1)
    poll_months.make_ahead(database, NOVEMBER)
    with database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM polls").scalar()

        assert poll_months.retire(database, DECEMBER) is None
        assert poll_months.make_ahead(database, DECEMBER) == []

    assert poll_months.retire(database, DECEMBER) == "polls_2026_11"
    assert poll_months.make_ahead(database, DECEMBER) == ["polls_2027_02"]


def test_polls_that_were_stored_before_are_one_partition_that_the_same_roles_may_read(database: Database) -> None:
    ahead = datetime(2090, 1, 1, tzinfo=UTC)
    store_polls(database, (NOVEMBER - timedelta(days=1000), "unchanged"), (ahead, "failed"))
    migrate(database, command.downgrade, "0018")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE ROLE reader_of_polls")
        connection.exec_driver_sql("GRANT SELECT ON polls TO reader_of_polls")
    try:
        assert schema.upgrade(database)

        [(past, _), later] = polls_by_partition(database)
        assert past.startswith("polls_before_")
        assert later == ("polls_default", "failed")
        with database.write() as connection:
            connection.exec_driver_sql("SET LOCAL ROLE reader_of_polls")
            assert connection.exec_driver_sql("SELECT count(*) FROM polls").scalar() == 2
            connection.exec_driver_sql("RESET ROLE")
        assert poll_months.make_ahead(database, datetime(2000, 1, 1, tzinfo=UTC)) == []
        store_polls(database, (ahead + timedelta(days=1), "unchanged"))
        assert rows(database, "SELECT count(DISTINCT id) FROM polls") == [(3,)]

        migrate(database, command.downgrade, "0018")
        assert rows(database, "SELECT count(DISTINCT id) FROM polls") == [(3,)]
    finally:
        with database.write() as connection:
            connection.exec_driver_sql("DROP OWNED BY reader_of_polls")
            connection.exec_driver_sql("DROP ROLE reader_of_polls")
