"""Fixtures of the commands: a folder that a plain web server serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.file_server import serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a web server serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder) as address:
        yield folder, address
