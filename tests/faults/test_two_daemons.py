"""Two daemons on one database: on PostgreSQL they share the sources, on an SQLite file the second exits."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.faults.growing_feeds import document, unchanged_feed
from tests.faults.processes import DAEMON, Running, configure, kzfeed
from tests.faults.web_server import FeedServer, Reply

HOSTS = [f"127.0.9.{number}" for number in range(1, 11)]
LEASE = 5.0


@pytest.fixture
def unchanged_feeds() -> Iterator[FeedServer]:
    with FeedServer(unchanged_feed, HOSTS) as server:
        yield server


def sources(server: FeedServer) -> dict[str, str]:
    return {f"s{number}": f"{url}/feed" for number, url in enumerate(server.addresses.values())}


@pytest.mark.slow
def test_two_daemons_on_one_postgresql_poll_each_source_once_an_interval(
    unchanged_feeds: FeedServer, databases: Databases, tmp_path: Path
) -> None:
    url = databases.new("postgresql")
    configure(tmp_path, sources(unchanged_feeds), every="1s")
    with Running(tmp_path, url, "run") as first, Running(tmp_path, url, "run") as second:
        first.wait_for("running")
        second.wait_for("running")
        unchanged_feeds.wait_for_requests(3 * len(HOSTS))
        assert (first.stop(), second.stop()) == (0, 0)

    for host in HOSTS:
        times = [request.at for request in unchanged_feeds.requests if request.host == host]
        # A visit comes 1 s after the end of the one before, and what is due is looked for once a second.
        assert all(after - before >= 0.95 for before, after in pairwise(times)), (host, times)


@pytest.mark.slow
def test_the_gap_of_a_host_holds_for_all_processes_of_a_postgresql_database(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.new("postgresql")
    with FeedServer(lambda request: Reply(200, document("s", 0), pause=0.2), HOSTS[:1]) as server:
        address = server.addresses[HOSTS[0]]
        urls = {f"s{number}": f"{address}/{number}" for number in range(4)}
        configure(tmp_path, urls, http='host_gap = "400ms"')
        with Running(tmp_path, url, "poll") as first, Running(tmp_path, url, "poll") as second:
            assert (first.process.wait(120), second.process.wait(120)) == (0, 0)
        times = [request.at for request in server.requests]

    assert len(times) == 8
    # The gap begins when the answer has ended.
    assert min(after - before for before, after in pairwise(times)) >= 0.59, times


@pytest.mark.slow
def test_a_poll_that_outlasts_its_lease_keeps_its_claim(databases: Databases, tmp_path: Path) -> None:
    url = databases.new("postgresql")
    with FeedServer(lambda request: Reply(200, document("s", 0), pause=3 * LEASE), HOSTS) as slow:
        configure(tmp_path, sources(slow), every="1h")
        options = json.dumps({"lease": LEASE})
        with (
            Running(tmp_path, url, options, module=DAEMON) as holder,
            Running(tmp_path, url, options, module=DAEMON) as other,
        ):
            other.wait_for("running")
            holder.wait_for("running")
            slow.wait_for_requests(len(HOSTS))
            time.sleep(2 * LEASE)
            assert (holder.process.poll(), other.process.poll()) == (None, None)

    assert sorted(request.host for request in slow.requests) == sorted(HOSTS)


@pytest.mark.slow
def test_the_second_daemon_on_one_sqlite_file_says_so_and_leaves(unchanged_feeds: FeedServer, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kzfeed.db"
    configure(tmp_path, sources(unchanged_feeds))
    (tmp_path / "same.db").symlink_to(tmp_path / "kzfeed.db")
    with Running(tmp_path, url, "run") as first:
        first.wait_for("running")
        second = kzfeed(tmp_path, f"sqlite:///{tmp_path}/same.db", "run")
        number = first.process.pid
        first.wait_for("poll", after=len(first.events))
        first.process.kill()
        first.process.wait()
        with Running(tmp_path, url, "run") as third:
            third.wait_for("running")
            assert third.stop() == 0

    assert second.returncode == 3
    assert second.stderr.splitlines()[-1] == (
        f"kzfeed: another `kzfeed run` (process {number}) polls into {tmp_path}/kzfeed.db already: "
        "stop it first, or use PostgreSQL, which several can share"
    )
