"""Schema upgrades: a killed one leaves the old schema or the new one, and concurrent ones all succeed."""

import random
import time

import pytest
import sqlalchemy as sa

from kzfeed.store import schema, tables
from kzfeed.store.engine import Database
from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.processes import Launcher

KILLS = 3


def state(url: str) -> tuple[str | None, int]:
    """The schema revision of the database, and the number of our tables in it."""
    database = Database(url)
    while True:
        # PostgreSQL may still commit for a process that was killed.
        revision = schema.current(database)
        names = set(sa.inspect(database.engine).get_table_names())
        if revision == schema.current(database):
            break
    database.close()
    return revision, len(names & set(tables.metadata.tables))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_upgrade_killed_anywhere_leaves_nothing_between(
    launcher: Launcher, empty_databases: Databases, engine: str, chance: random.Random
) -> None:
    began = time.monotonic()
    assert launcher.run(empty_databases.new(engine), "db", "upgrade") == 0
    length = time.monotonic() - began
    whole = (schema.HEAD, len(tables.metadata.tables))
    for _ in range(KILLS):
        url = empty_databases.new(engine)
        launcher.run_and_kill(url, "db", "upgrade", after=chance.uniform(0, length))

        assert state(url) in ((None, 0), whole)
        assert launcher.run(url, "db", "upgrade") == 0
        assert state(url) == whole


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_upgrades_at_the_same_time_all_succeed(launcher: Launcher, empty_databases: Databases, engine: str) -> None:
    url = empty_databases.new(engine)

    processes = [launcher.start(url, "db", "upgrade") for _ in range(6)]

    assert [launcher.wait(process) for process in processes] == [0] * 6
    assert state(url) == (schema.HEAD, len(tables.metadata.tables))
