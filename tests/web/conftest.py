"""Fixtures of the archive browser: one site for all tests of a module, which only read."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kzfeed.store.engine import Database
from tests.export.test_restore import fill
from tests.web.hostile import show_hostile
from tests.web.site import Site, index_all, serving


@pytest.fixture(scope="module")
def site(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages of an archive with changed, withdrawn, undated and hostile articles, on SQLite."""
    folder = tmp_path_factory.mktemp("site")
    with closing(Database(f"sqlite:///{shutil.copy(empty_archive, folder)}")) as database:
        fill(database)
        show_hostile(database)
        index_all(database)
        with serving(database) as address:
            yield Site(database, address)
