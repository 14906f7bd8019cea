"""What the daemon's log says at the level `info`: news, and each change of a source once."""

import itertools
from pathlib import Path

import pytest

from tests.faults.growing_feeds import document
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply, Request


@pytest.mark.slow
def test_polls_without_news_are_silent_and_a_row_of_failures_is_said_once_and_its_end_once(
    database_url: str, tmp_path: Path
) -> None:
    numbers = itertools.count(1)

    def answer(_: Request) -> Reply:
        number = next(numbers)
        return Reply(503) if 4 <= number <= 6 else Reply(200, document("a", 0 if number < 10 else 1))

    with FeedServer(answer) as server:
        configure(tmp_path, {"a": f"{server.addresses['127.0.0.1']}/a"})
        with Running(tmp_path, database_url, "run") as daemon:
            number = daemon.wait_for("poll", outcome="new")
            number = daemon.wait_for("recovered", after=number)
            daemon.wait_for("poll", after=number, outcome="new")
            assert daemon.stop() == 0
    said = [
        (each["level"], each["event"], each.get("outcome"), each.get("failures"))
        for each in daemon.events
        if each["level"] != "debug" and each.get("source") == "a"
    ]
    assert said == [
        ("info", "poll", "new", None),
        ("warning", "poll", "failed", 1),
        ("info", "recovered", None, 3),
        ("info", "poll", "new", None),
    ]
    running = next(each for each in daemon.events if each["event"] == "running")
    assert running.keys() >= {"version", "configuration", "database", "sources", "time", "level"}
    assert len([each for each in daemon.named("poll") if each["level"] == "debug"]) >= 6
