"""Full disk: validators stay, the daemon survives and continues once there is space; no partial files."""

import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.consistency import violations
from tests.faults.growing_feeds import GrowingFeeds
from tests.faults.kill_loops import HOSTS, NAMES, addresses
from tests.faults.processes import Running, configure, environment, kzfeed
from tests.faults.web_server import FeedServer

PADDING = 4_000
"""Words in each article, so that a version of six feeds takes more than a MB, far more than is left."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A small file system. The test is skipped where none can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True)
    except FileNotFoundError:
        pytest.skip("mount is not installed")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Fill the disk for the length of the block."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65536))
    yield
    ballast.unlink()


@contextmanager
def limited(process: int, size: int) -> Iterator[None]:
    """Limit the size of the files that the process writes, for the length of the block."""
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, before)


@contextmanager
def any_disk(folder: Path) -> Iterator[Path]:
    """The file system that all tests use."""
    yield folder


def space_runs_out(kind: str, place: Path) -> tuple[float, list[str]]:
    """The seconds from the return of space until everything is polled again, and everything that was wrong."""
    feeds = GrowingFeeds(NAMES, last=3, padding=PADDING)
    with small_disk(place / "disk", "24M") if kind == "disk" else any_disk(place) as folder:
        url = f"sqlite:///{folder}/kzfeed.db"
        with FeedServer(feeds, HOSTS) as server:
            configure(place, addresses(server), every="400ms")
            with Running(place, url, "run") as daemon:
                daemon.wait_for("poll")
                # Visits under way when the space runs out: without space no other begins.
                is_full = threading.Event()
                server.hold(len(NAMES), is_full)
                written = (folder / "kzfeed.db-wal").stat().st_size
                full = filled(folder) if kind == "disk" else limited(daemon.process.pid, written)
                with full:
                    server.answer = feeds
                    is_full.set()
                    number = daemon.wait_for("poll not stored")
                    wrong = violations(url, feeds)
                freed = time.monotonic()
                for name in NAMES:
                    daemon.wait_for("poll", after=number, outcome="new", source=name)
                took = time.monotonic() - freed
                while not feeds.are_finished:
                    number = daemon.wait_for("poll", after=number)
                assert daemon.stop() == 0
        return took, wrong + violations(url, feeds)


@pytest.fixture(scope="module")
def scenarios(
    scenario_pool: Executor, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[tuple[float, list[str]]]]:
    """Both kinds, running side by side."""
    kinds = ("disk", "limit")
    return {kind: scenario_pool.submit(space_runs_out, kind, tmp_path_factory.mktemp(kind)) for kind in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["disk", "limit"])
def test_polls_that_find_no_space_are_made_again_when_there_is_some(
    kind: str, scenarios: dict[str, Future[tuple[float, list[str]]]]
) -> None:
    took, wrong = scenarios[kind].result()

    assert wrong == []
    assert took < 90


@pytest.mark.slow
def test_an_export_without_space_fails_cleanly(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kzfeed.db"
    for number, length in enumerate((10, 500_000)):
        text = f"<!--{number}-->\n[t](https://e.example/{number})\n------\n\n{'x' * length}\n"
        (tmp_path / f"{number}.txt").write_text(text)
    assert kzfeed(tmp_path, url, "backfill", *tmp_path.glob("*.txt")).returncode == 0

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    command = [sys.executable, "-m", "kzfeed", "export", "out"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(url), capture_output=True, text=True, preexec_fn=limit, timeout=180
    )

    assert done.returncode == 1
    assert re.fullmatch(r"kzfeed: out/\S+: File too large\n", done.stderr)
    exported = [file.name for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert len(exported) == 1
    assert not exported[0].endswith(".tmp")
