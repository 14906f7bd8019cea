"""The day counts stay true whatever stores articles: polls, corrections, files, restores, upgrades and rescues."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.model.articles import Article
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.store import day_counts, schema, sources, tables
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from tests.fork_server import clean_environment, fork_server
from tests.store.commits import commit_poll
from tests.store.test_schema import migrate

FIRST_DAY = date(2022, 1, 11)
NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def article(
    number: int, published_at: datetime | None = NOW, content: str = "<p>正文</p>", *, title: str = ""
) -> Article:
    made = article_of_file(ArchiveFile(None, title or f"第{number}篇", f"https://e.example/{number}", content))
    return replace(made, published_at=published_at, published_raw=published_at.isoformat() if published_at else None)


def poll(database: Database, name: str, now: datetime, articles: Sequence[Article]) -> None:
    sources.configure(database, [SourceConfig(each, f"https://{each}.example/") for each in ("voa", "rfi")], NOW)
    source = next(each for each in sources.load(database) if each.name == name)
    after = replace(source, last_polled_at=now, last_document_at=now)
    commit_poll(database, after, Poll(source.id, now, DAY, "unchanged", entries=len(articles)), articles)


def counts(database: Database) -> dict[tuple[str, int], tuple[int, ...]]:
    """(articles, undated, first_seen, new_versions) by source and day; rows of zeros are left out."""
    # The days are counted from FIRST_DAY.
    figures = (tables.day_counts.c[name] for name in day_counts.FIGURES)
    query = sa.select(tables.sources.c.name, tables.day_counts.c.day, *figures).join_from(
        tables.day_counts, tables.sources
    )
    with database.read() as connection:
        assert list(day_counts.wrong_day_counts(connection)) == []
        return {
            (row.name, (row.day - FIRST_DAY).days): tuple(row[2:]) for row in connection.execute(query) if any(row[2:])
        }


def test_a_poll_counts_articles_by_the_day_of_publication_and_the_undated_by_the_day_they_were_seen(
    database: Database,
) -> None:
    poll(database, "voa", NOW, [article(1), article(2, NOW - DAY), article(3, None)])
    poll(database, "rfi", NOW + DAY, [article(3, None), article(4, NOW)])

    assert counts(database) == {("voa", -1): (1, 0, 0, 0), ("voa", 0): (1, 1, 3, 0), ("rfi", 0): (1, 0, 0, 0)} | {
        ("rfi", 1): (0, 0, 1, 0)
    }


def test_the_day_is_the_day_in_utc(database: Database) -> None:
    astana = datetime.fromisoformat("2022-01-12T03:00:00+06:00")
    poll(database, "voa", NOW, [article(1, astana)])

    assert counts(database) == {("voa", 0): (1, 0, 1, 0)}


def test_a_later_version_counts_on_its_day_for_the_source_that_showed_it(database: Database) -> None:
    poll(database, "voa", NOW, [article(1)])
    poll(database, "rfi", NOW + DAY, [article(1, content="<p>新的正文</p>")])
    poll(database, "voa", NOW + 2 * DAY, [article(1, content="<p>又一次</p>"), article(1, content="<p>再一次</p>")])

    found = counts(database)

    assert found[("voa", 0)] == (1, 0, 1, 0)
    assert found[("rfi", 1)] == (0, 0, 0, 1)
    assert found[("voa", 2)] == (0, 0, 0, 2)


@pytest.mark.parametrize("content", ["<p>正文</p>", "<p>新的正文</p>"], ids=["the words stay", "a new version"])
def test_a_date_that_arrives_or_changes_later_moves_the_article_to_its_day(database: Database, content: str) -> None:
    poll(database, "voa", NOW, [article(1, None), article(2, NOW)])
    poll(database, "voa", NOW + DAY, [article(1, NOW - DAY, content), article(2, NOW - 2 * DAY, content)])

    found = counts(database)

    assert {day: figures[:3] for (_, day), figures in found.items() if any(figures[:3])} == {
        -2: (1, 0, 0),
        -1: (1, 0, 0),
        0: (0, 0, 2),
    }


def test_a_poll_that_is_not_stored_is_not_counted(database: Database) -> None:
    poll(database, "voa", NOW, [article(1)])

    def store_and_fail() -> None:
        with database.write() as connection:
            counts = day_counts.DayCounts()
            counts.count_article(1, NOW, NOW)
            counts.write(connection)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        store_and_fail()

    assert counts(database) == {("voa", 0): (1, 0, 1, 0)}


def fill(database: Database) -> None:
    poll(database, "voa", NOW, [article(1), article(2, NOW - DAY), article(3, None)])
    poll(database, "rfi", NOW + DAY, [article(3, NOW, "<p>新</p>"), article(1, content="<p>新</p>")])
    store_files(database, [("files", article(5)), ("files", article(6, None))], NOW + 3 * DAY)
    poll(database, "voa", NOW + 4 * DAY, [article(1, content="<p>更新</p>"), article(2, NOW)])


def test_an_upgrade_counts_what_is_stored(database: Database) -> None:
    fill(database)
    before = counts(database)

    migrate(database, command.downgrade, "0006")
    schema.upgrade(database)

    assert counts(database) == before


def test_a_restored_export_has_the_same_counts(database: Database, database_url: str, tmp_path: Path) -> None:
    fill(database)
    restored = Database(f"sqlite:///{tmp_path}/restored.db")

    def kzfeed(url: str, *arguments: str) -> None:
        done = fork_server().run(["--database", url, *arguments], tmp_path, clean_environment())
        assert done.returncode == 0, done.stderr

    kzfeed(database_url, "export", "out", "--versions")
    kzfeed(restored.engine.url.render_as_string(), "backfill", "out")

    assert counts(restored) == counts(database)
    restored.close()


def test_a_rescued_file_is_counted_anew(sqlite_database: Database, tmp_path: Path) -> None:
    fill(sqlite_database)
    done = fork_server().run(["db", "rescue", "rescued.db"], tmp_path, clean_environment())

    rescued = Database(f"sqlite:///{tmp_path}/rescued.db")

    assert done.returncode == 0, done.stderr
    assert counts(rescued) == counts(sqlite_database)
    rescued.close()


def test_verify_finds_wrong_counts_and_recount_repairs_them(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    fill(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE day_counts SET articles = articles + 1 WHERE day = '2022-01-10'")
        connection.exec_driver_sql("DELETE FROM day_counts WHERE day = '2022-01-12'")
    found: list[Any] = []

    verify(database, found.append)
    done = fork_server().run(["--database", database_url, "db", "recount"], tmp_path, clean_environment())

    assert [(each.kind, each.is_damage) for each in found] == [("day-counts", True)] * 2
    said = " ".join(each.found for each in found)
    assert "articles is 1: expected 0" in said
    assert "new_versions is 0: expected 2" in said
    assert done.returncode == 0, done.stderr
    counts(database)
