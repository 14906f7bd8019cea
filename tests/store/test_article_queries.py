"""What is read of the archive comes whole, in order of publication, a few articles at a time."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.queries import article_queries as reading
from kzfeed.store.queries.article_list import PropertyFilter, listed, newest_dates, sharing_address
from kzfeed.store.queries.article_queries import Selection
from tests.store.plans import plans_of

NOW = datetime(2022, 1, 11, 18, tzinfo=UTC)
HOUR = 3_600_000


@pytest.fixture
def archive(database: Database) -> Database:
    """Articles of two sources in turns, five published in each hour of 1970's first days, and five without a date."""
    stamps = [(number // 5) * HOUR if number >= 5 else None for number in range(605)]
    files = [
        (f"s{number % 2}", article_of_file(ArchiveFile(stamp, f"第{number}篇", f"https://e.example/{number}", "正文")))
        for number, stamp in enumerate(stamps)
    ]
    store_files(database, files[::-1], NOW)
    return database


def test_all_articles_are_streamed_in_order_the_undated_last(archive: Database) -> None:
    streamed = list(reading.stream(archive))

    order = [(each.published_at is None, each.published_at or NOW, each.url_hash) for each in streamed]
    assert len(streamed) == 605 > 3 * reading.STREAM_SIZE
    assert order == sorted(order)
    assert {(each.title, each.content, each.source) for each in streamed} == {
        (f"第{number}篇", "正文", f"s{number % 2}") for number in range(605)
    }


def test_a_stream_is_that_of_one_moment(archive: Database) -> None:
    stream = reading.stream(archive)
    next(stream)

    later = article_of_file(ArchiveFile(900 * HOUR, "later", "https://e.example/later", ""))
    store_files(archive, [("s0", later)], NOW)

    assert "later" not in {each.title for each in stream}
    assert "later" in {each.title for each in reading.stream(archive)}


def test_a_selection_narrows_the_stream_the_count_and_the_list(archive: Database) -> None:
    selection = Selection(source="s1", since=datetime(1970, 1, 3, tzinfo=UTC), until=datetime(1970, 1, 4, tzinfo=UTC))

    titles = [each.title for each in reading.stream(archive, selection)]

    assert sorted(titles) == sorted(f"第{number}篇" for number in range(240, 360) if number % 2)
    assert reading.count(archive, selection) == len(titles) == 60
    assert {row["title"] for row in listed(archive, PropertyFilter(selection), None, 100)} == set(titles)


def test_the_newest_dates_are_those_of_the_list(archive: Database) -> None:
    wanted = PropertyFilter(Selection(source="s1"))

    dates = [row["published_at"] for row in listed(archive, wanted, None, 40)]
    assert newest_dates(archive, wanted, 40) == dates
    assert len(newest_dates(archive, wanted, 1_000)) == 300


def test_articles_that_share_an_address_of_any_length_are_found_by_an_index(database: Database) -> None:
    long = "https://e.example/" + "a" * 8_000
    files = [article_of_file(ArchiveFile(None, title, long, "正文")) for title in ("one", "another")]
    store_files(database, [("s", files[0]), ("s", replace(files[1], url_hash="f" * 64))], NOW)

    assert {row["title"] for row in sharing_address(database, long)} == {"one", "another"}
    plans = plans_of(database, lambda: sharing_address(database, long))

    (plan,) = [plan for statement, plan in plans if "FROM articles" in statement]
    assert "ix_articles_url" in plan
