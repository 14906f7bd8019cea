"""The archive folder beside a daemon, after kills, and where it cannot be written: polls go on, and it catches up."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.queries import article_queries
from kzfeed.store.queries.article_queries import Selection
from tests.conftest import ENGINES
from tests.databases import Databases
from tests.etiquette.program import within
from tests.export.archives import Archive
from tests.export.test_restore import rss
from tests.faults.processes import Running, configure
from tests.faults.test_full_disk import filled, small_disk
from tests.faults.web_server import FeedServer, Reply
from tests.fork_server import fork_server
from tests.sync.folders import articles, names, write_file

DIRECTORY = '[archive]\ndirectory = "articles"\n'


@contextmanager
def lock_held(folder: Path) -> Iterator[None]:
    """Hold the lock of an archive folder, so that kzfeed waits between database and files."""
    (folder / ".kzfeed").mkdir(parents=True, exist_ok=True)
    with (folder / ".kzfeed/lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def paused(daemon: Running, folder: Path) -> Iterator[None]:
    """Stop a daemon while it does not write this folder, so that the block changes the folder in one step."""
    with lock_held(folder), daemon.paused():
        yield


def stored(database: Database) -> int:
    return article_queries.count(database, Selection())


def item(number: int, words: str = "") -> str:
    return (
        f"<item><title>{number}</title><link>https://e.example/{number}</link>"
        f"<description>{number} {words}</description>"
        "<pubDate>Tue, 11 Jan 2022 10:00:00 GMT</pubDate></item>"
    )


def test_what_a_kill_leaves_between_database_and_files_is_written_at_the_next_start(archive: Archive) -> None:
    (archive.folder / "kzfeed.toml").write_text(f"sources = []\n{DIRECTORY}")
    folder = archive.folder / "articles"
    for number in range(3):
        write_file(archive.folder / "in", number)
    archive.kzfeed("backfill", "in/0.txt")
    with lock_held(folder):
        process = fork_server().start(["backfill", "in"], archive.folder, archive.environment)
        within(120, lambda: stored(archive.database) == 3)
        os.kill(process, signal.SIGKILL)
        assert fork_server().wait(process) == -signal.SIGKILL
    assert len(articles(folder)) == 1

    archive.kzfeed("backfill", "in/0.txt")

    assert len(articles(folder)) == 3
    assert archive.kzfeed("verify", "--files", "articles").returncode == 0


@pytest.mark.slow
def test_a_kill_between_files_leaves_none_half_written_and_none_unwritten(archive: Archive) -> None:
    for number in range(450):
        write_file(archive.folder / "in", number, "x" * 500)
    archive.kzfeed("backfill", "in")
    folder = archive.folder / "articles"
    for files in (1, 150, 300):
        process = fork_server().start(["sync", "articles"], archive.folder, archive.environment)
        within(120, at_least(folder, files))
        os.kill(process, signal.SIGKILL)
        fork_server().wait(process)

    (archive.folder / "kzfeed.toml").write_text(f"sources = []\n{DIRECTORY}")
    archive.kzfeed("backfill", "in/0.txt")

    assert archive.kzfeed("verify", "--files", "articles").returncode == 0


def at_least(folder: Path, files: int) -> Callable[[], bool]:
    return lambda: sum(1 for _ in folder.rglob("*.txt")) >= files


def test_a_full_disk_costs_a_warning_and_is_caught_up_with(archive: Archive) -> None:
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "small/articles"\n')
    for number in range(40):
        write_file(archive.folder / "in", number, "x" * 5_000)
    with small_disk(archive.folder / "small", "1m") as disk:
        archive.kzfeed("backfill", "in/0.txt")
        with filled(disk):
            done = archive.kzfeed("backfill", "in")
            assert (done.returncode, stored(archive.database)) == (0, 40)
            assert "archive folder not written, trying again" in done.stderr
            assert "No space left on device" in done.stderr
            assert len(articles(disk / "articles")) < 40

        archive.kzfeed("backfill", "in/0.txt")

        assert archive.kzfeed("verify", "--files", "small/articles").stdout.endswith(": all as in the database\n")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_daemon_writes_what_it_polls_and_goes_on_where_the_folder_cannot_be_written(
    engine: str, tmp_path: Path, postgresql: str
) -> None:
    url = Databases(tmp_path, postgresql).new(engine)
    items = [item(1)]
    with (
        FeedServer(lambda _: Reply(200, rss("one", items)), ["127.0.9.7"]) as server,
        closing(Database(url)) as database,
    ):
        schema.upgrade(database)
        configure(tmp_path, {"one": f"{server.addresses['127.0.9.7']}/feed"}, every="400ms", more=DIRECTORY)
        folder = tmp_path / "articles"
        with Running(tmp_path, url, "run") as daemon:
            within(120, lambda: len(names(folder)) == 2)
            with paused(daemon, folder):
                folder.rename(tmp_path / "moved away")
                folder.write_text("in the way")

            items.append(item(2))
            number = daemon.wait_for("archive folder not written, trying again")
            items.append(item(3))
            within(120, lambda: stored(database) == 3)
            polls = len(daemon.named("poll"))
            within(120, lambda: len(daemon.named("poll")) > polls)
            with paused(daemon, tmp_path / "moved away"):
                folder.unlink()
                (tmp_path / "moved away").rename(folder)

            daemon.wait_for("archive folder up to date again", after=number, timeout=120)
            within(120, lambda: len(articles(folder)) == 3)
            items[0] = item(1, "revised")
            within(120, lambda: any("revised" in data.decode() for data in articles(folder).values()))
            assert daemon.stop() == 0
        assert len(daemon.named("archive folder not written, trying again")) == 1
