"""Fixtures of the tests of export: archives on both engines."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kzfeed.store.engine import Database
from tests.conftest import NewDatabase
from tests.export.archives import Archive, archive_on
from tests.export.test_restore import fill

NewArchive = Callable[[str], Archive]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A rich archive, once on each engine, which all tests share and none changes."""
    databases = request.getfixturevalue(f"empty_{request.param}")
    with closing(Database(url := databases.take())) as database:
        fill(database)
        yield database
    databases.give_back(url)


@pytest.fixture
def archive(filled: Database, tmp_path: Path) -> Archive:
    """A rich archive, once on each engine, to read."""
    return archive_on(filled, tmp_path)


@pytest.fixture(scope="session")
def filled_file(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same archive as an SQLite file, to be copied."""
    file = Path(shutil.copy(empty_archive, tmp_path_factory.mktemp("filled")))
    with closing(Database(f"sqlite:///{file}")) as database:
        fill(database)
    return file


@pytest.fixture
def original(filled_file: Path, tmp_path: Path) -> Iterator[Database]:
    """The same archive on SQLite, to change."""
    with closing(Database(f"sqlite:///{shutil.copyfile(filled_file, tmp_path / 'original.db')}")) as database:
        yield database


@pytest.fixture
def new_archive(new_database: NewDatabase, tmp_path: Path) -> NewArchive:
    """Makes an empty archive on the engine named."""
    return lambda engine: archive_on(new_database(engine), tmp_path)
