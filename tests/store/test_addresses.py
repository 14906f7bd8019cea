"""Addresses that servers move and operators write: which one is in force, which ones were, and turns in a crowd."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from kzfeed.model.polls import Poll, Source, SourceConfig, Validators
from kzfeed.schedule.interval import spread_time
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.store.queue import claims, host_pauses
from kzfeed.store.queue.leases import NewClaim
from tests.store.commits import commit_poll

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD, NEW, OTHER = "https://old.example/rss", "https://new.example/rss", "https://other.example/rss"
VOA = SourceConfig("voa", OLD)


def configured(database: Database, config: SourceConfig = VOA, now: datetime = NOW) -> Source:
    sources.configure(database, [config], now)
    return sources.load(database)[0]


def polled(database: Database, source: Source, now: datetime, **state: Any) -> Source:
    after = replace(source, last_polled_at=now, next_poll_at=now + HOUR, **state)
    commit_poll(database, after, Poll(source.id, now, timedelta(), "unchanged"))
    return sources.load(database)[0]


def history(database: Database) -> list[tuple[Any, ...]]:
    query = sa.text("SELECT url, to_at IS NULL, reason FROM source_addresses ORDER BY id")
    with database.read() as connection:
        return [(url, bool(current), reason) for url, current, reason in connection.execute(query)]


def due(database: Database, now: datetime) -> list[Source]:
    return claims.claim_due(database, NewClaim("one", now, HOUR), limit=100)


def test_an_address_that_the_server_moved_is_in_force_and_the_old_one_kept(database: Database) -> None:
    moved = polled(database, configured(database), NOW + HOUR, url=NEW)

    assert (moved.url, moved.configured_url) == (NEW, OLD)
    assert history(database) == [(OLD, False, "configured"), (NEW, True, "moved permanently by its server")]
    assert host_pauses.paused_hosts(database, NOW) == {}
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT host FROM sources")).scalar() == "new.example"


def test_a_restart_does_not_undo_a_move(database: Database) -> None:
    moved = polled(
        database, configured(database), NOW + HOUR, url=NEW, validators=Validators(NEW, '"1"'), body_hash="1"
    )

    sources.configure(database, [VOA], NOW + 2 * HOUR)

    assert sources.load(database) == [moved]
    assert len(history(database)) == 2


def test_another_address_of_the_operators_wins_over_a_move_and_is_due_at_once(database: Database) -> None:
    state: dict[str, Any] = {
        "moved_to": OTHER,
        "moved_since": NOW,
        "moved_polls": 2,
        "not_before": NOW + 9 * HOUR,
        "body_hash": "1",
    }
    polled(database, configured(database), NOW + HOUR, url=NEW, **state)

    again = configured(database, replace(VOA, url=OTHER), NOW + HOUR)

    assert (again.url, again.configured_url, again.body_hash) == (OTHER, OTHER, None)
    assert (again.moved_to, again.moved_since, again.moved_polls) == (None, None, 0)
    assert [source.name for source in due(database, NOW + HOUR)] == ["voa"]
    assert [address for address, _, _ in history(database)] == [OLD, NEW, OTHER]
    assert [current for _, current, _ in history(database)] == [False, False, True]


def test_a_poll_of_the_old_address_says_nothing_of_the_new_one(database: Database) -> None:
    configured(database)
    (under_way,) = due(database, NOW)
    configured(database, replace(VOA, url=OTHER))

    polled(database, under_way, NOW + HOUR, url=NEW, body_hash="1")

    (source,) = due(database, NOW + HOUR)
    assert (source.url, source.body_hash, source.last_polled_at) == (OTHER, None, None)
    assert [address for address, _, _ in history(database)] == [OLD, OTHER]


def test_all_that_a_poll_leaves_behind_comes_back(database: Database) -> None:
    state: dict[str, Any] = {
        "auto_interval": HOUR / 7,
        "hurried_interval": HOUR / 9,
        "own_wait": HOUR * 2,
        "ask_in_full": True,
        "not_modified_since": NOW,
        "moved_to": NEW,
        "moved_since": NOW,
        "moved_polls": 2,
        "gone_at": NOW,
        "next_poll_reason": "its interval",
    }
    source = configured(database)

    assert polled(database, source, NOW, **state) == replace(
        source, last_polled_at=NOW, next_poll_at=NOW + HOUR, **state
    )


# --- turns -----------------------------------------------------------------------------------------------------------


def crowd(count: int) -> Iterable[SourceConfig]:
    return [SourceConfig(f"s{number}", f"https://s{number}.example/") for number in range(count)]


def planned(database: Database) -> dict[str, datetime]:
    return {source.name: source.next_poll_at for source in sources.load(database) if source.next_poll_at}


def test_a_few_new_sources_are_due_at_once(database: Database) -> None:
    sources.configure(database, crowd(36), NOW, spread=spread_time)

    assert set(planned(database).values()) == {NOW}


def test_many_new_sources_take_turns_and_keep_them_over_restarts(database: Database) -> None:
    sources.configure(database, crowd(200), NOW, spread=spread_time)
    first = planned(database)

    sources.configure(database, crowd(200), NOW + timedelta(seconds=1), spread=spread_time)

    assert timedelta(seconds=140) < max(first.values()) - min(first.values()) < timedelta(seconds=160)
    assert len({moment.replace(microsecond=0) for moment in first.values()}) > 80
    assert planned(database) == first


def test_what_fell_due_while_nobody_was_there_takes_turns(database: Database) -> None:
    sources.configure(database, crowd(200), NOW)

    sources.configure(database, crowd(200), NOW + 24 * HOUR, spread=spread_time)

    moments = planned(database).values()
    assert NOW + 24 * HOUR <= min(moments) < max(moments) <= NOW + 24 * HOUR + timedelta(seconds=160)
