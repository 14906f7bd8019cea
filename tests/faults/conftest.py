"""Fixtures of the tests of faults."""

import random
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.databases import Databases, PostgreSQLServer, postgresql_server
from tests.faults.processes import Launcher


@pytest.fixture
def databases(tmp_path: Path, postgresql: str, empty_archive: Path, postgresql_template: str) -> Databases:
    """Any number of new databases with our schema and no rows, on both engines."""
    return Databases(tmp_path, postgresql, {"sqlite": empty_archive, "postgresql": postgresql_template})


@pytest.fixture
def empty_databases(tmp_path: Path, postgresql: str) -> Databases:
    """Any number of new databases without a schema, on both engines."""
    return Databases(tmp_path, postgresql)


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    """Starter of kzfeed in the test's folder, within milliseconds."""
    return Launcher(tmp_path)


@pytest.fixture(scope="session")
def stoppable_postgresql() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server that tests may stop."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def scenario_pool() -> Iterator[Executor]:
    """Threads for scenarios that mostly wait, so that together they take as long as the longest."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture
def chance() -> random.Random:
    """Unseeded random numbers, so that every run tests other instants."""
    return random.Random()
