"""The SQLite file is deleted or replaced under a running daemon: it opens the new file, or ends with 3."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.etiquette.program import within
from tests.faults.growing_feeds import document
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply
from tests.server.client import ask

HOST = "127.0.11.7"


@pytest.fixture
def url() -> Iterator[str]:
    with FeedServer(lambda request: Reply(200, document("a", 0)), [HOST]) as server:
        yield f"{server.addresses[HOST]}/a"


def make_due(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE sources SET next_poll_at = '2020-01-01 00:00:00.000', not_before = NULL")
        connection.commit()


def replaced(daemon: Running, file: Path) -> bool:
    """Put a copy in the place of the file, unless the daemon is just writing or reading it."""
    with daemon.paused():
        with closing(sqlite3.connect(file, timeout=0)) as connection:
            (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:
            copy = Path(shutil.copy(file, file.with_name("restored.db")))
            make_due(copy)
            copy.rename(file)
    return not is_busy


@pytest.mark.slow
def test_a_daemon_ends_with_3_if_its_file_is_deleted_and_answers_monitors_until_then(url: str, tmp_path: Path) -> None:
    listen = tmp_path / "monitors.sock"
    configure(tmp_path, {"a": url}, every="1h", more=f'[server]\nlisten = "unix:{listen}"')
    with Running(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run") as daemon:
        daemon.wait_for("poll", source="a")

        (tmp_path / "kzfeed.db").unlink()
        number = daemon.wait_for("database file taken away, nothing is stored in it any more")

        assert ask(listen, "/healthz").status == 200
        within(5, lambda: ask(listen, "/readyz").status == 503)
        assert ask(listen, "/metrics").status == 200
        assert daemon.process.wait(120) == 3
        assert not [event for event in daemon.events[number:] if event["event"] == "poll"]
        assert not (tmp_path / "kzfeed.db").exists()


@pytest.mark.slow
def test_a_daemon_goes_on_with_the_file_that_replaces_its_own(url: str, tmp_path: Path) -> None:
    file, listen = tmp_path / "kzfeed.db", tmp_path / "monitors.sock"
    configure(tmp_path, {"a": url}, every="1h", more=f'[server]\nlisten = "unix:{listen}"')
    with Running(tmp_path, f"sqlite:///{file}", "run") as daemon:
        daemon.wait_for("poll", source="a")

        number = len(daemon.events)
        within(120, lambda: replaced(daemon, file))
        daemon.wait_for("database file replaced, beginning anew with the new one", after=number)
        daemon.wait_for("poll", after=number, source="a")

        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM polls").fetchone() == (2,)
        within(30, lambda: ask(listen, "/readyz").status == 200)
        assert ask(listen, "/metrics").value("kzfeed_polls_total", outcome="new") == 1
