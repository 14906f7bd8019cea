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
from tests.empty_databases import EmptyDatabases

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
        # No test cuts the power, so the server need not wait for the disk. Databases with a few hundred rows need no
        # vacuum, and plans change when statistics appear at some moment.
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            execute(server.url, f"ALTER SYSTEM SET {setting} = off")
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


@pytest.fixture(scope="session")
def empty_postgresql(postgresql: str, postgresql_template: str) -> Iterator[EmptyDatabases]:
    """Copies of that template, used by one test after the other."""
    with closing(EmptyDatabases(Databases(Path(), postgresql), postgresql_template)) as databases:
        yield databases


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
    elif has_schema:
        databases = request.getfixturevalue("empty_postgresql")
        yield (url := databases.take())
        databases.give_back(url)
    else:
        databases = Databases(tmp_path, request.getfixturevalue("postgresql"))
        yield (url := databases.new("postgresql"))
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
    with ExitStack() as stack:

        def make(engine: str) -> Database:
            if engine == "sqlite":
                url = Databases(tmp_path, "").new("sqlite", template=request.getfixturevalue("empty_archive"))
            else:
                databases = request.getfixturevalue("empty_postgresql")
                stack.callback(databases.give_back, url := databases.take())
            return stack.enter_context(closing(Database(url)))

        yield make
