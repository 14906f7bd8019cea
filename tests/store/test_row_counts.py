"""Deletions are seen: `kzfeed verify` exits with 1 after rows were deleted together with all that refers to them."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.model.articles import Article, Gap, WindowComparison
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.store import row_counts, sources
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from tests.fork_server import clean_environment, fork_server
from tests.store.commits import commit_poll

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)


def article(number: int, content: str = "<p>正文</p><img src='https://e.example/i.png'>") -> Article:
    return article_of_file(ArchiveFile(1641922743000 + number, f"第{number}篇", f"https://e.example/{number}", content))


@pytest.fixture
def archive(database: Database) -> Database:
    """Polls of two sources, a gap, a revision, media, and a file; stored by several transactions."""
    sources.configure(database, [SourceConfig(name, f"https://{name}.example/") for name in ("voa", "rfi")], NOW)
    for source in sources.load(database):
        for hour in range(2):
            poll = Poll(source.id, NOW, timedelta(seconds=1), "unchanged", entries=2)
            articles = [article(source.id * 10 + each, f"{hour}<img src='https://e.example/i'>") for each in (1, 2)]
            gap = WindowComparison(gap=Gap(NOW, NOW + timedelta(hours=1)))
            commit_poll(database, source, poll, articles, window=gap)
    store_files(database, [("files", article(99))], NOW)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE sources SET validators_url = NULL, body_hash = NULL")
    return database


def verify(database_url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return fork_server().run(["verify"], folder, clean_environment(KZFEED_DATABASE_URL=database_url))


def test_an_archive_that_only_kzfeed_wrote_to_is_whole(archive: Database, database_url: str, tmp_path: Path) -> None:
    found = verify(database_url, tmp_path)

    assert (found.returncode, found.stderr) == (0, ""), found.stdout


@pytest.mark.parametrize(
    ("tables", "statements"),
    [
        (
            ["media", "gaps", "polls"],
            [
                "DELETE FROM media",
                "DELETE FROM gaps",
                "DELETE FROM polls WHERE source_id = (SELECT min(id) FROM sources)",
            ],
        ),
        (
            ["articles", "media", "polls", "revisions", "sightings"],
            [
                f"DELETE FROM {table}"
                for table in ("media", "tags", "sightings", "revisions", "polls", "article_changes", "articles")
            ],
        ),
    ],
    ids=["media, gaps and a source's polls", "everything"],
)
def test_deleted_rows_are_damage(
    archive: Database, database_url: str, tmp_path: Path, tables: list[str], statements: list[str]
) -> None:
    with archive.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)

    found = verify(database_url, tmp_path)

    assert found.returncode == 1
    for table in tables:
        assert f"{table}: holds" in found.stdout.replace("rows  ", ""), found.stdout


def test_what_is_not_committed_is_not_counted(archive: Database) -> None:
    def store_and_fail() -> None:
        with archive.write() as connection:
            sources.ids_by_name(connection, ["another"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        store_and_fail()

    with archive.read() as connection:
        assert list(row_counts.wrong_counts(connection)) == []
