"""Outages of the database: the daemon survives, reconnects once a second, and nothing is lost or doubled."""

import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from tests.databases import PostgreSQLServer
from tests.faults.kill_loops import undisturbed_polling
from tests.faults.outages import Outage, backends_ended, postgresql_stopped, sqlite_locked, stopped_while_locked
from tests.faults.postgresql_proxy import Loss
from tests.faults.processes import kzfeed

OUTAGE_S = 3
LOCKED_S = 3


@pytest.fixture(scope="module")
def scenarios(
    scenario_pool: Executor,
    stoppable_postgresql: PostgreSQLServer,
    postgresql: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Future[Any]]:
    """All scenarios, running side by side."""
    undisturbed_polling()

    def begin(scenario: Callable[..., Any], *arguments: Any) -> Future[Any]:
        *server, last = arguments
        return scenario_pool.submit(scenario, *server, tmp_path_factory.mktemp("away"), *last)

    return {
        "stopped": begin(postgresql_stopped, stoppable_postgresql, [OUTAGE_S]),
        "ended": begin(backends_ended, postgresql, [12, random.Random()]),
        "locked": begin(sqlite_locked, [LOCKED_S]),
        "told to stop": begin(stopped_while_locked, []),
    }


@pytest.mark.slow
def test_postgresql_stopped_for_a_while_costs_nothing(scenarios: dict[str, Future[Outage]]) -> None:
    outage = scenarios["stopped"].result()

    assert outage.wrong == []
    assert outage.reconnects_a_second <= 1
    assert outage.not_stored > 1
    assert outage.resumed_after < 15


@pytest.mark.slow
def test_commits_whose_request_or_answer_is_lost_are_stored_once(
    scenarios: dict[str, Future[tuple[list[Loss], list[str]]]],
) -> None:
    lost, wrong = scenarios["ended"].result()

    assert wrong == []
    assert set(lost) == {"the request", "the answer"}


@pytest.mark.slow
def test_sqlite_locked_from_outside_is_waited_for(scenarios: dict[str, Future[list[str]]]) -> None:
    assert scenarios["locked"].result() == []


@pytest.mark.slow
def test_a_daemon_that_waits_for_a_locked_database_still_stops(
    scenarios: dict[str, Future[tuple[float, list[str]]]],
) -> None:
    took, wrong = scenarios["told to stop"].result()

    assert wrong == []
    assert took < 10


def test_a_file_that_is_no_database_is_refused_with_exit_3(tmp_path: Path) -> None:
    (tmp_path / "kzfeed.db").write_bytes(b"not a database" * 1000)

    done = kzfeed(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run")

    assert done.returncode == 3
    assert "not a database" in done.stderr
    assert "Traceback" not in done.stderr
