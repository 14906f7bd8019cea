"""Parts of a fleet that are killed or stopped. The scenarios mostly wait, so they run at the same time."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.databases import Databases, PostgreSQLServer, postgresql_server
from tests.faults.kill_loops import undisturbed_polling
from tests.fleet.brokers import Brokers, Link, brokers, brokers_and_one_beyond, network_link
from tests.fleet.scenarios import Faults, Loss, everything_killed, member_lost, network_cut, rolling_upgrade

pytestmark = pytest.mark.slow


@dataclass
class Scenarios:
    """The scenarios under way."""

    loss: Future[Loss]
    faults: Future[Faults]
    upgrade: Future[list[str]]
    cut: Future[list[str]] | None
    """None where this process may not make network namespaces."""


@pytest.fixture(scope="module")
def stoppable() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server that a scenario may stop."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three servers of NATS, a cluster."""
    with brokers(tmp_path_factory.mktemp("cluster"), 3) as servers:
        yield servers


@pytest.fixture(scope="module")
def far_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Brokers, Link] | None]:
    """A cluster of which one server is in a network namespace; None where this process may not make one."""
    with ExitStack() as stack:
        try:
            link = stack.enter_context(network_link())
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        folder = tmp_path_factory.mktemp("far")
        yield stack.enter_context(brokers_and_one_beyond(folder, link)), link


@pytest.fixture(scope="module")
def scenarios(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql: str,
    postgresql_template: str,
    stoppable: PostgreSQLServer,
    broker: Brokers,
    cluster: Brokers,
    far_cluster: tuple[Brokers, Link] | None,
) -> Iterator[Scenarios]:
    databases = Databases(Path(), postgresql)
    one, two, three = (databases.new("postgresql", template=postgresql_template) for _ in range(3))
    folder = tmp_path_factory.mktemp
    undisturbed_polling()  # once, for the two scenarios that need it
    with ThreadPoolExecutor(4) as pool:
        yield Scenarios(
            loss=pool.submit(member_lost, folder("loss"), one, broker),
            faults=pool.submit(everything_killed, folder("faults"), stoppable, cluster),
            upgrade=pool.submit(rolling_upgrade, folder("upgrade"), two, broker),
            cut=pool.submit(network_cut, folder("cut"), three, *far_cluster) if far_cluster else None,
        )
    for url in (one, two, three):
        databases.drop(url)


def test_the_hosts_of_a_killed_and_of_a_stopped_member_are_polled_again_soon(scenarios: Scenarios) -> None:
    loss = scenarios.loss.result(480)

    assert loss.wrong == []
    # 15 s on a machine that is not busy with other tests.
    assert loss.slowest < 45
    assert loss.asked_twice <= loss.in_flight


def test_nothing_is_lost_whatever_part_of_a_fleet_is_killed(scenarios: Scenarios) -> None:
    faults = scenarios.faults.result(480)

    assert faults.wrong == []


def test_a_new_leader_leads_soon_after_the_old_one_was_killed(scenarios: Scenarios) -> None:
    # 2 s on a machine that is not busy with other tests.
    assert scenarios.faults.result(480).new_leader_after < 20


def test_members_poll_on_when_the_network_to_their_server_of_nats_is_cut(scenarios: Scenarios) -> None:
    if scenarios.cut is None:
        pytest.skip("this process may not make network namespaces")

    assert scenarios.cut.result(480) == []


def test_members_can_be_replaced_one_by_one_while_polling_goes_on(scenarios: Scenarios) -> None:
    assert scenarios.upgrade.result(480) == []
