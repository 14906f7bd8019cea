"""Claims on sources that a job names: only those whose due time is still that of the job."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.scale.archives import settle
from kzfeed.model.polls import SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.queue import claims
from kzfeed.store.queue.claims import Busy, DueSource
from kzfeed.store.queue.leases import NewClaim
from tests.conftest import NewDatabase
from tests.store.test_sources import BBC, LEASE, NOW, RFI, VOA, due, settled


def searched(database: Database, **busy: object) -> list[DueSource]:
    return claims.unclaimed_due_sources(database, now=NOW, limit=10, busy=Busy(**busy))  # type: ignore[arg-type]


def claimed(database: Database, wanted: list[DueSource], owner: str = "one") -> list[str]:
    found = claims.claim_sources(database, NewClaim(owner, NOW, LEASE), wanted)
    return sorted(source.name for source in found)


def test_a_search_finds_one_source_of_each_free_host_and_claims_none(database: Database) -> None:
    sources.configure(database, [VOA, BBC, RFI], NOW)

    found = searched(database)

    assert [each.host for each in found] == ["feedx.example", "rfi.example"]
    assert searched(database) == found
    assert [each.host for each in searched(database, hosts=["feedx.example"])] == ["rfi.example"]
    assert len(searched(database, free_by_host={"feedx.example": 2})) == 3
    assert len(due(database)) == 2


def test_the_sources_of_a_job_are_claimed_once(database: Database) -> None:
    sources.configure(database, [VOA, RFI], NOW)
    found = searched(database)

    assert claimed(database, found) == ["rfi", "voa"]
    assert claimed(database, found, owner="two") == []
    assert searched(database) == []


def test_a_source_that_was_polled_since_then_is_not_claimed(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    found = searched(database)
    (rfi,) = sources.load(database)

    settled(database, rfi, NOW - timedelta(milliseconds=1))

    assert claimed(database, found) == []
    assert claimed(database, [replace(found[0], due_at=NOW - timedelta(milliseconds=1))]) == ["rfi"]


def test_a_paused_host_is_not_claimed(database: Database) -> None:
    sources.configure(database, [VOA, BBC], NOW)
    found = searched(database, free_by_host={"feedx.example": 2})
    first, _ = sources.load(database)

    settled(database, first, NOW + timedelta(hours=1), pause=NOW + timedelta(minutes=10))

    assert claimed(database, found) == []


def test_a_search_reads_few_of_the_sources_of_a_host_that_are_due_at_the_same_moment(new_database: NewDatabase) -> None:
    database = new_database("postgresql")
    sources.configure(database, [SourceConfig(f"s{n}", f"https://many.example/{n}") for n in range(500)], NOW)
    with database.write() as connection:
        connection.execute(sa.update(tables.sources).values(next_poll_at=NOW))
    settle(database)
    plans: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def explain(connection: sa.Connection, _: object, statement: str, parameters: dict[str, Any], *__: object) -> None:
        if "host_queue" in statement and not statement.startswith("EXPLAIN"):
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", parameters).scalars()
            plans.append("\n".join(plan))

    assert len(searched(database)) == 1
    (plan,) = plans
    read = re.search(r"Index Scan using ix_sources_\S+ on sources .*actual time=\S+ rows=([\d.]+) loops=([\d.]+)", plan)
    assert read, plan
    assert float(read[1]) * float(read[2]) <= 1, plan
