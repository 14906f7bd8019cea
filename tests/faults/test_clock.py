"""Clock jumps: each source is polled exactly once for each interval that the clock advances."""

import json
import time
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.growing_feeds import document, unchanged_feed
from tests.faults.processes import DAEMON, Running, configure
from tests.faults.web_server import FeedServer, Reply

HOSTS = [f"127.0.10.{number}" for number in range(1, 6)]
HOUR = 3600.0
INTERVAL = HOUR * (1 + 1 / 30) + 1
"""A source may be late by a thirtieth of its interval."""
WENT_BACK = "clock went back, schedule moved back with it"
YEAR = timedelta(days=365).total_seconds()


class Clock:
    """Clock of a daemon, set through a file."""

    def __init__(self, folder: Path, ahead: float = 0) -> None:
        self._folder = folder
        self.set(ahead)

    @property
    def options(self) -> str:
        return json.dumps({"tick": 0.05, "clock": str(self._folder / "clock")})

    def set(self, ahead: float) -> None:
        """Set the clock this many seconds ahead of the real one."""
        self._ahead = ahead
        (self._folder / "new").write_text(str(ahead), encoding="ascii")
        (self._folder / "new").replace(self._folder / "clock")

    def polls_after(self, seconds: float, daemon: Running, *, expected: int) -> int:
        """Advance the clock; the number of polls that follow."""
        before, seen = len(daemon.named("poll")), len(daemon.events)
        self.set(self._ahead + seconds)
        # Two jumps between two looks of the daemon would be one to it.
        daemon.wait_for(WENT_BACK if seconds < 0 else "clock jumped ahead", after=seen)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and len(daemon.named("poll")) - before < expected:
            time.sleep(0.02)
        time.sleep(0.3)  # six ticks, in which any further polls would come
        return len(daemon.named("poll")) - before


def sources(server: FeedServer) -> dict[str, str]:
    return {f"s{number}": f"{url}/feed" for number, url in enumerate(server.addresses.values())}


def wait_for_polls(daemon: Running, count: int) -> None:
    number = 0
    for _ in range(count):
        number = daemon.wait_for("poll", after=number)


TO_1970 = (datetime(1970, 1, 2, tzinfo=UTC) - datetime.now(UTC)).total_seconds()
STEPS = {
    "on by an interval": (INTERVAL, 1),
    "2 h ahead": (2 * HOUR, 1),
    "a year ahead": (YEAR, 1),
    "1 h back": (-HOUR, 0),
    "on after 1 h back": (INTERVAL, 1),
    "a year back": (-YEAR, 0),
    "on after a year back": (INTERVAL, 1),
    "back to 1970": (TO_1970, 0),
    "on in 1970": (INTERVAL, 1),
    "from 1970 to today": (-TO_1970, 1),
    "on from today": (INTERVAL, 1),
}
"""Seconds that the clock is moved by, and the polls of each source that must follow."""


def jumping_clock(url: str, folder: Path) -> tuple[dict[str, int], set[str]]:
    """The number of polls after each step, and the warnings of the daemon."""
    with FeedServer(unchanged_feed, HOSTS) as server:
        clock = Clock(folder)
        configure(folder, sources(server), every="1h")
        with Running(folder, url, clock.options, module=DAEMON) as daemon:
            wait_for_polls(daemon, len(HOSTS))
            polls = {
                step: clock.polls_after(seconds, daemon, expected=times * len(HOSTS))
                for step, (seconds, times) in STEPS.items()
            }
            assert daemon.stop() == 0
    return polls, {each["event"] for each in daemon.events if each["level"] not in ("debug", "info")}


def clock_back_meanwhile(folder: Path) -> dict[str, int]:
    """The clock goes back while no daemon runs, and then during polls; the polls within the next interval."""
    url = f"sqlite:///{folder}/kzfeed.db"
    with FeedServer(unchanged_feed, HOSTS) as server:
        clock = Clock(folder, ahead=YEAR)
        configure(folder, sources(server), every="1h")
        with Running(folder, url, clock.options, module=DAEMON) as daemon:
            wait_for_polls(daemon, len(HOSTS))
            assert daemon.stop() == 0
        clock.set(0)
        with Running(folder, url, clock.options, module=DAEMON) as daemon:
            daemon.wait_for(WENT_BACK)
            polls = {"while nobody ran": clock.polls_after(INTERVAL, daemon, expected=len(HOSTS))}

            answer, server.answer = server.answer, lambda request: Reply(200, document("s", 1), delay=1)
            asked, polled = len(server.requests), len(daemon.named("poll"))
            clock.set(3 * INTERVAL)
            server.wait_for_requests(asked + len(HOSTS))
            seen = len(daemon.events)
            clock.set(-YEAR)
            daemon.wait_for(WENT_BACK, after=seen)
            wait_for_polls(daemon, polled + len(HOSTS))
            server.answer = answer
            polls["during visits"] = clock.polls_after(INTERVAL, daemon, expected=len(HOSTS))
    return polls


@pytest.fixture(scope="module")
def scenarios(
    scenario_pool: Executor, postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[Any]]:
    """All scenarios, running side by side."""
    found: dict[str, Future[Any]] = {}
    for engine in ENGINES:
        folder = tmp_path_factory.mktemp("clock")
        url = Databases(folder, postgresql).new(engine)
        found[engine] = scenario_pool.submit(jumping_clock, url, folder)
    found["meanwhile"] = scenario_pool.submit(clock_back_meanwhile, tmp_path_factory.mktemp("clock"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_no_jump_of_the_clock_floods_or_stalls(
    engine: str, scenarios: dict[str, Future[tuple[dict[str, int], set[str]]]]
) -> None:
    polls, complaints = scenarios[engine].result()

    assert polls == {step: times * len(HOSTS) for step, (_, times) in STEPS.items()}
    assert complaints == {"clock jumped ahead", "clock went back, schedule moved back with it"}


@pytest.mark.slow
def test_a_clock_that_went_back_while_nobody_ran_or_while_visits_were_under_way(
    scenarios: dict[str, Future[dict[str, int]]],
) -> None:
    assert set(scenarios["meanwhile"].result().values()) == {len(HOSTS)}
