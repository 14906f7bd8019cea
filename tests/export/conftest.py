"""Fixtures of the tests of export: archives on both engines."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kzfeed.store.engine import Database
from tests.conftest import NewDatabase
from tests.export.archives import Archive, archive_on

NewArchive = Callable[[str], Archive]


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """A rich archive, once on each engine."""
    return archive_on(database, tmp_path)


@pytest.fixture
def new_archive(new_database: NewDatabase, tmp_path: Path) -> NewArchive:
    """Makes an empty archive on the engine named."""
    return lambda engine: archive_on(new_database(engine), tmp_path, filled=False)
