"""What the tests of faults share."""

import random
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.databases import Databases, PostgreSQL, own_postgresql
from tests.faults.processes import Nursery


@pytest.fixture
def databases(tmp_path: Path, postgresql: str) -> Databases:
    """Any number of new databases on both engines."""
    return Databases(tmp_path, postgresql)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """Where kzfeed is started within milliseconds, in the test's folder."""
    with Nursery(tmp_path) as nursery:
        yield nursery


@pytest.fixture(scope="session")
def stoppable() -> Iterator[PostgreSQL]:
    """A PostgreSQL that a test may stop."""
    with own_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def side_by_side() -> Iterator[Executor]:
    """Where scenarios run that mostly wait: together they take as long as the longest."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture
def chance() -> random.Random:
    """Other instants on every run: what goes wrong at one of them is to be found."""
    return random.Random()
