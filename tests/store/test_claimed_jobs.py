"""Claims on sources that a job names: only those whose due time is still that of the job."""

from dataclasses import replace
from datetime import timedelta

from kzfeed.store import claims, sources
from kzfeed.store.claims import Busy, DueSource
from kzfeed.store.engine import Database
from tests.store.test_sources import BBC, LEASE, NOW, RFI, VOA, due, settled


def searched(database: Database, **busy: object) -> list[DueSource]:
    return claims.unclaimed_due_sources(database, now=NOW, lease=LEASE, limit=10, busy=Busy(**busy))  # type: ignore[arg-type]


def claimed(database: Database, wanted: list[DueSource], owner: str = "one") -> list[str]:
    found = claims.claim_sources(database, wanted, now=NOW, owner=owner, lease=LEASE)
    return sorted(source.name for source in found)


def test_a_search_finds_one_source_of_each_free_host_and_claims_none(database: Database) -> None:
    sources.configure(database, [VOA, BBC, RFI], NOW)

    found = searched(database)

    assert [each.host for each in found] == ["feedx.example", "rfi.example"]
    assert searched(database) == found
    assert [each.host for each in searched(database, hosts=["feedx.example"])] == ["rfi.example"]
    assert len(searched(database, slots={"feedx.example": 2})) == 3
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
    found = searched(database, slots={"feedx.example": 2})
    first, _ = sources.load(database)

    settled(database, first, NOW + timedelta(hours=1), pause=NOW + timedelta(minutes=10))

    assert claimed(database, found) == []
