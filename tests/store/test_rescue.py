"""A damaged SQLite file: `export` goes around what cannot be read, and `db rescue` makes a new database of the rest."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.model.polls import Poll, SourceConfig, Validators
from kzfeed.store import sources
from kzfeed.store.engine import Database
from tests.fork_server import clean_environment, fork_server
from tests.slow import slow
from tests.store.commits import commit_poll

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
ARTICLES = 300
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def file(filled: Path, tmp_path: Path) -> Path:
    """A copy of that file, to damage."""
    return Path(shutil.copy(filled, tmp_path))


@pytest.fixture(scope="module")
def filled(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of two sources with many articles on many pages."""
    path = Path(shutil.copy(empty_archive, tmp_path_factory.mktemp("filled")))
    database = Database(f"sqlite:///{path}")
    sources.configure(database, [SourceConfig(name, f"https://{name}.example/") for name in ("voa", "rfi")], NOW)
    for source in sources.load(database):
        articles = [
            article_of_file(
                ArchiveFile(
                    1641922743000 + number if number % 3 else None,
                    f"第{number}篇",
                    f"https://{source.name}.example/{number}",
                    f"<p>{'长' * 2000}{number}</p><img src='https://e.example/{number}.png'>",
                )
            )
            for number in range(ARTICLES // 2)
        ]
        after = replace(source, validators=Validators(source.url, etag='"1"'), last_document_at=NOW, last_polled_at=NOW)
        poll = Poll(source.id, NOW, timedelta(seconds=1), "unchanged", entries=ARTICLES // 2)
        commit_poll(database, after, poll, articles)
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def kzfeed(tmp_path: Path) -> Run:
    """Runs kzfeed with a database file."""

    def run(database: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        environment = clean_environment(KZFEED_DATABASE_URL=f"sqlite:///{database}")
        return fork_server().run(arguments, tmp_path, environment)

    return run


def pages_of(file: Path, table: str) -> list[int]:
    """The table's leaf pages, as SQLite's own dbstat names them, else those that hold its rows' text."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        return [number for (number,) in connection.execute(query, (table,))]


def damage(file: Path, *pages: int) -> None:
    with closing(sqlite3.connect(file)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with file.open("r+b") as raw:
        for page in pages:
            raw.seek((page - 1) * size)
            raw.write(b"\xff" * size)


def count(file: Path, table: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def archive_files(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.txt"))


@pytest.mark.parametrize("which", [slow(0), 5, slow(-1)], ids=["the first page", "a page", "the last page"])
def test_one_damaged_page_costs_only_its_own_articles(file: Path, tmp_path: Path, kzfeed: Run, which: int) -> None:
    damage(file, pages_of(file, "articles")[which])

    exported = kzfeed(file, "export", tmp_path / "out")
    rescued = kzfeed(file, "db", "rescue", tmp_path / "rescued.db")

    lost = ARTICLES - archive_files(tmp_path / "out")
    assert 0 < lost < 30
    assert (exported.returncode, rescued.returncode) == (1, 1)
    assert re.search(rf"{lost} articles? cannot be read.*\(articles\.id \d+", exported.stderr)
    assert re.search(rf"articles: {lost} of its rows cannot be read \(rowid \d+", rescued.stderr)
    assert count(tmp_path / "rescued.db", "articles") == ARTICLES - lost
    assert count(tmp_path / "rescued.db", "sources") == 2


@pytest.mark.slow
def test_every_format_goes_around_damaged_pages(file: Path, tmp_path: Path, kzfeed: Run) -> None:
    damage(file, pages_of(file, "articles")[5], pages_of(file, "media")[0])

    files = kzfeed(file, "export", tmp_path / "out")
    exported = {name: kzfeed(file, "export", name) for name in ("x.jsonl", "x.csv", "x.parquet", "x.atom")}

    assert files.returncode == 1
    assert 0 < archive_files(tmp_path / "out") < ARTICLES
    for name, done in exported.items():
        assert (done.returncode, done.stderr) == (1, files.stderr)
        assert done.stdout == f"{name}: {archive_files(tmp_path / 'out')} articles written\n"


def test_what_is_rescued_is_a_sound_database_that_asks_for_whole_documents(
    file: Path, tmp_path: Path, kzfeed: Run
) -> None:
    damage(file, pages_of(file, "articles")[5], pages_of(file, "media")[0])
    kzfeed(file, "db", "rescue", tmp_path / "rescued.db")

    verified = kzfeed(tmp_path / "rescued.db", "verify", "--json")

    kinds = set(re.findall(r'"kind": "(\w+)"', verified.stdout))
    assert kinds <= {"counts", "unchecked"}, verified.stdout  # its polls brought more than is left
    with closing(sqlite3.connect(tmp_path / "rescued.db")) as connection:
        assert connection.execute("SELECT DISTINCT etag FROM sources").fetchall() == [(None,)]


def test_articles_of_lost_sources_are_kept(file: Path, tmp_path: Path, kzfeed: Run) -> None:
    damage(file, *pages_of(file, "sources"))

    exported = kzfeed(file, "export", tmp_path / "out")
    rescued = kzfeed(file, "db", "rescue", tmp_path / "rescued.db")

    assert exported.returncode == 0, exported.stderr
    assert archive_files(tmp_path / "out") == ARTICLES
    assert "kept under the name rescued-source-1" in rescued.stderr
    assert count(tmp_path / "rescued.db", "articles") == ARTICLES


def test_a_file_that_was_cut_short_is_named_damaged_and_rescued(file: Path, tmp_path: Path, kzfeed: Run) -> None:
    os.truncate(file, file.stat().st_size - 30_000)
    before = file.read_bytes()

    said = [kzfeed(file, *command) for command in (("list",), ("status",), ("db", "backup", "copy.db"))]
    rescued = kzfeed(file, "db", "rescue", tmp_path / "rescued.db")

    for done in said:
        assert done.returncode == 3
        assert re.search(r"damaged.*`kzfeed db rescue.*docs/backup.md|damaged.*docs/backup.md.*db rescue", done.stderr)
    assert rescued.returncode == 1
    assert f"{file} lacks its last 30,000 bytes" in rescued.stderr
    assert ARTICLES - 10 < count(tmp_path / "rescued.db", "articles") <= ARTICLES
    assert file.read_bytes() == before
    assert not list(tmp_path.glob(".kzfeed-rescue-*"))


def test_a_file_without_a_schema_that_can_be_read_is_refused(file: Path, tmp_path: Path, kzfeed: Run) -> None:
    with file.open("r+b") as raw:
        raw.seek(100)
        raw.write(b"\xff" * 4000)

    done = kzfeed(file, "db", "rescue", tmp_path / "rescued.db")

    assert done.returncode == 3
    assert f"not even the schema of {file} can be read: restore a backup" in done.stderr
    assert not (tmp_path / "rescued.db").exists()


def test_a_damaged_index_costs_nothing(file: Path, tmp_path: Path, kzfeed: Run) -> None:
    damage(file, *pages_of(file, "ix_articles_published_at"))

    exported = kzfeed(file, "export", tmp_path / "out")
    rescued = kzfeed(file, "db", "rescue", tmp_path / "rescued.db")

    assert exported.returncode == 0, exported.stderr
    assert archive_files(tmp_path / "out") == ARTICLES
    assert (rescued.returncode, rescued.stderr) == (0, "")


def test_a_whole_database_is_copied_whole_and_no_file_is_overwritten(file: Path, tmp_path: Path, kzfeed: Run) -> None:
    rescued = kzfeed(file, "db", "rescue", tmp_path / "rescued.db")
    again = kzfeed(file, "db", "rescue", tmp_path / "rescued.db")

    assert (rescued.returncode, rescued.stderr) == (0, "")
    assert kzfeed(tmp_path / "rescued.db", "verify").returncode == 0
    assert again.returncode == 2
    assert not list(tmp_path.glob("*rescued*tmp*"))
