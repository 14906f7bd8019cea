"""Hanging DNS look-ups delay no other source, and do not keep the daemon from stopping."""

import json
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.faults.growing_feeds import document
from tests.faults.processes import DAEMON, FAST, Running, configure
from tests.faults.web_server import FeedServer, Reply

NAMES = [f"host{number}.test" for number in range(48)]


@pytest.mark.slow
def test_look_ups_that_hang_for_every_second_host_delay_no_other(tmp_path: Path) -> None:
    silent, speaking = NAMES[1::2], NAMES[::2]
    options = json.dumps({"names": dict.fromkeys(speaking, "127.0.0.1"), "silent": silent})
    with FeedServer(lambda request: Reply(200, document(request.path.strip("/"), 0))) as server:
        port = server.addresses["127.0.0.1"].rpartition(":")[2]
        urls = {f"s{number}": f"http://{name}:{port}/s{number}" for number, name in enumerate(NAMES)}
        # The silent look-ups hang for an hour: whoever waited for one of them would not come within a minute.
        configure(tmp_path, urls, every="10m", http=f'{FAST}\ntimeout = "1h"\nconnect_timeout = "1h"')
        with Running(tmp_path, Databases(tmp_path, "").new("sqlite"), options, module=DAEMON) as daemon:
            server.wait_for_requests(len(speaking), timeout=120)
            assert daemon.stop(within=60) == 0

    assert len(server.requests) == len(speaking)
