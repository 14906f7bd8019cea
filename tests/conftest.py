"""Fixtures of all tests: new databases on both engines, and the folder of real data."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.store import schema
from kzfeed.store.engine import Database
from tests.databases import Databases, execute, postgresql_server

SHARED = Path(__file__).parents[2] / "shared"
ENGINES = ("sqlite", "postgresql")
NewDatabase = Callable[[str], Database]


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with our schema and no rows. Copying it is quicker than creating it."""
    path = tmp_path_factory.mktemp("empty") / "kzfeed.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """The name of a PostgreSQL database with our schema and no rows, to be copied likewise."""
    url = Databases(Path(), postgresql).new("postgresql")
    _upgrade(url)
    return str(sa.make_url(url).database)


def _upgrade(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on each engine. It has our schema if the test uses `database`."""
    has_schema = "database" in request.fixturenames
    if request.param == "sqlite":
        if has_schema:
            shutil.copy(request.getfixturevalue("empty_archive"), tmp_path)
        yield f"sqlite:///{tmp_path}/kzfeed.db"
        return
    databases = Databases(tmp_path, request.getfixturevalue("postgresql"))
    template = request.getfixturevalue("postgresql_template") if has_schema else None
    yield (url := databases.new("postgresql", template=template))
    databases.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with our schema and no rows, once on each engine."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def sqlite_database(empty_archive: Path, tmp_path: Path) -> Iterator[Database]:
    """The file `kzfeed.db` in the test's folder, with our schema and no rows."""
    database = Database(f"sqlite:///{shutil.copy(empty_archive, tmp_path)}")
    yield database
    database.close()


@pytest.fixture
def new_database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewDatabase]:
    """Makes a database with our schema and no rows on the engine named."""
    databases = Databases(tmp_path, request.getfixturevalue("postgresql"))
    templates = {"sqlite": "empty_archive", "postgresql": "postgresql_template"}
    with ExitStack() as stack:

        def make(engine: str) -> Database:
            url = databases.new(engine, template=request.getfixturevalue(templates[engine]))
            stack.callback(databases.drop, url)
            return stack.enter_context(closing(Database(url)))

        yield make
