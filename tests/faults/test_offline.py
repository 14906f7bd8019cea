"""An outage of this machine's own network: when it ends, the sources that failed for it do not wait for their hour."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy as sa

from kzfeed.cli.explain import explain_source
from kzfeed.model.polls import Source
from kzfeed.store import sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.status import status
from tests.databases import Databases
from tests.etiquette.program import within
from tests.faults.growing_feeds import document
from tests.faults.processes import DAEMON, FAST, Running, configure
from tests.faults.web_server import FeedServer, Reply, Request
from tests.server.client import ask

NAMES = [f"host{number}.test" for number in range(20)]
GAP = 0.2
MANY = 160
SPARED = {(False, 0)}
"""Whether the sources are gone, and their failures, if an outage did not count."""


LEASE_S = 3600
"""A lease of the usual minute would be over within moments by a fast clock."""
STEP = 4
"""Seconds by which the clock goes ahead every tenth of a second. A longer step would be a jump of the clock."""


class FastClock:
    """Clock of a daemon that goes forty times as fast as time, for the length of a block."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = 0
        self._ended = threading.Event()
        self._goes_fast = threading.Event()
        self._goes_fast.set()
        self._thread = threading.Thread(target=self._run)
        self.jump(timedelta())

    def jump(self, by: timedelta) -> None:
        self._ahead += int(by.total_seconds())
        beside = self._file.with_suffix(".new")
        beside.write_text(str(self._ahead))
        beside.replace(self._file)

    @contextmanager
    def as_fast_as_time(self) -> Iterator[None]:
        """Let the clock go no faster than time, for the length of a block."""
        self._goes_fast.clear()
        yield
        self._goes_fast.set()

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            if self._goes_fast.is_set():
                self.jump(timedelta(seconds=STEP))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_first_success_after_an_outage_of_our_own_brings_all_sources_forward_but_keeps_the_gap_of_a_host(
    engine: str, databases: Databases, tmp_path: Path
) -> None:
    outage = tmp_path / "outage"
    outage.touch()
    addresses = dict.fromkeys([*NAMES, "often.test"], "127.0.0.1")
    clock = tmp_path / "clock"
    options = json.dumps(
        {"names": addresses, "offline": str(outage), "clock": str(clock), "tick": 0.1, "lease": LEASE_S}
    )
    with (
        FeedServer(lambda request: Reply(200, document(request.path.strip("/"), 0), etag='"s"')) as server,
        FastClock(clock),
    ):
        port = server.addresses["127.0.0.1"].rpartition(":")[2]
        # Two sources of each host, and one that is polled again soon.
        urls = {f"s{number}": f"http://{NAMES[number // 2]}:{port}/s{number}" for number in range(2 * len(NAMES))}
        file = configure(tmp_path, urls, every="1h", http=f"{FAST.replace('0s', f'{GAP * 1000:.0f}ms', 1)}")
        with file.open("a") as configuration:
            configuration.write(f'[[sources]]\nname = "often"\nurl = "http://often.test:{port}/often"\nevery = "3s"\n')
        with Running(tmp_path, databases.new(engine), options, module=DAEMON) as daemon:
            daemon.wait_for("running")
            daemon.wait_for("offline")
            assert {each["error_kind"] for each in daemon.named("poll")} == {"offline"}
            assert server.requests == []

            outage.unlink()

            # By that clock this is 40 minutes: no source is due again by itself.
            within(120, lambda: len({request.path for request in server.requests}) > len(urls))
            assert daemon.stop() == 0
    asked = Counter(request.path for request in server.requests)
    assert all(asked[f"/{name}"] == 1 for name in urls), asked
    came = {request.path: request.at for request in server.requests}
    gaps = [abs(came[f"/s{number}"] - came[f"/s{number + 1}"]) for number in range(0, len(urls), 2)]
    assert min(gaps) >= 0.9 * GAP


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_in_an_outage_no_source_is_blamed_few_are_tried_and_nothing_floods_after(
    engine: str, databases: Databases, tmp_path: Path
) -> None:
    lost = tmp_path / "lost"
    names = {f"host{number}.test": "127.0.0.1" for number in range(MANY)}
    options = json.dumps(
        {"names": names, "nameless": str(lost), "clock": str(tmp_path / "clock"), "tick": 0.1, "lease": LEASE_S}
    )
    url = databases.new(engine)
    with (
        closing(Database(url)) as database,
        FeedServer(lambda request: Reply(200, document(request.path.strip("/"), 0), etag='"s"')) as server,
        FastClock(tmp_path / "clock") as clock,
    ):
        port = server.addresses["127.0.0.1"].rpartition(":")[2]
        configure(tmp_path, {f"s{n}": f"http://{name}:{port}/{n}" for n, name in enumerate(names)}, every="30m")
        with Running(tmp_path, url, options, module=DAEMON) as daemon:
            within(120, lambda: len(daemon.named("poll")) >= MANY)

            lost.touch()
            lost_at = clock.now()
            clock.jump(timedelta(minutes=30))
            daemon.wait_for("offline", timeout=120)
            offline_at = clock.now()
            within(120, lambda: clock.now() > offline_at + timedelta(minutes=4))
            found, told = status(database, clock.now()), explain_source(database, "s1", clock.now())

            with clock.as_fast_as_time():
                back_at = clock.now()
                lost.unlink()
                pass_time_until_online(clock, daemon)
                within(120, lambda: waiting(database, clock.now() + timedelta(seconds=15)) > MANY / 2)
            within(120, lambda: len(server.requests) >= 2 * MANY)
            assert daemon.stop() == 0
            polls, after = polls_of(database), sources.load(database)
    assert [len(daemon.named(event)) for event in ("offline", "online again")] == [1, 1]
    assert found["offline_since"]
    assert any("no connection" in problem for problem in found["problems"])
    assert "has had no connection since" in told.why[1]
    failed = [each for each in polls if each.outcome == "failed"]
    tried = [each for each in failed if offline_at < each.started_at < back_at]
    assert len(tried) <= 4 * ((back_at - offline_at) / timedelta(minutes=1)) + 4
    assert failed[0].started_at > lost_at
    assert {source.failure_count for source in after} == {0}


def pass_time_until_online(clock: FastClock, daemon: Running) -> None:
    """Let the clock go on by steps until the outage is over, and no step more."""
    deadline = time.monotonic() + 120
    while not daemon.named("online again"):
        assert time.monotonic() < deadline
        clock.jump(timedelta(seconds=STEP))
        time.sleep(0.2)


def waiting(database: Database, until: datetime) -> int:
    """How many sources wait until after that time."""
    with database.read() as connection:
        query = sa.select(sa.func.count()).where(tables.sources.c.next_poll_at > until)
        return int(connection.execute(query).scalar_one())


def polls_of(database: Database) -> Sequence[Any]:
    with database.read() as connection:
        return connection.execute(sa.select(tables.polls).order_by(tables.polls.c.started_at)).all()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_network_that_says_that_all_feeds_are_gone_retires_none(
    engine: str, databases: Databases, tmp_path: Path
) -> None:
    hosts = {f"host{number}.test": f"127.0.20.{number}" for number in range(1, 9)}
    clock = tmp_path / "clock"
    listen = tmp_path / "monitors.sock"
    options = json.dumps(
        {"names": hosts, "clock": str(clock), "tick": 0.1, "lease": LEASE_S, "listen": str(listen), "stuck_after": 600}
    )
    url = databases.new(engine)

    def feed(request: Request) -> Reply:
        return Reply(200, document(request.path.strip("/"), 0), etag='"s"')

    with FeedServer(feed, list(hosts.values())) as server, FastClock(clock):
        ports = {host: server.addresses[address].rpartition(":")[2] for host, address in hosts.items()}
        urls = {f"s{number}": f"http://{host}:{port}/s{number}" for number, (host, port) in enumerate(ports.items())}
        configure(tmp_path, urls, every="1m")
        with Running(tmp_path, url, options, module=DAEMON) as daemon:
            for number in range(len(hosts)):
                daemon.wait_for("poll", source=f"s{number}")

            server.answer = lambda _: Reply(410)
            since = daemon.wait_for("offline")
            daemon.wait_for("poll", after=since, error_kind="offline")
            within(120, lambda: {(each.status == "gone", each.failure_count) for each in stored(url)} == SPARED)
            assert ask(listen, "/metrics").value("kzfeed_network_up") == 0

            server.answer = feed
            back = daemon.wait_for("online again", after=since)
            for number in range(len(hosts)):
                daemon.wait_for("poll", after=back, source=f"s{number}")
            assert ask(listen, "/metrics").value("kzfeed_network_up") == 1
            assert daemon.stop() == 0
    assert daemon.named("source retired, its articles are kept")
    assert {source.status for source in stored(url)} == {"active"}


def stored(url: str) -> list[Source]:
    with closing(Database(url)) as database:
        return sources.load(database)
