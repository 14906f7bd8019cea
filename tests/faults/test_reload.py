"""A running daemon reads the configuration again, at SIGHUP and when a file changes, and refuses an invalid one."""

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.growing_feeds import document
from tests.faults.processes import Running, configure, kzfeed
from tests.faults.web_server import FeedServer, Reply

HOSTS = [f"127.0.11.{number}" for number in range(1, 4)]


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    """The URLs of three feeds by name."""
    with FeedServer(lambda request: Reply(200, document(request.path[1:], 0)), HOSTS) as server:
        yield {name: f"{server.addresses[host]}/{name}" for name, host in zip("abc", HOSTS, strict=True)}


def row(folder: Path, name: str) -> dict[str, Any]:
    connection = sqlite3.connect(folder / "kzfeed.db")
    connection.row_factory = sqlite3.Row
    found = connection.execute("SELECT * FROM sources WHERE name = ?", [name]).fetchone()
    connection.close()
    return dict(found)


def reload(daemon: Running, event: str) -> int:
    number = len(daemon.events)
    daemon.process.send_signal(signal.SIGHUP)
    return daemon.wait_for(event, after=number)


@pytest.mark.slow
def test_sighup_puts_a_changed_configuration_in_force(urls: dict[str, str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kzfeed.db"
    file = configure(tmp_path, {"a": urls["a"], "b": urls["b"]}, every="1h")
    with Running(tmp_path, url, "run") as daemon:
        for name in "ab":
            daemon.wait_for("poll", source=name)
        polled = row(tmp_path, "b")["last_polled_at"]

        configure(tmp_path, {"b": urls["b"], "c": urls["c"]}, every="30m")
        number = reload(daemon, "configuration reloaded")
        daemon.wait_for("poll", after=number, source="c")

        changed, removed = row(tmp_path, "b"), row(tmp_path, "a")
        waits = datetime.fromisoformat(changed["next_poll_at"]) - datetime.fromisoformat(polled)
        assert changed["last_polled_at"] == polled
        assert timedelta(minutes=30) <= waits <= timedelta(minutes=31, seconds=1)
        assert (removed["status"], removed["enabled"]) == ("removed", 0)

        file.write_text('[[sources]]\nname = "b"\nevery = "3 parsecs"\n', encoding="utf-8")
        number = reload(daemon, "configuration refused, the previous one stays in force")
        said = daemon.events[number - 1]["error"]
        assert "sources.b.every" in said
        assert "3 parsecs" in said
        assert row(tmp_path, "b") == changed

        configure(tmp_path, urls, every="1s", http='host_gap = "0s"\nmin_interval = "1s"')
        number = reload(daemon, "settings changed that need a restart")
        assert daemon.events[number - 1]["sections"] == ["http"]
        daemon.wait_for("poll", after=number, source="b")
        daemon.wait_for("poll", after=number, source="a")
        assert daemon.stop() == 0

    articles = json.loads(kzfeed(tmp_path, url, "list", "--json").stdout)
    assert {article["source"] for article in articles} == {"a", "b", "c"}


def test_a_sighup_that_comes_before_the_daemon_listens_is_not_its_end(urls: dict[str, str], tmp_path: Path) -> None:
    configure(tmp_path, {"a": urls["a"]}, every="1h")
    with Running(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run") as daemon:
        deadline = time.monotonic() + 30
        while not (tmp_path / "kzfeed.db").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("configuration reloaded", after=daemon.wait_for("running"))
        assert daemon.stop() == 0


@pytest.mark.slow
def test_the_daemon_sees_sources_that_another_process_configured(urls: dict[str, str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kzfeed.db"
    configure(tmp_path, {"a": urls["a"]}, every="1h")
    with Running(tmp_path, url, "run") as daemon:
        daemon.wait_for("poll", source="a")
        configure(tmp_path, {"a": urls["a"], "b": urls["b"]}, every="1s")
        assert kzfeed(tmp_path, url, "poll", "b").returncode == 0
        daemon.wait_for("poll", source="b")
        assert daemon.stop() == 0


@pytest.mark.slow
def test_the_daemon_takes_a_change_of_the_sources_without_a_signal(urls: dict[str, str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kzfeed.db"
    configure(tmp_path, {"a": urls["a"]}, every="1h", more='include = ["lists/*.opml"]')
    (tmp_path / "lists").mkdir()
    with Running(tmp_path, url, "run") as daemon:
        daemon.wait_for("poll", source="a")

        added = kzfeed(tmp_path, url, "sources", "add", urls["b"], "--name", "b")
        assert added.returncode == 0, added.stderr
        number = daemon.wait_for("poll", source="b")

        outline = f'<outline text="c" xmlUrl="{urls["c"]}"/>'
        (tmp_path / "lists" / "c.opml").write_text(f"<opml><body>{outline}</body></opml>")
        number = daemon.wait_for("poll", after=number, source="c")

        assert kzfeed(tmp_path, url, "sources", "disable", "a").returncode == 0
        number = daemon.wait_for("configuration reloaded", after=number)
        assert (row(tmp_path, "a")["status"], row(tmp_path, "a")["enabled"]) == ("active", 0)
        assert daemon.stop() == 0


def test_a_file_that_becomes_wrong_is_told_once_and_the_old_settings_stay(urls: dict[str, str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kzfeed.db"
    file = configure(tmp_path, {"a": urls["a"]}, every="1h")
    with Running(tmp_path, url, "run") as daemon:
        number = daemon.wait_for("poll", source="a")
        right = file.read_text("utf-8")

        file.write_text(right + "[[sources]", "utf-8")
        number = daemon.wait_for("configuration refused, the previous one stays in force", after=number)
        assert row(tmp_path, "a")["enabled"] == 1

        file.write_text(right + f'[[sources]]\nname = "b"\nurl = "{urls["b"]}"\n', "utf-8")
        daemon.wait_for("poll", after=number, source="b")
        events = [event["event"] for event in daemon.events]
        assert events.count("configuration refused, the previous one stays in force") == 1
        assert daemon.stop() == 0
