"""An outage of this machine's own network: when it ends, the sources that failed for it do not wait for their hour."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.etiquette.program import within
from tests.faults.growing_feeds import document
from tests.faults.processes import FAST, Running, configure
from tests.faults.web_server import FeedServer, Reply

NAMES = [f"host{number}.test" for number in range(40)]
DAEMON = (sys.executable, "-m", "tests.faults.daemon")
GAP = 0.2


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_first_success_after_an_outage_of_our_own_brings_all_sources_forward_but_keeps_the_gap_of_a_host(
    engine: str, databases: Databases, tmp_path: Path
) -> None:
    outage = tmp_path / "outage"
    outage.touch()
    options = json.dumps({"names": dict.fromkeys([*NAMES, "often.test"], "127.0.0.1"), "offline": str(outage)})
    with FeedServer(lambda request: Reply(200, document(request.path.strip("/"), 0), etag='"s"')) as server:
        port = server.addresses["127.0.0.1"].rpartition(":")[2]
        # Two sources of each host, and one that is polled again soon.
        urls = {f"s{number}": f"http://{NAMES[number // 2]}:{port}/s{number}" for number in range(2 * len(NAMES))}
        file = configure(tmp_path, urls, every="1h", http=f"{FAST.replace('0s', f'{GAP * 1000:.0f}ms', 1)}")
        with file.open("a") as configuration:
            configuration.write(f'[[sources]]\nname = "often"\nurl = "http://often.test:{port}/often"\nevery = "3s"\n')
        with Running(tmp_path, databases.new(engine), options, command=DAEMON) as daemon:
            daemon.wait_for("running")
            within(120, lambda: len({each["source"] for each in daemon.named("poll")}) > len(urls))
            assert {each["error_kind"] for each in daemon.named("poll")} == {"offline"}
            assert server.requests == []

            outage.unlink()

            within(120, lambda: len({request.path for request in server.requests}) > len(urls))
            assert daemon.stop() == 0
    asked = Counter(request.path for request in server.requests)
    assert all(asked[f"/{name}"] == 1 for name in urls), asked
    came = {request.path: request.at for request in server.requests}
    gaps = [abs(came[f"/s{number}"] - came[f"/s{number + 1}"]) for number in range(0, len(urls), 2)]
    assert min(gaps) >= 0.9 * GAP
