"""Invalid or unfinished archive files: refused by name, and copied to the quarantine if asked for."""

import json
import os
import tempfile
import threading
from pathlib import Path

import pytest

from kzfeed.backfill import run as backfill
from kzfeed.backfill.file_reader import FoundFile, find_files
from kzfeed.clock import utc_now
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


def run(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, int], list[str]]:
    """The exit status of a backfill, its report, and the names of what it refused."""
    done = kzfeed(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "backfill", "in", "--json", *arguments)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    refused = [event["error"].partition(":")[0] for event in events if event["event"] == "file refused"]
    return done.returncode, json.loads(done.stdout), sorted(refused)


def stored(sqlite_database: Database, files: list[Path]) -> backfill.Progress:
    return backfill.backfill(sqlite_database, map(FoundFile, files), source_of=backfill.by_host, clock=utc_now)


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


def test_a_file_of_200_mb_is_refused_by_name_without_being_read(folder: Path, sqlite_database: Database) -> None:
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(200_000_000)
    before = Path("/proc/self/io").read_text("ascii")

    progress = stored(sqlite_database, [folder / "huge.txt", folder / "good.txt"])

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


def test_links_out_of_the_folder_are_refused_and_not_copied_unless_they_are_to_be_followed(
    folder: Path, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "key.txt").write_text("-----BEGIN PRIVATE KEY-----")
    (private / "article.txt").write_text(GOOD.format(number=2))
    (folder / "to-article.txt").symlink_to(private / "article.txt")
    (folder / "to-folder").symlink_to(private)
    (folder / "to-key.txt").symlink_to(private / "key.txt")
    (folder / "within.txt").symlink_to("good.txt")

    closed = run(tmp_path, "--quarantine", "aside")
    followed = run(tmp_path, "--follow-links")

    assert closed[0] == 1
    assert closed[1] == {"files": 5, "new": 1, "revised": 0, "unchanged": 1, "refused": 3}
    assert closed[2] == ["in/to-article.txt", "in/to-folder", "in/to-key.txt"]
    assert list((tmp_path / "aside").iterdir()) == []
    assert (followed[1]["new"], followed[2]) == (1, ["in/to-folder/key.txt", "in/to-key.txt"])


def test_a_link_named_on_the_command_line_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)

    done = kzfeed(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "backfill", "link", "--json")

    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 1)


def test_a_folder_that_cannot_be_read_is_refused() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        locked = Path(name, "locked")
        locked.mkdir(mode=0o000)
        Path(name, "good.txt").write_text(GOOD.format(number=1))
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            found = list(find_files([Path(name)]))
        finally:
            os.seteuid(user)

    assert found == [
        FoundFile(Path(name, "good.txt")),
        FoundFile(locked, f"{locked}: this folder cannot be read: Permission denied"),
    ]


def test_a_file_called_txt_is_read(folder: Path, tmp_path: Path) -> None:
    (folder / ".txt").write_text(GOOD.format(number=2))

    assert run(tmp_path)[1]["new"] == 2


def test_lenient_reading_names_its_files(folder: Path, tmp_path: Path) -> None:
    (folder / "crlf.txt").write_bytes(GOOD.format(number=2).replace("\n", "\r\n").encode())

    done = kzfeed(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "backfill", "in")

    (line,) = [line for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "files read leniently"]
    assert (line["files"], line["paths"]) == (1, ["in/crlf.txt"])


def test_a_file_that_vanishes_before_it_is_read_is_refused(folder: Path, sqlite_database: Database) -> None:
    progress = stored(sqlite_database, [folder / "vanished.txt", folder / "good.txt"])

    assert (progress.refused, progress.tally.new) == (1, 1)


@pytest.mark.slow
def test_a_file_that_grows_while_it_is_read_is_refused(folder: Path, sqlite_database: Database) -> None:
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
    progress = stored(sqlite_database, [growing])
    done.set()
    writer.join()

    assert progress.refused == 1
    assert stored(sqlite_database, [growing]).tally.new == 1
