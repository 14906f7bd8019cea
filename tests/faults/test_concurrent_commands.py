"""Commands beside a running daemon, on both engines: all succeed, and nothing is lost or doubled."""

import re
import threading
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.consistency import differences, snapshot, violations
from tests.faults.growing_feeds import GrowingFeeds
from tests.faults.kill_loops import HOSTS, NAMES, addresses, undisturbed_polling, write_files
from tests.faults.processes import Launcher, Running, configure
from tests.faults.web_server import FeedServer

BACKFILLED = re.compile(r"host\d\.example")


def commands_beside_a_daemon(url: str, folder: Path) -> tuple[dict[str, int], list[str]]:
    """The exit status of every command, and everything wrong after them."""
    feeds = GrowingFeeds(NAMES)
    write_files(folder / "files", 300)
    launcher = Launcher(folder)
    with FeedServer(feeds, HOSTS) as server:
        configure(folder, addresses(server))
        with Running(folder, url, "run") as daemon:
            daemon.wait_for("poll")
            commands = [["poll"], ["backfill", "files"], ["export", "out"], ["list"], ["sources", "list"], ["poll"]]
            processes = {" ".join(words): launcher.start(url, *words) for words in commands}
            statuses = {words: launcher.wait(process) for words, process in processes.items()}
            number = 0
            while not feeds.are_finished:
                number = daemon.wait_for("poll", after=number)
            assert daemon.stop() == 0
        complaints = [str(each) for each in daemon.events if each["level"] not in ("debug", "info")]
    rows = snapshot(url).items()
    found = {table: [row for row in those if not BACKFILLED.search(repr(row))] for table, those in rows}
    expected, _ = undisturbed_polling()
    return statuses, complaints + differences(expected, found) + violations(url, feeds, polled_only=False)


@pytest.fixture(scope="module")
def scenarios(
    scenario_pool: Executor, postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[tuple[dict[str, int], list[str]]]]:
    """The scenario on both engines, running side by side."""
    undisturbed_polling()
    folders = {engine: tmp_path_factory.mktemp("beside") for engine in ENGINES}
    return {
        engine: scenario_pool.submit(commands_beside_a_daemon, Databases(folder, postgresql).new(engine), folder)
        for engine, folder in folders.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_all_commands_succeed_beside_a_running_daemon(
    engine: str, scenarios: dict[str, Future[tuple[dict[str, int], list[str]]]]
) -> None:
    statuses, wrong = scenarios[engine].result()

    assert statuses == dict.fromkeys(statuses, 0)
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_slow_visit_that_another_overtook_changes_nothing_that_the_other_stored(
    databases: Databases, launcher: Launcher, engine: str, tmp_path: Path
) -> None:
    url, feeds = databases.new(engine), GrowingFeeds(["one"])
    address = "127.0.7.1"
    with FeedServer(feeds, [address]) as server:
        # With one connection, no other process would visit the host meanwhile.
        more = f'[hosts."{address}"]\nconnections = 2'
        configure(tmp_path, {"one": f"{server.addresses[address]}/one"}, more=more)
        assert [launcher.run(url, "poll") for _ in range(3)] == [0, 0, 0]

        # The third version goes on its way to the one, and reaches the other first, which brings the fourth back too.
        let_go = threading.Event()
        server.answer = lambda request: replace(feeds(request), not_before=let_go)
        overtaken = launcher.start(url, "poll")
        server.wait_for_requests(4)
        server.answer = feeds
        assert [launcher.run(url, "poll") for _ in range(2)] == [0, 0]
        stored = snapshot(url)
        let_go.set()
        assert launcher.wait(overtaken) == 0
        assert differences(stored, snapshot(url)) == []

        # What it says of the source is in doubt now: the document is asked for once without conditions.
        asked = len(server.requests)
        assert [launcher.run(url, "poll") for _ in range(2)] == [0, 0]
        assert [request.etag is None for request in server.requests[asked:]] == [True, False]
    assert differences(stored, snapshot(url)) == []
    assert violations(url, feeds, polled_only=False) == []
