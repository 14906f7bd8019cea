"""Everything else beside a running daemon, on both engines: it all succeeds, and nothing is lost or doubled."""

import re
from pathlib import Path

import pytest

from tests.conftest import ENGINES
from tests.faults.databases import Databases
from tests.faults.feeds import Feeds
from tests.faults.kills import HOSTS, NAMES, addresses, undisturbed_polling, write_files
from tests.faults.processes import Nursery, Running, configure
from tests.faults.rows import differences, faults, snapshot
from tests.faults.servers import Server

BACKFILLED = re.compile(r"host\d\.example")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_all_commands_succeed_beside_a_running_daemon(
    databases: Databases, nursery: Nursery, engine: str, tmp_path: Path
) -> None:
    url, feeds = databases.new(engine), Feeds(NAMES)
    write_files(tmp_path / "files", 300)
    with Server(feeds, HOSTS) as server:
        configure(tmp_path, addresses(server))
        with Running(tmp_path, url, "run") as daemon:
            daemon.wait_for("poll")
            commands = [["poll"], ["backfill", "files"], ["export", "out"], ["list"], ["sources", "list"], ["poll"]]
            processes = {" ".join(words): nursery.start(url, *words) for words in commands}
            statuses = {words: nursery.wait(process) for words, process in processes.items()}
            number = 0
            while not feeds.are_finished:
                number = daemon.wait_for("poll", after=number)
            assert daemon.stop() == 0
        complaints = [each for each in daemon.events if each["level"] != "info"]

    assert statuses == dict.fromkeys(statuses, 0)
    assert complaints == []
    rows = snapshot(url).items()
    found = {table: [row for row in those if not BACKFILLED.search(repr(row))] for table, those in rows}
    expected, _ = undisturbed_polling()
    assert differences(expected, found) == []
    assert faults(url, feeds, polled_only=False) == []
