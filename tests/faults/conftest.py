"""What the tests of faults share."""

import random
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.databases import Databases, PostgreSQLServer, postgresql_server
from tests.faults.processes import ForkServer


@pytest.fixture
def databases(tmp_path: Path, postgresql: str) -> Databases:
    """Any number of new databases on both engines."""
    return Databases(tmp_path, postgresql)


@pytest.fixture
def fork_server(tmp_path: Path) -> Iterator[ForkServer]:
    """Where kzfeed is started within milliseconds, in the test's folder."""
    with ForkServer(tmp_path) as fork_server:
        yield fork_server


@pytest.fixture(scope="session")
def stoppable_postgresql() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL that a test may stop."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def scenario_pool() -> Iterator[Executor]:
    """Where scenarios run that mostly wait: together they take as long as the longest."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture
def chance() -> random.Random:
    """Other instants on every run: what goes wrong at one of them is to be found."""
    return random.Random()
