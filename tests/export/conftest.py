"""Fixtures of the tests of export: archives on both engines."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from kzfeed.store import schema
from kzfeed.store.engine import Database
from tests.databases import Databases
from tests.export.archives import Archive, archive_on

NewArchive = Callable[..., Archive]


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """A rich archive, once on each engine."""
    return archive_on(database, tmp_path)


@pytest.fixture
def new_archive(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewArchive]:
    """Makes an empty archive on the engine named."""
    databases = Databases(tmp_path, request.getfixturevalue("postgresql"))
    with ExitStack() as stack:

        def make(engine: str) -> Archive:
            url = databases.new(engine)
            stack.callback(databases.drop, url)
            database = stack.enter_context(closing(Database(url)))
            schema.upgrade(database)
            return archive_on(database, tmp_path, filled=False)

        yield make
