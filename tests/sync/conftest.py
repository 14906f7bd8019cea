"""Fixtures of the tests of the archive folder."""

from pathlib import Path

import pytest

from kzfeed.store.engine import Database
from tests.export.archives import Archive, archive_on


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """An empty archive at the command line, once on each engine."""
    return archive_on(database, tmp_path)
