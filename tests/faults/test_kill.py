"""`kill -9` at any instant: the database opens, no validator is without its entries, and nothing is lost or doubled."""

import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.kill_loops import Figures, backfill_kills, polling_kills, undisturbed_polling
from tests.faults.processes import ForkServer

KILLS = 10

Loop = Callable[[ForkServer, Databases, str, int, random.Random], Figures]


@pytest.fixture(scope="module")
def loops(
    scenario_pool: Executor, postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[Loop, str], Future[Figures]]:
    """Each loop of kills on each engine, all under way."""
    undisturbed_polling()

    def run(loop: Loop, engine: str, folder: Path) -> Figures:
        with ForkServer(folder) as fork_server:
            return loop(fork_server, Databases(folder, postgresql), engine, KILLS, random.Random())

    kinds = [(loop, engine) for loop in (backfill_kills, polling_kills) for engine in ENGINES]
    return {kind: scenario_pool.submit(run, *kind, tmp_path_factory.mktemp("kill")) for kind in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loop", [backfill_kills, polling_kills])
def test_what_was_killed_anywhere_ends_as_what_was_not(
    loops: dict[tuple[Loop, str], Future[Figures]], loop: Loop, engine: str
) -> None:
    figures = loops[loop, engine].result()

    assert figures.wrong == []
    assert figures.kills >= KILLS
