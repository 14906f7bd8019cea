"""Fixtures of all tests: new databases on both engines, and the folder of real data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kzfeed.store import schema
from kzfeed.store.engine import Database
from tests.databases import Databases, execute, postgresql_server

SHARED = Path(__file__).parents[2] / "shared"
ENGINES = ("sqlite", "postgresql")


@pytest.fixture
def shared() -> Path:
    """Folder of real data beside the project. Tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder is not beside the project")
    return SHARED


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL server, started for this run of the tests."""
    with postgresql_server() as server:
        # No test cuts the power, so the server need not wait for the disk.
        execute(server.url, "ALTER SYSTEM SET fsync = off")
        execute(server.url, "SELECT pg_reload_conf()")
        yield server.url


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kzfeed.db"
        return
    databases = Databases(tmp_path, request.getfixturevalue("postgresql"))
    yield (url := databases.new("postgresql"))
    databases.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with our schema and no rows, once on each engine."""
    database = Database(database_url)
    schema.upgrade(database)
    yield database
    database.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """The file `kzfeed.db` in the test's folder, with our schema and no rows."""
    database = Database(f"sqlite:///{tmp_path}/kzfeed.db")
    schema.upgrade(database)
    yield database
    database.close()
