"""Invalid or unfinished archive files: refused by name, and copied to the quarantine if asked for."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kzfeed import backfill
from kzfeed.poll import utc_now
from kzfeed.store import schema
from kzfeed.store.engine import Database
from tests.faults.processes import kzfeed

GOOD = "<!--NaN-->\n[t](https://e.example/{number})\n------\n\nx\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files to backfill, beside the database and the quarantine."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.txt").write_text(GOOD.format(number=1))
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/kzfeed.db")
    schema.upgrade(database)
    yield database
    database.close()


def run(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, int], list[str]]:
    """The exit status of a backfill, its report, and the names of what it refused."""
    done = kzfeed(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "backfill", "in", "--json", *arguments)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    refused = [event["error"].partition(":")[0] for event in events if event["event"] == "file refused"]
    return done.returncode, json.loads(done.stdout), sorted(refused)


def stored(database: Database, files: list[Path]) -> backfill.Progress:
    return backfill.backfill(database, files, source_of=backfill.by_host, clock=utc_now)


def test_refused_files_are_copied_aside_under_their_names(folder: Path, tmp_path: Path) -> None:
    (folder / "deeper").mkdir()
    (folder / "empty.txt").touch()
    (folder / "bad.txt").write_bytes(b"\x00\xff\xfe")
    (folder / "deeper" / "bad.txt").write_text("another one")
    os.mkfifo(folder / "pipe.txt")

    first = run(tmp_path, "--quarantine", "in/aside")
    again = run(tmp_path, "--quarantine", "in/aside")

    assert first[0] == again[0] == 1
    assert first[1] == {"files": 5, "new": 1, "revised": 0, "unchanged": 0, "refused": 4}
    assert again[1] == {"files": 5, "new": 0, "revised": 0, "unchanged": 1, "refused": 4}
    aside = {file.name: file.read_bytes() for file in (folder / "aside").iterdir()}
    assert aside == {"bad.txt": b"\x00\xff\xfe", "bad.2.txt": b"another one", "empty.txt": b""}
    assert (folder / "bad.txt").exists()


def test_a_file_of_200_mb_is_refused_by_name_without_being_read(folder: Path, database: Database) -> None:
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(200_000_000)
    before = Path("/proc/self/io").read_text("ascii")

    progress = stored(database, [folder / "huge.txt", folder / "good.txt"])

    assert (progress.refused, progress.tally.new) == (1, 1)
    after = Path("/proc/self/io").read_text("ascii")
    read = [int(text.split("\n")[0].partition(": ")[2]) for text in (before, after)]
    assert read[1] - read[0] < 10_000_000


def test_a_file_that_may_not_be_read_is_refused(folder: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (folder / "secret.txt").write_text(GOOD.format(number=2))
    (folder / "secret.txt").chmod(0)

    status, report, refused = run(tmp_path)

    assert (status, report["new"], refused) == (1, 1, ["in/secret.txt"])


def test_a_file_that_vanishes_before_it_is_read_is_refused(folder: Path, database: Database) -> None:
    progress = stored(database, [folder / "vanished.txt", folder / "good.txt"])

    assert (progress.refused, progress.tally.new) == (1, 1)


def test_a_file_that_grows_while_it_is_read_is_refused(folder: Path, database: Database) -> None:
    """Half an article must not pass for a whole one."""
    growing = folder / "growing.txt"
    growing.write_text(GOOD.format(number=2) + "more of it " * 1_000_000)
    done = threading.Event()

    def write() -> None:
        with growing.open("a", buffering=1) as file:
            while not done.is_set():
                file.write("and more\n")

    writer = threading.Thread(target=write)
    writer.start()
    progress = stored(database, [growing])
    done.set()
    writer.join()

    assert progress.refused == 1
    assert stored(database, [growing]).tally.new == 1
