"""Fixtures of all tests: new databases on both engines, and the folder of real data."""

import gc
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from kzfeed.store import schema
from kzfeed.store.engine import Database
from tests.databases import Databases, execute, postgresql_server
from tests.empty_databases import EmptyDatabases, EmptyFiles

SHARED = Path(__file__).parents[2] / "shared"
ENGINES = ("sqlite", "postgresql")
NewDatabase = Callable[[str], Database]

# How long an example takes says more of the machine than of kzfeed.
settings.register_profile("kzfeed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("kzfeed"), max_examples=20)  # of `make test`
settings.load_profile("kzfeed")

# What is imported and collected stays. To look through it for garbage took a fifth of that time.
gc.disable()


@pytest.hookimpl(tryfirst=True)  # before pytest selects by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow on one engine only.

    Begin with the files that have slow tests, so that no worker is left alone with one of them at the end.
    """
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if item.get_closest_marker("slow_on_postgresql") and "postgresql" in parameters:
            item.add_marker(pytest.mark.slow)
    with_slow_tests = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in with_slow_tests)


def pytest_collection_finish() -> None:
    """Have the garbage collector look only at what the tests make, and a tenth as often as it would."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def examples(number: int) -> int:
    """This number of examples of Hypothesis, and a fifth of it with the profile `quick`."""
    return number * settings().max_examples // settings.get_profile("kzfeed").max_examples


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


@pytest.fixture
def postgresql_url(tmp_path: Path, postgresql: str, postgresql_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with our schema, of this test alone."""
    databases = Databases(tmp_path, postgresql)
    url = databases.new("postgresql", template=postgresql_template)
    yield url
    databases.drop(url)


@pytest.fixture(scope="session")
def empty_sqlite(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> EmptyFiles:
    """Copies of that file, used by one test after the other."""
    return EmptyFiles(tmp_path_factory.mktemp("used"), empty_archive)


@pytest.fixture(scope="session")
def empty_postgresql(postgresql: str, postgresql_template: str) -> Iterator[EmptyDatabases]:
    """Copies of that template, likewise."""
    with closing(EmptyDatabases(Databases(Path(), postgresql), postgresql_template)) as databases:
        yield databases


@pytest.fixture(scope="session")
def opened() -> dict[str, Database]:
    """Objects of databases of earlier tests, by URL. Their SQL is compiled, which takes longer than to run it."""
    return {}


def _upgrade(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on each engine. It has our schema if the test uses `database`."""
    if "database" in request.fixturenames:
        databases = request.getfixturevalue(f"empty_{request.param}")
        yield (url := databases.take())
        databases.give_back(url)
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kzfeed.db"
    else:
        servers = Databases(tmp_path, request.getfixturevalue("postgresql"))
        yield (url := servers.new("postgresql"))
        servers.drop(url)


@pytest.fixture
def database(database_url: str, opened: dict[str, Database]) -> Iterator[Database]:
    """A database with our schema and no rows, once on each engine."""
    with closing(_open(database_url, opened)) as database:
        yield database


@pytest.fixture(scope="module", params=ENGINES)
def shared_database(request: pytest.FixtureRequest, opened: dict[str, Database]) -> Iterator[Database]:
    """Such a database, once on each engine, for all tests of a module: one fixture fills it, and the tests read it."""
    databases = request.getfixturevalue(f"empty_{request.param}")
    url = databases.take()
    with closing(_open(url, opened)) as database:
        yield database
    databases.give_back(url)


def _open(url: str, opened: dict[str, Database]) -> Database:
    if url not in opened:
        opened[url] = Database(url)
    return opened[url]


@pytest.fixture
def sqlite_database(empty_archive: Path, tmp_path: Path) -> Iterator[Database]:
    """The file `kzfeed.db` in the test's folder, with our schema and no rows."""
    database = Database(f"sqlite:///{shutil.copy(empty_archive, tmp_path)}")
    yield database
    database.close()


@pytest.fixture
def new_database(request: pytest.FixtureRequest, opened: dict[str, Database]) -> Iterator[NewDatabase]:
    """Makes a database with our schema and no rows on the engine named."""
    with ExitStack() as stack:

        def make(engine: str) -> Database:
            databases = request.getfixturevalue(f"empty_{engine}")
            stack.callback(databases.give_back, url := databases.take())
            return stack.enter_context(closing(_open(url, opened)))

        yield make
