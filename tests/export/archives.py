"""What the tests of export share: a rich archive at the command line, on either engine."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from kzfeed.store.engine import Database
from tests.export.test_restore import Rows, rows
from tests.fork_server import clean_environment, fork_server

only_on_sqlite = pytest.mark.parametrize("filled", ["sqlite"], indirect=True, scope="session")
Done = subprocess.CompletedProcess[str]
MakeDatabase = Callable[[str], Database]


@dataclass(frozen=True)
class Archive:
    """A database, and the command line that uses it in a folder of its own."""

    folder: Path
    database: Database
    environment: Mapping[str, str]

    def kzfeed(self, *arguments: str | Path) -> Done:
        return fork_server().run(arguments, self.folder, self.environment)

    def export(self, *arguments: str | Path) -> Done:
        done = self.kzfeed("export", *arguments)
        assert done.returncode == 0, done.stderr
        return done

    def rows(self) -> Rows:
        return rows(self.database)


def archive_on(database: Database, folder: Path) -> Archive:
    """A database as an archive whose commands run in this folder."""
    url = database.engine.url.set(drivername=database.engine.url.get_backend_name())
    environment = clean_environment(KZFEED_DATABASE_URL=url.render_as_string(hide_password=False))
    return Archive(folder, database, environment)
