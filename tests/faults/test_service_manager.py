"""A daemon under a service manager: what systemd hears at its notification socket from a start to a stop."""

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kzfeed.daemon.service_manager import ServiceManager
from kzfeed.store.engine import Database
from tests.etiquette.program import within
from tests.faults.growing_feeds import document
from tests.faults.processes import Running, configure, kzfeed
from tests.faults.web_server import FeedServer, Reply

HOST = "127.0.11.40"
MAKE_DUE = "UPDATE sources SET next_poll_at = strftime('%Y-%m-%d %H:%M:%f',"


class Socket:
    """The notification socket of a service manager; `address` is as NOTIFY_SOCKET names it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def next(self, timeout: float = 30) -> dict[str, str]:
        self._socket.settimeout(timeout)
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode("utf-8").splitlines())

    def wait_for(self, key: str, containing: str = "") -> dict[str, str]:
        """The next message with this key."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            message = self.next()
            if key in message and containing in message[key]:
                return message
        raise AssertionError(f"no message with {key}")

    def is_fed(self, *, within: float) -> bool:
        """Whether the watchdog is fed from now on; messages that are already here do not count."""
        try:
            while self.next(0.01):
                pass
        except TimeoutError:
            pass
        deadline = time.monotonic() + within
        try:
            while (left := deadline - time.monotonic()) > 0:
                if "WATCHDOG" in self.next(left):
                    return True
        except TimeoutError:
            pass
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Socket]:
    found = Socket(f"{tmp_path}/notify")
    yield found
    found.close()


@pytest.fixture
def feed() -> Iterator[str]:
    with FeedServer(lambda request: Reply(200, document(request.path[1:], 0)), [HOST]) as server:
        yield f"{server.addresses[HOST]}/a"


def daemon(folder: Path, url: str, manager: Socket) -> Running:
    return Running(folder, url, "run", variables={"NOTIFY_SOCKET": manager.address})


@pytest.mark.slow
def test_systemd_hears_of_the_start_the_polls_reloads_and_the_stop(
    database: Database, database_url: str, manager: Socket, feed: str, tmp_path: Path
) -> None:
    file = configure(tmp_path, {"a": feed}, every="1h")
    with daemon(tmp_path, database_url, manager) as running:
        assert "schema" in manager.wait_for("STATUS")["STATUS"]
        manager.wait_for("READY")
        manager.wait_for("WATCHDOG")
        manager.wait_for("WATCHDOG")

        before = time.monotonic_ns() // 1000
        running.process.send_signal(signal.SIGHUP)
        at = int(manager.wait_for("RELOADING")["MONOTONIC_USEC"])
        assert before <= at <= time.monotonic_ns() // 1000
        manager.wait_for("READY")

        # A refused configuration ends the reload too.
        file.write_text("[http\n", "utf-8")
        running.process.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING")
        manager.wait_for("READY")
        running.wait_for("configuration refused, the previous one stays in force")

        running.process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING")
        assert running.process.wait(120) == 0


def test_the_status_names_sources_the_last_poll_and_what_fails(
    database: Database, database_url: str, manager: Socket, feed: str, tmp_path: Path
) -> None:
    configure(tmp_path, {"a": feed, "b": f"http://127.0.11.41:9/{'b' * 400}"}, every="1h")
    kzfeed(tmp_path, database_url, "poll")
    with daemon(tmp_path, database_url, manager):
        status = manager.wait_for("STATUS", containing="sources")["STATUS"]

    assert status.startswith("2 sources; last poll 20")
    assert "; 1 failing: b since 20" in status
    assert len(status) <= 300


def test_a_claim_that_hangs_feeds_the_watchdog_no_more(
    sqlite_database: Database, manager: Socket, feed: str, tmp_path: Path
) -> None:
    """The event loop runs on, and so do other jobs: the watchdog watches the claims themselves."""
    configure(tmp_path, {"a": feed}, every="1h")
    with daemon(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", manager) as running:
        first = running.wait_for("poll", source="a")
        other = sqlite3.connect(tmp_path / "kzfeed.db", isolation_level=None)
        # After the first success sources are brought forward. Nothing is written after the second one.
        other.execute(f"{MAKE_DUE} 'now')")
        running.wait_for("poll", after=first, source="a")
        # A claim writes only where a source is due, which is after the lock was taken.
        other.execute(f"{MAKE_DUE} 'now', '+2 seconds')")
        other.execute("BEGIN IMMEDIATE")
        within(120, lambda: not manager.is_fed(within=3))
        other.execute("ROLLBACK")
        other.close()
        manager.wait_for("WATCHDOG")


def test_a_daemon_whose_service_manager_is_gone_polls_on(
    sqlite_database: Database, manager: Socket, feed: str, tmp_path: Path
) -> None:
    (tmp_path / "notify").unlink()
    configure(tmp_path, {"a": feed}, every="1h")
    with daemon(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", manager) as running:
        running.wait_for("poll", source="a")
        assert running.stop() == 0
    assert [event["level"] for event in running.named("service manager not reached")] == ["warning"]


@pytest.mark.parametrize("text", ["一" * 400, "a\nREADY=1", "\ud800"])
def test_a_status_is_one_line_of_bounded_length(text: str, manager: Socket) -> None:
    ServiceManager(manager.address).status(text)
    message = manager.next()
    assert message.keys() == {"STATUS"}
    assert 0 < len(message["STATUS"]) <= 300
    assert json.dumps(message)


def test_a_status_holds_no_password(manager: Socket) -> None:
    ServiceManager(manager.address).status("database unavailable: postgresql://me:hunter2@db.example/archive")
    assert manager.next() == {"STATUS": "database unavailable: postgresql://***@db.example/archive"}


def test_a_socket_of_the_abstract_namespace_is_reached(tmp_path: Path) -> None:
    manager = Socket(f"@kzfeed-test-{tmp_path}")
    ServiceManager(manager.address).ready()
    assert manager.next() == {"READY": "1"}
    manager.close()


def test_without_a_service_manager_nothing_is_sent() -> None:
    ServiceManager(None).ready()
