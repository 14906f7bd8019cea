"""Fixtures of the tests of fleets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.fleet.brokers import Brokers, brokers


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """One server of NATS, which tests share: each database has a fleet of its own."""
    with brokers(tmp_path_factory.mktemp("nats"), 1) as servers:
        yield servers


@pytest.fixture
def fleet_database(tmp_path: Path, postgresql: str, postgresql_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with our schema."""
    databases = Databases(tmp_path, postgresql)
    url = databases.new("postgresql", template=postgresql_template)
    yield url
    databases.drop(url)
