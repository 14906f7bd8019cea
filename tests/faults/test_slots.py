"""The slots of a daemon: each is filled again as soon as its poll has ended, not once a second."""

import time
from pathlib import Path

import pytest

from tests.faults.growing_feeds import document
from tests.faults.processes import FAST, Running, configure
from tests.faults.web_server import FeedServer, Reply

HOSTS = [f"127.0.14.{number}" for number in range(1, 101)]


@pytest.mark.slow
def test_two_slots_poll_a_hundred_due_sources_in_less_than_the_fifty_seconds_of_fifty_ticks(tmp_path: Path) -> None:
    with FeedServer(lambda request: Reply(200, document("s", 0), etag='"s"'), HOSTS) as server:
        urls = {f"s{number}": f"{url}/feed" for number, url in enumerate(server.addresses.values())}
        configure(tmp_path, urls, every="1s", http=f"{FAST}\nmax_connections = 2")
        with Running(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run") as daemon:
            daemon.wait_for("running")
            began = time.monotonic()
            server.wait_for_requests(len(HOSTS), timeout=120)
            took = time.monotonic() - began
            assert daemon.stop() == 0

    assert took < 45
