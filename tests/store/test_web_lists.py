"""Lists of changes, withdrawals, gaps and sources: their order, their pages, and that no page reads a whole table."""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.article.change_size import ChangeSize
from kzfeed.errors import UsageError
from kzfeed.store import tables
from kzfeed.store.day_counts import recount
from kzfeed.store.engine import Database
from kzfeed.store.poll_days import sum_up
from kzfeed.store.queries.day_figures import articles_by_day, last_day, polls_by_day
from kzfeed.store.queries.source_list import addresses, article_count, source_line, sources_page, status_counts
from kzfeed.store.queries.statistics import Period
from kzfeed.store.queries.version_list import (
    MAX_COMPARED_LENGTH,
    MAX_EXAMINED,
    VersionPosition,
    changes,
    parse_version_key,
)
from kzfeed.store.queries.withdrawals_and_gaps import gaps, gaps_of_source, withdrawals
from tests.search.reference import Text
from tests.store.plans import plans_of
from tests.store.search_archive import SEEN, add_articles, add_sources

FIRST = datetime(2024, 5, 1, 12, tzinfo=UTC)
MAY = Period(date(2024, 5, 1), date(2024, 5, 31))
ARTICLES = 30

FULL_SCAN = re.compile(
    r"SCAN (articles|polls|sightings|revisions|withdrawals|day_counts|poll_days)\b(?! USING (COVERING )?INDEX ix_)"
    r"|Seq Scan on (articles|polls|sightings|revisions|withdrawals|day_counts|poll_days)\b"
)
"""A plan that reads a large table in the order of its rows. A page that ends early may read an index in its order."""


@pytest.fixture
def archive(database: Database) -> Database:
    """30 articles. Article n has 1 + n % 4 versions, which were seen at three different times."""
    rng = random.Random(4)
    add_sources(database)
    add_articles(
        database, [Text(n, f"标题{n}之{1 + n % 4}", "正文", "abc"[n % 3], FIRST) for n in range(1, ARTICLES + 1)]
    )
    seen = {
        (n, revision): FIRST + timedelta(hours=rng.randrange(3))
        for n in range(1, ARTICLES + 1)
        for revision in range(1, 2 + n % 4)
    }
    with database.write() as connection:
        older = [
            {
                "article_id": n,
                "revision": revision,
                "title": f"标题{n}之{revision}",
                "content": "",
                "text": "正文" + "字" * n,
                "seen_at": when,
                "source_id": 2,
            }
            for (n, revision), when in seen.items()
            if revision < 1 + n % 4
        ]
        connection.execute(sa.insert(tables.revisions), older)
        for n in range(1, ARTICLES + 1):
            values = {"revision": 1 + n % 4, "revision_seen_at": seen[n, 1 + n % 4]}
            connection.execute(sa.update(tables.articles).where(tables.articles.c.id == n).values(values))
        recount(connection)
    return database


def pages(read: Callable[[Any], Any]) -> list[Any]:
    """All rows of a list, page by page."""
    rows: list[Any] = []
    after = None
    for _ in range(100):
        page = read(after)
        if not page:
            return rows
        rows += page
        after = page[-1].key
    raise AssertionError("the list has no end")


# --- changes ---------------------------------------------------------------------------------------------------------


def test_versions_come_in_the_order_in_which_they_were_seen_page_by_page(archive: Database) -> None:
    positions: list[VersionPosition] = []
    after: VersionPosition | None = None
    while True:
        page = changes(archive, after, 1)
        positions += [change.position for change in page.changes]
        if page.after is None:
            break
        after = parse_version_key(page.after.key)

    expected = {(n, revision) for n in range(1, ARTICLES + 1) for revision in range(2, 2 + n % 4)}
    assert positions == sorted(positions, reverse=True)
    assert len(positions) == len(expected)
    assert {(position.article_id, position.revision) for position in positions} == expected


def test_a_change_has_the_title_before_and_the_characters_that_changed(archive: Database) -> None:
    found = {(each.position.article_id, each.position.revision): each for each in changes(archive, None, 100).changes}

    of_older, of_newest = found[7, 3], found[7, 4]
    assert (of_older.former_title, of_older.title, of_older.is_title_changed) == ("标题7之2", "标题7之3", True)
    assert of_older.source == "b"
    # The titles differ in a digit, which is part of a number, and the newest text lacks seven characters.
    assert of_older.size == ChangeSize(1, 1)
    assert of_newest.size == ChangeSize(1 + 7, 1)


def test_small_changes_can_be_left_out_and_those_of_unknown_size_stay(archive: Database) -> None:
    with archive.write() as connection:
        long = {"text": "长" * (MAX_COMPARED_LENGTH + 1)}
        connection.execute(sa.update(tables.articles).where(tables.articles.c.id == 2).values(long))

    page = changes(archive, None, 100, least=20)

    assert page.after is None
    assert {each.size is None or each.size.total >= 20 for each in page.changes} == {True}
    assert {each.position.article_id for each in page.changes if each.size is None} == {2}
    assert 0 < len(page.changes) < len(changes(archive, None, 100).changes)


def test_a_page_looks_at_so_many_versions_and_says_where_to_go_on(archive: Database) -> None:
    with archive.write() as connection:
        more = [
            {
                "article_id": 1,
                "revision": number,
                "title": "标题",
                "content": "",
                "text": "",
                "seen_at": FIRST - timedelta(hours=number),
                "source_id": 1,
            }
            for number in range(10, 10 + 2 * MAX_EXAMINED)
        ]
        connection.execute(sa.insert(tables.revisions), more)

    page = changes(archive, None, 5, least=1_000)

    assert all(change.size is None for change in page.changes)
    assert page.after is not None
    assert changes(archive, page.after, 1).changes[0].position < page.after <= VersionPosition(FIRST, 1, 10)


@pytest.mark.parametrize("key", ["", "1:2", "1:2:3:4", "x:1:1", "１:1:1", "999999999999999:1:1", f"0:1:{10**17}"])
def test_what_is_no_key_of_a_version_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="is not the key of a version"):
        parse_version_key(key)


# --- withdrawals and gaps --------------------------------------------------------------------------------------------


def test_withdrawals_and_gaps_come_newest_first_page_by_page(archive: Database) -> None:
    with archive.write() as connection:
        rows = [
            {
                "article_id": n,
                "source_id": source,
                "from_at": FIRST + timedelta(hours=n // 3),
                "to_at": FIRST + timedelta(days=2) if n % 2 else None,
            }
            for n in range(1, 11)
            for source in (1, 2)
        ]
        connection.execute(sa.insert(tables.withdrawals), rows)
        times = {"from_at": FIRST, "to_at": FIRST + timedelta(hours=9), "noticed_at": FIRST + timedelta(days=1)}
        connection.execute(sa.insert(tables.gaps), [{"source_id": 1 + n % 3, **times} for n in range(10)])

    withdrawn = pages(lambda after: withdrawals(archive, after, 3))
    missed = pages(lambda after: gaps(archive, after, 3))

    order = [(each.from_at, each.article_id, each.source_id) for each in withdrawn]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(rows)
    assert {(each.article_id % 2 == 0) == (each.to_at is None) for each in withdrawn} == {True}
    assert [gap.id for gap in missed] == sorted((gap.id for gap in missed), reverse=True)
    assert Counter(gap.source for gap in missed) == {"a": 4, "b": 3, "c": 3}
    assert len(gaps_of_source(archive, 1, FIRST)) == 4
    assert gaps_of_source(archive, 1, FIRST + timedelta(hours=9)) == []
    for read in (withdrawals, gaps):
        with pytest.raises(UsageError, match="is not the key of a"):
            read(archive, "no key", 3)


def test_a_key_beyond_the_ends_of_a_list_is_answered(archive: Database) -> None:
    beyond = f"999999999:{10**18 - 1}:999999999"

    assert withdrawals(archive, beyond, 3) == []
    assert changes(archive, parse_version_key(beyond), 3).changes == []


# --- sources ---------------------------------------------------------------------------------------------------------


def test_sources_come_in_the_order_of_names_with_their_figures(archive: Database) -> None:
    with archive.write() as connection:
        polled = {"host": "e.example", "url": "https://e.example/?token=1", "next_poll_at": FIRST}
        connection.execute(sa.update(tables.sources).where(tables.sources.c.name != "c").values(**polled, enabled=True))
        connection.execute(sa.update(tables.sources).where(tables.sources.c.name == "b").values(status="failing"))
        times = {"from_at": FIRST, "to_at": FIRST, "noticed_at": FIRST}
        connection.execute(sa.insert(tables.gaps), {"source_id": 1, **times})

    first, second = sources_page(archive, MAY, limit=2)
    (third,) = sources_page(archive, MAY, after=second.name, limit=2)

    assert [line.name for line in (first, second, third)] == ["a", "b", "c"]
    assert [line.status for line in (first, second, third)] == ["active", "failing", "backfilled"]
    assert (first.next_poll_at, third.next_poll_at) == (FIRST, None)
    assert [line.articles_in_period for line in (first, second, third)] == [0, 0, 0]
    assert article_count(archive, first.id) == 10
    assert source_line(archive, "a", Period(SEEN.date(), SEEN.date())) == replace(
        first, articles_in_period=10, gaps_in_period=0
    )
    assert [line.gaps_in_period for line in (first, second, third)] == [1, 0, 0]
    assert status_counts(archive) == {"active": 1, "failing": 1, "backfilled": 1}
    for status in ("active", "failing", "backfilled", "gone"):
        expected = [line for line in (first, second, third) if line.status == status]
        assert sources_page(archive, MAY, status=status, limit=5) == expected
    assert source_line(archive, "b", MAY) == second
    assert source_line(archive, "z", MAY) is None


def test_former_addresses_are_named_by_their_host_only(archive: Database) -> None:
    with archive.write() as connection:
        rows = [
            {"source_id": 1, "url": f"https://{n}.example/feed?token=geheim", "from_at": FIRST, "reason": "configured"}
            for n in range(2)
        ]
        connection.execute(sa.insert(tables.source_addresses), rows)

    assert [each.host for each in addresses(archive, 1)] == ["1.example", "0.example"]


# --- figures by day --------------------------------------------------------------------------------------------------


def test_articles_by_day_are_of_all_sources_or_of_one(archive: Database) -> None:
    assert articles_by_day(archive, MAY) == {FIRST.date(): ARTICLES}
    assert articles_by_day(archive, MAY, "a") == {FIRST.date(): 10}
    assert articles_by_day(archive, Period(date(2024, 6, 1), date(2024, 6, 2))) == {}
    assert last_day(archive, "a", date(2024, 6, 1)) == last_day(archive, None, FIRST.date()) == FIRST.date()
    assert last_day(archive, None, date(2024, 4, 30)) is None


def test_polls_by_day_are_the_same_after_they_were_summed_up(archive: Database) -> None:
    outcomes = ("new", "unchanged", "not-modified", "not-modified", "failed")
    figures = {"duration_ms": 1, "bytes": 0, "entries": 0, "new_articles": 0, "revised_articles": 0}
    with archive.write() as connection:
        rows = [
            {"source_id": 1, "started_at": FIRST + timedelta(days=n // 5), "outcome": outcomes[n % 5], **figures}
            for n in range(15)
        ]
        connection.execute(sa.insert(tables.polls), rows)
    by_day = {FIRST.date() + timedelta(days=n): Counter(outcomes) for n in range(3)}

    assert polls_by_day(archive, "a", MAY) == by_day
    sum_up(archive, FIRST + timedelta(days=2))
    assert polls_by_day(archive, "a", MAY) == by_day
    assert polls_by_day(archive, "b", MAY) == {}


# --- plans -----------------------------------------------------------------------------------------------------------


def test_no_page_reads_a_whole_table(archive: Database) -> None:
    position = VersionPosition(FIRST + timedelta(days=2), 8, 3)
    key = f"{1714567200000}:8:1"

    def read() -> None:
        for after in (None, position):
            changes(archive, after, 5, least=3)
        for start in (None, key):
            withdrawals(archive, start, 5)
        gaps(archive, "8", 5)
        sources_page(archive, MAY, limit=5)
        articles_by_day(archive, MAY)
        articles_by_day(archive, MAY, "a")
        polls_by_day(archive, "a", MAY)

    for statement, plan in plans_of(archive, read):
        assert not FULL_SCAN.search(plan), (statement, plan)
        if "ORDER BY articles.revision_seen_at" in statement or "ORDER BY withdrawals" in statement:
            assert "USE TEMP B-TREE" not in plan
