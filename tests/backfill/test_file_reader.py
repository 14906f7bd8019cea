"""Files are read ahead by other processes: what comes out is what reading them one by one gives, whatever happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from kzfeed.backfill import file_reader
from kzfeed.backfill.file_reader import FoundFile, find_files, read_file, read_files

pytestmark = pytest.mark.slow

MANY = file_reader.READ_WITHOUT_PROCESSES + 12 * file_reader.CHUNK_FILES


def children_of(process: int) -> set[int]:
    """The processes that this one has started and that still run (Linux)."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process and state != "Z":
            found.add(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More files than are read in one process; some are no archive files, some are read leniently."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(MANY):
        stamp = "broken" if number % 97 == 0 else f"<!--{number}000-->"
        end = "" if number % 89 == 0 else "\n"
        text = f"{stamp}\n[题目 {number}](https://example.org/{number})\n------\n\n<p>正文 {number}</p>{end}"
        (folder / f"{number:05}.txt").write_text(text, "utf-8")
    return folder


def test_a_date_that_no_calendar_has_is_counted_as_a_leniency_and_kept_as_written(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("<!--99999999999999999-->\n[题目](https://example.org/1)\n------\n\n<p>正文</p>\n", "utf-8")

    read = read_file(FoundFile(file))

    assert read.leniencies == ("a date outside the years 1 to 9999, which makes the article undated",)
    assert read.article
    assert (read.article.published_at, read.article.published_raw) == (None, "<!--99999999999999999-->")


def test_files_read_ahead_are_those_read_one_by_one_in_the_same_order(folder: Path) -> None:
    paths = list(find_files([folder]))
    read = list(read_files(paths))
    assert len(read) == MANY
    assert read == [(path, read_file(path)) for path in paths]
    refused = [each.refusal for _, each in read if each.article is None]
    assert len(refused) == len(range(0, MANY, 97))
    assert all("line 1: expected <!--milliseconds-->" in (refusal or "") for refusal in refused)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_a_process_that_ends_costs_no_file(folder: Path) -> None:
    paths = list(find_files([folder]))
    before = children_of(os.getpid())
    reading = read_files(paths)
    read = list(islice(reading, file_reader.READ_WITHOUT_PROCESSES + 1))
    for child in children_of(os.getpid()) - before:
        os.kill(child, signal.SIGKILL)
    read += reading
    assert read == [(path, read_file(path)) for path in paths]


def test_nothing_is_left_running_where_nobody_reads_on(folder: Path) -> None:
    before = children_of(os.getpid())
    reading = read_files(find_files([folder]))
    assert isinstance(reading, Iterator)
    list(islice(reading, file_reader.READ_WITHOUT_PROCESSES + 1))
    reading.close()  # type: ignore[attr-defined]  # it is a generator
    assert children_of(os.getpid()) - before <= {_resource_tracker()}


def _resource_tracker() -> int | None:
    from multiprocessing import resource_tracker

    process: int | None = resource_tracker._resource_tracker._pid  # type: ignore[attr-defined]  # noqa: SLF001 - no public name for it
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process ends with its parent, whatever it does")
def test_the_processes_end_with_a_backfill_that_is_killed(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kzfeed", "--database", f"sqlite:///{tmp_path}/kzfeed.db", "backfill"]
    backfill = subprocess.Popen([*command, *[str(folder)] * 5], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (children := children_of(backfill.pid)) and time.monotonic() < deadline:
            assert backfill.poll() is None, "it ended before it read ahead"
            time.sleep(0.01)
    finally:
        backfill.kill()
        backfill.wait()
    assert children
    while any(Path(f"/proc/{child}/stat").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    alive = {child for child in children if Path(f"/proc/{child}/cmdline").exists()}
    assert not alive
