"""Members of a fleet that run undisturbed, and daemons that cannot be members."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.etiquette.program import within
from tests.faults.growing_feeds import unchanged_feed
from tests.faults.processes import Running, configure, kzfeed
from tests.faults.web_server import FeedServer
from tests.fleet.brokers import Brokers, brokers
from tests.fleet.scenarios import AWAY
from tests.server.client import ask

HOSTS = [f"127.0.12.{number}" for number in range(1, 13)]
WIDE = HOSTS[-1]
"""A host that allows two visits at a time."""
GAP_S = 0.3


@pytest.fixture
def web() -> Iterator[FeedServer]:
    with FeedServer(unchanged_feed, HOSTS) as server:
        yield server


def sources(web: FeedServer) -> dict[str, str]:
    """Two sources of each host."""
    return {f"{host}-{part}": f"{web.addresses[host]}/{part}" for host in HOSTS for part in ("a", "b")}


@pytest.mark.slow
def test_members_share_the_sources_and_keep_the_gaps_of_hosts(
    web: FeedServer, broker: Brokers, postgresql_url: str, tmp_path: Path
) -> None:
    http = f'host_gap = "{GAP_S * 1000:.0f}ms"\nmin_interval = "0s"'
    wide = f'[hosts."{WIDE}"]\ngap = "0s"\nconnections = 2'
    configure(tmp_path, sources(web), every="1s", http=http, more=broker.settings(wide))
    (other := tmp_path / "other").mkdir()
    listen = tmp_path / "monitors.sock"
    more = broker.settings(f'[server]\nlisten = "unix:{listen}"', wide)
    configure(other, sources(web), every="1s", http=http, more=more)
    with Running(tmp_path, postgresql_url, "run") as one, Running(other, postgresql_url, "run") as two:
        one.wait_for("poll", timeout=120)
        two.wait_for("poll", timeout=120)
        web.wait_for_requests(60, timeout=120)
        # Two sources in one job, again and again.
        within(120, lambda: len([request for request in web.requests if request.host == WIDE]) >= 6)
        within(120, lambda: len({(request.host, request.path) for request in web.requests}) == 2 * len(HOSTS))
        (leader,) = one.named("leading the fleet") + two.named("leading the fleet")
        status, lines = (kzfeed(tmp_path, postgresql_url, "fleet", "status", *more) for more in (["--json"], []))
        told = ask(listen, "/metrics")
        assert (one.stop(), two.stop()) == (0, 0)

    _assert_status(json.loads(status.stdout), lines.stdout, leader["owner"])
    assert told.value("kzfeed_fleet_broker_up") == 1
    leads = told.value("kzfeed_fleet_leader")
    jobs = {each.name for each in told.samples()} & {"kzfeed_fleet_jobs_waiting", "kzfeed_fleet_jobs_in_flight"}
    assert (leads, len(jobs)) in ((1, 2), (0, 0))
    assert told.value("kzfeed_fleet_polls_under_way") >= 0
    for host in HOSTS[:-1]:
        times = [request.at for request in web.requests if request.host == host]
        assert min(after - before for before, after in pairwise(times)) >= GAP_S, (host, times)
    assert not [event for each in (one, two) for event in each.events if event.get("level") in ("warning", "error")]


def _assert_status(found: dict[str, Any], lines: str, leader: str) -> None:
    assert found["healthy"]
    assert found["leader"] == leader
    assert len(found["members"]) == 2
    assert leader in {member["name"] for member in found["members"]}
    assert found["machines"][leader.split(":")[0]]["members"] == 2
    assert found["jobs"].keys() == {"waiting", "in_flight"}
    assert "health      good\n" in lines
    assert f"leader      {leader}\n" in lines
    assert re.search(r"^jobs        \d+ waiting, \d+ in flight$", lines, re.MULTILINE)
    assert re.search(r"^machine     .*: 2 members, polls \d+ sources?$", lines, re.MULTILINE)


def test_status_says_that_nats_does_not_answer_and_that_nobody_runs(postgresql_url: str, tmp_path: Path) -> None:
    configure(tmp_path, {"a": "http://127.0.0.1:9/a"}, more='[fleet]\nservers = ["nats://127.0.0.1:9"]')

    done = kzfeed(tmp_path, postgresql_url, "fleet", "status", "--json")

    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["leader"], found["jobs"], found["members"]) == (None, None, [])
    assert found["problems"][0] == "no member runs: start `kzfeed run`"
    assert "NATS does not answer" in found["problems"][1]


def test_without_a_fleet_there_is_no_status(postgresql_url: str, tmp_path: Path) -> None:
    configure(tmp_path, {"a": "http://127.0.0.1:9/a"})

    done = kzfeed(tmp_path, postgresql_url, "fleet", "status")

    assert done.returncode == 2
    assert "fleet.servers = '': expected the servers of NATS of a fleet (docs/fleet.md)" in done.stderr


def test_a_daemon_on_sqlite_cannot_be_a_member(broker: Brokers, tmp_path: Path) -> None:
    configure(tmp_path, {"a": "http://127.0.0.1:9/a"}, more=broker.settings())

    done = kzfeed(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"kzfeed: {tmp_path}/kzfeed.toml: fleet.servers = '{broker.urls[0]}': "
        "expected database.url with PostgreSQL, which the members of a fleet share"
    )


@pytest.mark.slow
def test_a_member_gives_the_token_that_nats_asks_for(web: FeedServer, postgresql_url: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n", "utf-8")
    with brokers(tmp_path, 1, "--auth", "s3cret") as closed:
        more = closed.settings('token = { file = "token" }')
        configure(tmp_path, {"a": f"{web.addresses[HOSTS[0]]}/a"}, more=more)
        with Running(tmp_path, postgresql_url, "run") as member:
            member.wait_for("poll", timeout=120)
            assert member.stop() == 0
        status = kzfeed(tmp_path, postgresql_url, "fleet", "status", "--json")
        configure(tmp_path, {"a": "http://127.0.0.1:9/a"}, more=closed.settings('token = "other"'))
        refused = kzfeed(tmp_path, postgresql_url, "fleet", "status", "--json")

    assert not member.named(AWAY)
    assert json.loads(status.stdout)["jobs"]
    assert json.loads(refused.stdout)["jobs"] is None
    assert "Authorization Violation" in json.loads(refused.stdout)["problems"][-1]
    assert "s3cret" not in status.stdout + status.stderr + refused.stdout + refused.stderr


def test_a_token_that_cannot_be_read_ends_the_daemon(broker: Brokers, postgresql_url: str, tmp_path: Path) -> None:
    configure(tmp_path, {"a": "http://127.0.0.1:9/a"}, more=broker.settings('token = { file = "missing" }'))

    done = kzfeed(tmp_path, postgresql_url, "run")

    assert done.returncode == 2
    assert "fleet.token" in done.stderr
    assert f"expected a secret in the file {tmp_path}/missing, which cannot be read" in done.stderr
