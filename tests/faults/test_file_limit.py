"""A low limit of open files: fewer connections at a time, and every source is polled all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.growing_feeds import document
from tests.faults.processes import FAST, configure, environment
from tests.faults.web_server import FeedServer, Reply

HOSTS = [f"127.0.16.{number}" for number in range(1, 81)]


@pytest.mark.slow
def test_with_few_open_files_poll_says_so_and_polls_all_sources(tmp_path: Path) -> None:
    with FeedServer(lambda request: Reply(200, document("s", 0), pause=0.2), HOSTS) as server:
        urls = {f"s{number}": f"{url}/feed" for number, url in enumerate(server.addresses.values())}
        configure(tmp_path, urls, http=FAST)
        poll = subprocess.run(
            ["sh", "-c", 'ulimit -n 120; exec "$0" -m kzfeed poll', sys.executable],
            cwd=tmp_path,
            env=environment(f"sqlite:///{tmp_path}/kzfeed.db"),
            capture_output=True,
            text=True,
            timeout=120,
        )

    assert poll.returncode == 0
    assert len(server.requests) == len(HOSTS)
    assert "too few open files" in poll.stderr
