"""Readers that may not write: another user of an SQLite file's group, and a role of PostgreSQL with SELECT only."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.databases import Databases, execute
from tests.etiquette.program import within
from tests.fork_server import READER, User, clean_environment, fork_server, needs_root
from tests.test_keeping import commands_of

FILE = "<!--1704787200250-->\n[A title](https://e.example/{})\n------\n\n<p>Text.</p>\n"
GROUP = READER.groups[1]
OWNER = User(0, (GROUP,))
READING_COMMANDS = [
    ["stats"],
    ["list"],
    ["show", "1"],
    ["sources", "list"],
    ["verify"],
    ["export", "exported"],
    ["db", "backup", "backup.db"],
]


@dataclass(frozen=True)
class Archive:
    """An SQLite archive in a folder that its group may read, and a folder of the reader's own."""

    folder: Path
    reader: Path

    @property
    def database(self) -> Path:
        return self.folder / "kzfeed.db"

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(KZFEED_DATABASE_URL=f"sqlite:///{self.database}", KZFEED_SOURCES="[]")

    def kzfeed(self, user: User, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        folder = self.folder if user == OWNER else self.reader
        return fork_server().run(arguments, folder, self.environment, user=user)

    def sqlite3(self, *options: str) -> str:
        """What SQLite's own program tells the reader."""
        command = ["sqlite3", *options, str(self.database), "SELECT count(*) FROM article_list"]
        done = subprocess.run(
            command,
            user=READER.uid,
            group=READER.groups[0],
            extra_groups=READER.groups,
            cwd=self.reader,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


@contextmanager
def place() -> Iterator[Archive]:
    """Where an archive may be, and a new folder of the reader's."""
    # Not in pytest's folder, which only root may enter.
    with tempfile.TemporaryDirectory() as name:
        above = Path(name)
        above.chmod(0o755)
        made = Archive(above / "archive", above / "reader")
        made.reader.mkdir()
        os.chown(made.reader, READER.uid, READER.uid)
        yield made


@pytest.fixture(scope="module")
def filled() -> Iterator[Path]:
    """The folder of an archive with one article."""
    with place() as made:
        made.folder.mkdir()
        os.chown(made.folder, 0, GROUP)
        made.folder.chmod(0o750)
        (made.folder / "1.txt").write_text(FILE.format(1))
        assert made.kzfeed(OWNER, "backfill", "1.txt").returncode == 0
        yield made.folder


@pytest.fixture
def archive(filled: Path) -> Iterator[Archive]:
    """A copy of that archive, with the same owners and rights."""
    with place() as made:
        subprocess.run(["cp", "-a", filled, made.folder], check=True)
        yield made


def restore(archive: Archive) -> None:
    """Put a backup in the place of the database, as docs/backup.md says."""
    for line in commands_of("SQLite").splitlines():
        if line.startswith("kzfeed "):
            assert archive.kzfeed(OWNER, *line.split()[1:]).returncode == 0
        else:
            subprocess.run(["sh", "-ec", line], cwd=archive.folder, check=True)


def put_over(archive: Archive) -> None:
    """Copy a backup over the database, beside which its companions stay."""
    archive.kzfeed(OWNER, "db", "backup", "copy.db")
    shutil.copyfile(archive.folder / "copy.db", archive.database)


def read_by_the_owner_only(archive: Archive) -> None:
    for command in (["stats"], ["list"], ["verify"]):
        archive.kzfeed(OWNER, *command)


STATES: dict[str, Callable[[Archive], object]] = {
    "stopped": lambda archive: None,
    "read by its owner": read_by_the_owner_only,
    "restored": restore,
    "put over": put_over,
}


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize("state", STATES)
def test_a_reader_in_the_group_reads_an_archive_that_nobody_has_open(archive: Archive, state: str) -> None:
    STATES[state](archive)

    assert_readable(archive)


@pytest.mark.slow
@needs_root
def test_a_reader_in_the_group_reads_beside_the_daemon_and_after_its_end(archive: Archive) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        log = archive.reader / how.name
        daemon = fork_server().start(["run"], archive.folder, archive.environment, stderr=str(log), user=OWNER)
        within(120, lambda log=log: log.exists() and "running" in log.read_text())  # type: ignore[misc]

        if how == signal.SIGTERM:
            assert_readable(archive)
        os.kill(daemon, how)
        fork_server().wait(daemon)
        assert_readable(archive)


def assert_readable(archive: Archive) -> None:
    for command in READING_COMMANDS:
        shutil.rmtree(archive.reader / "exported", ignore_errors=True)
        (archive.reader / "backup.db").unlink(missing_ok=True)
        done = archive.kzfeed(READER, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
    if shutil.which("sqlite3"):
        assert archive.sqlite3("-readonly") == archive.sqlite3() == "1\n"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_root
def test_a_reader_reads_a_copy_whose_companions_are_missing(archive: Archive) -> None:
    for ending in ("-wal", "-shm"):
        archive.database.with_name(f"kzfeed.db{ending}").unlink()
    before = contents(archive.folder)

    for command in READING_COMMANDS:
        done = archive.kzfeed(READER, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert contents(archive.folder) == before
    archive.kzfeed(OWNER, "stats")
    assert archive.sqlite3("-readonly") == "1\n"


@needs_root
@pytest.mark.parametrize("command", [["backfill", "2.txt"], ["poll"], ["run"]])
def test_a_command_that_writes_tells_a_reader_who_may(archive: Archive, command: list[str]) -> None:
    (archive.reader / "2.txt").write_text(FILE.format(2))
    (archive.reader / "kzfeed.toml").write_text('[[sources]]\nname = "s"\nurl = "http://127.0.0.1:1/"\n')
    environment = clean_environment(KZFEED_DATABASE_URL=f"sqlite:///{archive.database}")

    done = fork_server().run(command, archive.reader, environment, user=READER)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"kzfeed: this user may only read {archive.database}, and the command has to write: "
        "run it as the user root, who owns the file\n"
    )


@needs_root
def test_a_poll_tells_a_reader_so_before_it_visits_a_server(archive: Archive) -> None:
    """Also where nothing of the configuration is new, so that the poll itself is the first to be stored."""
    toml = '[[sources]]\nname = "s"\nurl = "http://127.0.0.1:1/"\n'
    environment = clean_environment(KZFEED_DATABASE_URL=f"sqlite:///{archive.database}")
    for folder, user, status in ((archive.folder, OWNER, 1), (archive.reader, READER, 3)):
        (folder / "kzfeed.toml").write_text(toml)
        done = fork_server().run(["poll"], folder, environment, user=user)
        assert done.returncode == status

    assert done.stdout == ""
    assert done.stderr.startswith(f"kzfeed: this user may only read {archive.database}")


@needs_root
def test_a_command_that_writes_into_a_backup_that_nobody_has_opened_tells_a_reader_so(archive: Archive) -> None:
    """A backup is not in WAL mode yet, and the first writer sets that."""
    archive.kzfeed(OWNER, "db", "backup", "copy.db")
    backup = archive.folder / "copy.db"
    backup.chmod(0o644)
    (archive.reader / "2.txt").write_text(FILE.format(2))

    for command in (["db", "recount"], ["backfill", "2.txt"]):
        done = archive.kzfeed(READER, "--database", f"sqlite:///{backup}", *command)
        assert done.returncode == 3
        assert done.stderr.startswith(f"kzfeed: this user may only read {backup}, and the command has to write"), done


@needs_root
def test_who_may_not_read_is_told_so(archive: Archive) -> None:
    archive.database.chmod(0o600)
    done = archive.kzfeed(READER, "stats")
    assert (done.returncode, done.stderr) == (
        3,
        f"kzfeed: this user may not read {archive.database}: docs/database.md says how to let a group read it\n",
    )

    archive.folder.chmod(0o700)
    done = archive.kzfeed(READER, "stats")
    assert (done.returncode, done.stderr) == (
        3,
        f"kzfeed: cannot use this database: {archive.database}: Permission denied\n",
    )


@pytest.mark.slow
def test_a_role_with_select_only_reads_and_is_told_that_it_cannot_write(tmp_path: Path, postgresql: str) -> None:
    databases = Databases(tmp_path, postgresql)
    url = databases.new("postgresql")
    role = f"reader_{os.getpid()}"
    environment = clean_environment(KZFEED_DATABASE_URL=url, KZFEED_SOURCES="[]")
    for number in (1, 2):
        (tmp_path / f"{number}.txt").write_text(FILE.format(number))
    fork_server().run(["backfill", "1.txt"], tmp_path, environment)
    execute(url, f"CREATE ROLE {role} LOGIN")
    execute(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    environment["KZFEED_DATABASE_URL"] = sa.make_url(url).set(username=role).render_as_string(hide_password=False)

    # pg_dump must be of the server's version, which this machine may lack.
    for command in READING_COMMANDS[:-1]:
        done = fork_server().run(command, tmp_path, environment)
        assert (done.returncode, done.stderr) == (0, ""), command
    done = fork_server().run(["backfill", "2.txt"], tmp_path, environment)
    assert (done.returncode, done.stdout) == (3, "")
    assert "lacks a right (docs/database.md says who needs which): permission denied for" in done.stderr

    databases.drop(url)
    execute(postgresql, f"DROP ROLE {role}")
