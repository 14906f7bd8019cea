"""Kills at random instants: the database opens, no validator lacks its entries, nothing is lost or doubled."""

import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.kill_loops import Figures, backfill_kills, polling_kills, undisturbed_polling
from tests.faults.processes import Launcher

KILLS = 5

Loop = Callable[[Launcher, Databases, str, int, random.Random], Figures]


@pytest.fixture(scope="module")
def loops(
    scenario_pool: Executor, postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[Loop, str], Future[Figures]]:
    """Every loop of kills on each engine, running side by side."""
    undisturbed_polling()

    def run(loop: Loop, engine: str, folder: Path) -> Figures:
        return loop(Launcher(folder), Databases(folder, postgresql), engine, KILLS, random.Random())

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
