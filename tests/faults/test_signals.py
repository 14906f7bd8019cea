"""Signals: the first SIGTERM ends the daemon cleanly within ten seconds, a second one at once."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.faults.growing_feeds import document
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply

SLOW_HOSTS = [f"127.0.8.{number}" for number in range(1, 51)]


@pytest.fixture
def slow() -> Iterator[FeedServer]:
    """50 hosts that send the head at once and the body half a minute later."""
    with FeedServer(lambda request: Reply(200, document("slow", 0), pause=30), SLOW_HOSTS) as server:
        yield server


@pytest.fixture
def daemon(slow: FeedServer, tmp_path: Path) -> Iterator[Running]:
    """A daemon in the middle of 50 slow fetches, on SQLite."""
    configure(tmp_path, {f"s{number}": f"{url}/feed" for number, url in enumerate(slow.addresses.values())})
    with Running(tmp_path, Databases(tmp_path, "").new("sqlite"), "run") as daemon:
        slow.wait_for_requests(len(SLOW_HOSTS))
        yield daemon


@pytest.mark.slow
def test_sigterm_during_50_slow_fetches_ends_with_0_in_10_s_and_asks_nothing_more(
    daemon: Running, slow: FeedServer
) -> None:
    told = time.monotonic()
    assert daemon.stop() == 0

    assert time.monotonic() - told < 10
    assert [request for request in slow.requests if request.at > told] == []
    assert daemon.events[-1]["event"] == "stopped"
    assert daemon.named("poll") == []


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(daemon: Running) -> None:
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_for("stopping")

    # After the first signal alone it would end with 0.
    assert daemon.stop(signal.SIGINT) == -signal.SIGINT


@pytest.mark.slow
def test_a_redirect_that_comes_after_sigterm_is_not_followed(tmp_path: Path) -> None:
    is_stopping = threading.Event()
    with FeedServer(lambda request: Reply(302, location="/moved", not_before=is_stopping)) as server:
        configure(tmp_path, {"s": f"{server.addresses['127.0.0.1']}/feed"})
        with Running(tmp_path, Databases(tmp_path, "").new("sqlite"), "run") as daemon:
            server.wait_for_requests(1)
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_for("stopping")
            is_stopping.set()
            assert daemon.process.wait() == 0

    assert [request.path for request in server.requests] == ["/feed"]
