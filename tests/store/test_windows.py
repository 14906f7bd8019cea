"""What a source's windows leave in the database: sightings taken back and cleared again, and gaps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.article.window import compare_windows
from kzfeed.model.articles import Article
from kzfeed.model.polls import Poll, Source, SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.windows import end_withdrawals
from tests.store.commits import commit_poll, last_window
from tests.store.publishers import FIRST_VISIT, NOT_MODIFIED, Post, feed, visit

NOW = datetime(2022, 1, 11, 18, tzinfo=UTC)


def article(number: int) -> Article:
    """The article that was published at this hour."""
    return article_of_file(ArchiveFile(number * 3_600_000, f"第{number}篇", f"https://e.example/{number}", "正文"))


def show(database: Database, *numbers: int, hour: int) -> None:
    """The source shows these articles at this hour, in one document."""
    now = NOW + timedelta(hours=hour)
    sources.configure(database, [SourceConfig("voa", "https://voa.example/rss")], now)
    before = sources.load(database)[0]
    articles = [article(number) for number in numbers]
    seen = compare_windows(last_window(database, before), articles, before_at=before.window_at, now=now, whole=True)
    after: Source = replace(before, last_polled_at=now, last_document_at=now, window_at=now)
    record = Poll(source_id=before.id, started_at=now, duration=timedelta(), outcome="unchanged")
    commit_poll(database, after, record, articles, window=seen)


def withdrawn(database: Database) -> list[str]:
    query = """SELECT a.title FROM sightings AS s JOIN articles AS a ON a.id = s.article_id
    WHERE s.withdrawn_at IS NOT NULL ORDER BY a.title"""
    with database.read() as connection:
        return list(connection.execute(sa.text(query)).scalars())


def test_the_last_window_is_that_of_the_last_document(database: Database) -> None:
    show(database, 3, 2, 1, hour=0)
    show(database, 4, 3, 2, hour=1)

    window = last_window(database, sources.load(database)[0])

    assert {shown.url_hash for shown in window} == {article(number).url_hash for number in (4, 3, 2)}
    assert {shown.published_at for shown in window} == {article(number).published_at for number in (4, 3, 2)}


def test_a_withdrawn_article_is_kept_and_marked_until_it_returns(database: Database) -> None:
    show(database, 3, 2, 1, hour=0)
    show(database, 3, 1, hour=1)
    assert withdrawn(database) == ["第2篇"]

    show(database, 3, 1, hour=2)
    assert withdrawn(database) == ["第2篇"]

    show(database, 3, 2, 1, hour=3)
    assert withdrawn(database) == []


def test_an_article_that_leaves_at_the_old_end_is_not_withdrawn(database: Database) -> None:
    show(database, 3, 2, 1, hour=0)
    show(database, 5, 4, 3, hour=1)

    assert withdrawn(database) == []


def test_a_gap_is_written_down_and_counted(database: Database) -> None:
    show(database, 3, 2, 1, hour=0)
    show(database, 9, 8, 7, hour=1)

    with database.read() as connection:
        gaps = connection.execute(sa.text("SELECT count(*) FROM gaps")).scalar()
        health = connection.execute(sa.text("SELECT gaps FROM source_health")).scalar()
    assert gaps == health == 1


def last_seen(database: Database) -> dict[str, timedelta]:
    """How long after the first visit the article was seen last, by the table that says so."""
    with database.read() as connection:
        tables_of_times = {"articles": tables.articles, "sightings": tables.sightings}
        return {
            name: connection.execute(sa.select(table.c.last_seen_at)).scalar_one() - FIRST_VISIT
            for name, table in tables_of_times.items()
        }


@pytest.mark.parametrize("again", [NOT_MODIFIED, feed(Post(1))], ids=["304", "same bytes"])
def test_an_unchanged_document_moves_sightings_at_once_and_articles_once_a_day(
    database: Database, again: bytes
) -> None:
    visit(database, "one", feed(Post(1)), FIRST_VISIT)

    seen = []
    for hours in (1, 13, 14):
        visit(database, "one", again, FIRST_VISIT + timedelta(hours=hours))
        found = last_seen(database)
        seen.append((found["sightings"], found["articles"]))

    first_of_day = timedelta(hours=13)
    assert seen == [
        (timedelta(hours=1), timedelta()),
        (first_of_day, first_of_day),
        (timedelta(hours=14), first_of_day),
    ]


def test_the_end_of_withdrawals_looks_up_each_withdrawn_article(sqlite_database: Database) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with sqlite_database.write() as connection:
        sa.event.listen(connection, "before_cursor_execute", note)
        end_withdrawals(connection, [(1, NOW)])
        ((statement, parameters),) = asked
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]

    assert any("SEARCH sightings" in step and "article_id=? AND source_id=?" in step for step in plan), plan
