"""An SQLite file that is taken away under a process that has it open: nothing is reported as stored any more."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kzfeed.errors import DatabaseFileReplaced
from kzfeed.model.polls import SourceConfig
from kzfeed.store import schema, sources
from kzfeed.store.engine import Database

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)


def delete(file: Path) -> None:
    file.unlink()


def move(file: Path) -> None:
    file.rename(file.with_name("moved.db"))


def replace(file: Path) -> None:
    other = shutil.copy(file, file.with_name("other.db"))
    Path(other).rename(file)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/kzfeed.db")
    schema.upgrade(database)
    sources.configure(database, [SourceConfig("voa", "https://voa.example/")], NOW)
    return database


@pytest.mark.parametrize("take_away", [delete, move, replace])
def test_neither_reads_nor_writes_go_on(database: Database, take_away: Callable[[Path], None]) -> None:
    assert database.file
    take_away(database.file)

    with pytest.raises(DatabaseFileReplaced, match=r"kzfeed\.db is no longer the one that kzfeed opened"):
        sources.load(database)
    with pytest.raises(DatabaseFileReplaced):
        sources.configure(database, [], NOW)
    assert database.file.exists() == (take_away is replace)


def test_a_transaction_that_commits_into_a_deleted_file_fails(database: Database) -> None:
    assert database.file

    def write() -> None:
        with database.write() as connection:
            sources.ids_by_name(connection, ["another"])
            assert database.file
            database.file.unlink()

    with pytest.raises(DatabaseFileReplaced):
        write()


def test_after_a_close_the_new_file_is_opened(database: Database) -> None:
    assert database.file
    replace(database.file)

    database.close()

    assert [source.name for source in sources.load(database)] == ["voa"]
