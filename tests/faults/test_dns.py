"""Hanging DNS look-ups delay no other source, and do not keep the daemon from stopping."""

import json
import sys
import time
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.faults.growing_feeds import document
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply

NAMES = [f"host{number}.test" for number in range(48)]


@pytest.mark.slow
def test_look_ups_that_hang_for_every_second_host_delay_no_other(tmp_path: Path) -> None:
    silent, speaking = NAMES[1::2], NAMES[::2]
    options = json.dumps({"names": dict.fromkeys(speaking, "127.0.0.1"), "silent": silent})
    with FeedServer(lambda request: Reply(200, document(request.path.strip("/"), 0))) as server:
        port = server.addresses["127.0.0.1"].rpartition(":")[2]
        urls = {f"s{number}": f"http://{name}:{port}/s{number}" for number, name in enumerate(NAMES)}
        configure(tmp_path, urls, every="10m")
        command = (sys.executable, "-m", "tests.faults.daemon")
        with Running(tmp_path, Databases(tmp_path, "").new("sqlite"), options, command=command) as daemon:
            daemon.wait_for("running")
            began = time.monotonic()
            server.wait_for_requests(len(speaking))
            took = server.requests[-1].at - began
            told = time.monotonic()
            assert daemon.stop() == 0
            stopped = time.monotonic() - told

    # 48 sources that are due together are spread over 2 s. Behind look-ups that hang, the others would come after 30 s.
    assert took < 15
    assert stopped < 10
    assert len(server.requests) == len(speaking)
