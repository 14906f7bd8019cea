"""The schedule in the database: who is due, who has claimed it, and what the configuration changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from kzfeed.model.polls import Poll, Source, SourceConfig, Validators
from kzfeed.schedule.interval import spread_time
from kzfeed.store import sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.queue import claims, host_pauses, schedule_corrections
from kzfeed.store.queue.leases import NewClaim
from tests.store.commits import commit_poll

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
LEASE = timedelta(seconds=55)

VOA = SourceConfig(
    "voa", "https://feedx.example/voa.xml", title="美国之音", every=timedelta(minutes=30), timezone="Asia/Shanghai"
)
BBC = SourceConfig("bbc", "https://feedx.example/bbc.xml")
RFI = SourceConfig("rfi", "https://rfi.example/rss")


def due(database: Database, now: datetime = NOW, owner: str = "one", limit: int = 10) -> list[str]:
    claimed = claims.claim_due(database, NewClaim(owner, now, LEASE), limit=limit)
    return sorted(source.name for source in claimed)


def settled(database: Database, source: Source, next_poll_at: datetime | None, pause: datetime | None = None) -> None:
    record = Poll(source_id=source.id, started_at=NOW, duration=timedelta(), outcome="unchanged")
    commit_poll(database, replace(source, next_poll_at=next_poll_at), record, pause=pause)


def test_a_new_source_is_due_at_once_and_holds_what_was_configured(database: Database) -> None:
    sources.configure(database, [VOA], NOW)

    (voa,) = claims.claim_due(database, NewClaim("one", NOW, LEASE), limit=10)

    assert (voa.title, voa.url, voa.every, voa.timezone) == (VOA.title, VOA.url, VOA.every, VOA.timezone)


def test_a_claimed_source_is_nobody_elses_until_the_lease_ends(database: Database) -> None:
    sources.configure(database, [RFI], NOW)

    assert due(database, owner="one") == ["rfi"]
    assert due(database, owner="two") == []
    assert due(database, NOW + LEASE, owner="two") == ["rfi"]


def test_claims_given_back_are_due_for_others(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    due(database, owner="one")

    claims.release(database, "one")

    assert due(database, owner="two") == ["rfi"]


def test_a_renewed_claim_lasts_longer_and_only_its_owner_renews_it(database: Database) -> None:
    sources.configure(database, [RFI, BBC], NOW)
    ids = [source.id for source in claims.claim_due(database, NewClaim("one", NOW, LEASE), limit=10)]

    claims.renew(database, "two", ids, NOW + 3 * LEASE)
    claims.renew(database, "one", ids[:1], NOW + 2 * LEASE)
    claims.renew(database, "one", [], NOW + 3 * LEASE)

    late = claims.claim_due(database, NewClaim("two", NOW + LEASE, LEASE), limit=10)
    assert [source.id for source in late] == ids[1:]
    claims.renew(database, "one", ids, NOW + 3 * LEASE)  # the second is another's by now
    assert len(due(database, NOW + 2 * LEASE, owner="three")) == 1


def test_hosts_lately_visited_are_those_of_polls_since_then(database: Database) -> None:
    sources.configure(database, [VOA, BBC, RFI], NOW)
    for number, source in enumerate(sources.load(database)):  # bbc, rfi, voa
        record = Poll(source_id=source.id, started_at=NOW, duration=timedelta(), outcome="unchanged")
        commit_poll(database, replace(source, last_polled_at=NOW + number * LEASE), record)

    assert host_pauses.recently_visited_hosts(database, NOW) == {
        "rfi.example": NOW + LEASE,
        "feedx.example": NOW + 2 * LEASE,
    }
    assert host_pauses.recently_visited_hosts(database, NOW + 2 * LEASE) == {}


def test_one_source_a_host_is_claimed_and_none_on_a_busy_or_paused_host(database: Database) -> None:
    sources.configure(database, [VOA, BBC, RFI], NOW)

    claimed = claims.claim_due(database, NewClaim("one", NOW, LEASE), limit=10, busy=claims.Busy(hosts=["rfi.example"]))
    assert len(claimed) == 1
    settled(database, claimed[0], NOW + timedelta(hours=1), pause=NOW + timedelta(minutes=10))

    assert due(database) == ["rfi"]
    assert host_pauses.paused_hosts(database, NOW) == {"feedx.example": NOW + timedelta(minutes=10)}
    assert len(due(database, NOW + timedelta(minutes=10))) == 2


def test_a_pause_is_never_shortened(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    (rfi,) = sources.load(database)

    settled(database, rfi, None, pause=NOW + timedelta(hours=2))
    settled(database, rfi, None, pause=NOW + timedelta(hours=1))

    assert host_pauses.paused_hosts(database, NOW) == {"rfi.example": NOW + timedelta(hours=2)}


def test_what_is_not_due_waits_also_over_a_restart(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    settled(database, sources.load(database)[0], NOW + timedelta(hours=1))

    sources.configure(database, [RFI], NOW + timedelta(minutes=1))

    assert due(database, NOW + timedelta(minutes=59)) == []
    assert due(database, NOW + timedelta(minutes=60)) == ["rfi"]


def test_the_longest_due_come_first(database: Database) -> None:
    configs = [SourceConfig(f"s{number}", f"https://s{number}.example/rss") for number in range(9)]
    sources.configure(database, configs, NOW)
    for source in sources.load(database):
        settled(database, source, NOW - timedelta(minutes=int(source.name[1:])))

    assert due(database, limit=3) == ["s6", "s7", "s8"]


def test_a_host_with_very_many_sources_does_not_hold_up_the_others(database: Database) -> None:
    many = [SourceConfig(f"m{number}", f"https://many.example/{number}") for number in range(1100)]
    sources.configure(database, many, NOW - timedelta(days=1))
    others = [SourceConfig(f"o{number}", f"https://o{number}.example/rss") for number in range(60)]
    sources.add(database, others, NOW)

    assert len(due(database, limit=100)) == 61
    assert due(database, owner="two", limit=100) == []


def test_a_next_poll_that_somebody_sets_by_sql_counts_at_once(database: Database) -> None:
    sources.configure(database, [VOA, RFI], NOW)
    for source in sources.load(database):
        settled(database, source, NOW + timedelta(hours=1))
    assert due(database) == []

    with database.engine.begin() as connection:
        connection.execute(sa.update(tables.sources).where(tables.sources.c.name == "rfi").values(next_poll_at=NOW))

    assert due(database) == ["rfi"]


def test_a_source_whose_server_asked_for_a_longer_wait_does_not_hold_up_its_host(database: Database) -> None:
    sources.configure(database, [VOA, BBC], NOW)
    waiting = sources.load(database)[0]
    with database.engine.begin() as connection:
        where = tables.sources.c.id == waiting.id
        later = {"not_before": NOW + timedelta(hours=1), "next_poll_at": NOW - timedelta(hours=1)}
        connection.execute(sa.update(tables.sources).where(where).values(later))

    assert due(database) == [source.name for source in sources.load(database)[1:]]


def test_a_source_left_out_is_removed_with_its_history_and_comes_back_with_it(database: Database) -> None:
    sources.configure(database, [VOA, RFI], NOW)
    before = sources.load(database, ["rfi"])[0]

    sources.configure(database, [VOA], NOW)
    removed = sources.load(database, ["rfi"])[0]
    assert (removed.status, removed.enabled, due(database)) == ("removed", False, ["voa"])

    sources.configure(database, [VOA, RFI], NOW)
    assert sources.load(database, ["rfi"])[0] == before


def test_a_disabled_source_keeps_its_state_and_goes_on_where_it_was(database: Database) -> None:
    sources.configure(database, [VOA, RFI], NOW)
    before = sources.load(database, ["rfi"])[0]

    sources.configure(database, [VOA, replace(RFI, enabled=False)], NOW)
    assert sources.load(database, ["rfi"])[0] == replace(before, enabled=False)
    assert due(database) == ["voa"]

    sources.configure(database, [VOA, RFI], NOW)
    assert sources.load(database, ["rfi"])[0] == before
    assert sorted(due(database)) == ["rfi", "voa"]


def test_a_new_address_is_due_at_once_and_another_interval_is_not(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    settled(database, sources.load(database)[0], NOW + timedelta(hours=1))

    sources.configure(database, [replace(RFI, every=timedelta(minutes=20))], NOW)
    assert due(database) == []

    sources.configure(database, [replace(RFI, url="https://new.example/rss")], NOW)
    assert due(database) == ["rfi"]


def test_a_removed_source_that_comes_back_with_another_address_starts_afresh(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    failed = replace(
        sources.load(database)[0],
        status="gone",
        validators=Validators(RFI.url, '"old"', None),
        failure_count=9,
        failing_since=NOW,
        last_error_kind="gone",
        last_error="410",
        gone_at=NOW,
    )
    settled(database, failed, NOW + timedelta(days=7))
    sources.configure(database, [], NOW)

    sources.configure(database, [replace(RFI, url="https://new.example/rss")], NOW)

    (fresh,) = sources.load(database)
    assert (fresh.status, fresh.validators, fresh.failure_count, fresh.failing_since) == ("active", None, 0, None)
    assert (fresh.last_error_kind, fresh.gone_at, fresh.next_poll_at, due(database)) == (None, None, NOW, ["rfi"])


def test_sources_that_failed_for_lack_of_a_connection_are_brought_forward_and_no_others(database: Database) -> None:
    sources.configure(database, [RFI, BBC], NOW)
    bbc, rfi = sources.load(database)
    settled(
        database,
        replace(rfi, status="failing", last_error_kind="offline", last_error="no route"),
        NOW + timedelta(hours=1),
    )
    settled(
        database,
        replace(bbc, status="failing", last_error_kind="dns", last_error="no such name"),
        NOW + timedelta(hours=1),
    )

    schedule_corrections.bring_forward(database, spread_time, NOW, min_interval=timedelta())

    assert due(database) == ["rfi"]


def test_a_source_whose_daemon_was_killed_is_brought_forward_when_its_claim_is_over(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    (rfi,) = claims.claim_due(database, NewClaim("killed", NOW, LEASE), limit=1)
    offline = {"status": "failing", "last_error_kind": "offline", "next_poll_at": NOW + timedelta(hours=1)}
    with database.write() as connection:
        connection.execute(sa.update(tables.sources).where(tables.sources.c.id == rfi.id).values(offline))
    later = NOW + LEASE + timedelta(seconds=1)

    schedule_corrections.bring_forward(database, spread_time, later, min_interval=timedelta())

    assert sources.load(database)[0].next_poll_at == later


def test_a_source_that_is_brought_forward_again_and_again_is_not_polled_more_often_than_allowed(
    database: Database,
) -> None:
    sources.configure(database, [RFI], NOW)
    (rfi,) = sources.load(database)
    failed = replace(rfi, status="failing", last_error_kind="offline", last_polled_at=NOW)
    settled(database, failed, NOW + timedelta(hours=1))

    schedule_corrections.bring_forward(database, spread_time, NOW, min_interval=timedelta(minutes=15))

    assert due(database) == []
    assert sources.load(database)[0].next_poll_at == NOW + timedelta(minutes=15)


def test_a_poll_that_ends_after_its_source_was_removed_does_not_bring_it_back(database: Database) -> None:
    sources.configure(database, [RFI], NOW)
    (under_way,) = sources.load(database)
    sources.configure(database, [], NOW)

    settled(database, under_way, NOW)

    assert sources.load(database)[0].status == "removed"
    assert due(database) == []


def test_the_view_source_health_counts_what_a_source_carries(database: Database) -> None:
    sources.configure(database, [RFI], NOW)

    with database.read() as connection:
        row = connection.execute(sa.text("SELECT name, status, articles, articles_24h, gaps FROM source_health")).one()

    assert tuple(row) == ("rfi", "active", 0, 0, 0)
