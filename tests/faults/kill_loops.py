"""Loops that kill kzfeed at random instants, let it finish, and compare the archive with that of an undisturbed run.

The tests run them with few kills, `python -m tests.torture` with many.
"""

import functools
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.databases import Databases
from tests.faults.consistency import Rows, differences, snapshot, violations
from tests.faults.growing_feeds import GrowingFeeds
from tests.faults.processes import Launcher, configure
from tests.faults.web_server import FeedServer

NAMES = ("one", "two", "three", "four", "five", "six")
HOSTS = [f"127.0.7.{number}" for number in range(1, len(NAMES) + 1)]
KILLS_A_ROUND = 10
"""Kills of one database, before the rest of its work is done undisturbed."""
FILES = 250
"""Files of a backfill: two full batches of 100, and a third."""


@dataclass
class Figures:
    """Result of a loop: completed kills, compared archives, and everything that was wrong."""

    kills: int = 0
    too_late: int = 0
    """Processes that ended by themselves before they were killed."""
    rounds: int = 0
    wrong: list[str] = field(default_factory=list)


Kill = Callable[[float], float | None]
"""Starts kzfeed and kills it after so many seconds. None, or the seconds after which it had ended by itself."""


def backfill_kills(launcher: Launcher, databases: Databases, engine: str, kills: int, chance: random.Random) -> Figures:
    """Kill `kzfeed backfill` this many times."""
    folder = databases.folder / "files"
    write_files(folder, FILES)
    undisturbed = databases.new(engine)
    began = time.monotonic()
    assert launcher.run(undisturbed, "backfill", folder) == 0
    length, expected = time.monotonic() - began, snapshot(undisturbed)
    figures = Figures()
    while figures.kills < kills:
        url = databases.new(engine)

        def kill(after: float, url: str = url) -> float | None:
            return launcher.run_and_kill(url, "backfill", folder, after=after)

        length = _kill_often(kill, length, url, None, min(kills - figures.kills, KILLS_A_ROUND), figures, chance)
        assert launcher.run(url, "backfill", folder) == 0
        _judge(url, None, expected, figures)
    return figures


def polling_kills(launcher: Launcher, databases: Databases, engine: str, kills: int, chance: random.Random) -> Figures:
    """Kill `kzfeed run` and `kzfeed poll`, at random one or the other, this many times, while the feeds grow."""
    expected, length = undisturbed_polling()
    figures = Figures()
    while figures.kills < kills:
        url, feeds = databases.new(engine), GrowingFeeds(NAMES)
        with FeedServer(feeds, HOSTS) as server:
            configure(databases.folder, addresses(server))

            def kill(after: float, url: str = url) -> float | None:
                daemon = chance.random() < 0.5
                took = launcher.run_and_kill(url, "run" if daemon else "poll", after=1.5 * after if daemon else after)
                assert not (daemon and took), "the daemon ended by itself"
                return took

            length = _kill_often(kill, length, url, feeds, min(kills - figures.kills, KILLS_A_ROUND), figures, chance)
            poll_to_the_end(launcher, url, feeds)
        _judge(url, feeds, expected, figures)
    return figures


@functools.cache
def undisturbed_polling() -> tuple[Rows, float]:
    """The rows of an archive that polled these feeds undisturbed, and the seconds that one poll takes."""
    with tempfile.TemporaryDirectory() as folder:
        databases, feeds = Databases(Path(folder), ""), GrowingFeeds(NAMES)
        url = databases.new("sqlite")
        with FeedServer(feeds, HOSTS) as server:
            configure(databases.folder, addresses(server))
            began = time.monotonic()
            polls = poll_to_the_end(Launcher(Path(folder)), url, feeds)
        assert violations(url, feeds) == []
        return snapshot(url), (time.monotonic() - began) / polls


def addresses(server: FeedServer) -> dict[str, str]:
    """The URL of each feed, each on its own host, so that no feed waits for another."""
    return {name: f"{server.addresses[host]}/{name}" for name, host in zip(NAMES, HOSTS, strict=True)}


def poll_to_the_end(launcher: Launcher, url: str, feeds: GrowingFeeds) -> int:
    """Poll until the last version of every feed is stored; the number of polls."""
    for number in range(1, feeds.last + 4):
        assert launcher.run(url, "poll") == 0
        if feeds.are_finished:
            return number
    raise AssertionError(f"the feeds do not come to their end: {feeds.versions}")


def write_files(folder: Path, count: int) -> None:
    """Write archive files. Every seventh is a revision of an earlier one."""
    folder.mkdir()
    for number in range(count):
        article = number - 3 if number % 7 == 6 else number
        address = f"https://host{article // 150}.example/{article}"
        body = f"<p>第{number}号<img src='{address}.png'></p><p>{'正文' * 40}</p>"
        text = f"<!--{1_640_995_200_000 + article}-->\n[第{article}篇]({address})\n------\n\n{body}\n"
        (folder / f"{number:05}.txt").write_text(text, encoding="utf-8")


def _kill_often(
    kill: Kill, length: float, url: str, feeds: GrowingFeeds | None, kills: int, figures: Figures, chance: random.Random
) -> float:
    """Kill it this many times, or until a backfill ends by itself; the shortest duration known by then."""
    for _ in range(kills):
        took = kill(chance.uniform(0, length))
        figures.wrong += violations(url, feeds)
        figures.kills += took is None
        if took:
            figures.too_late += 1
            length = min(length, took)
            if feeds is None:
                break
    return length


def _judge(url: str, feeds: GrowingFeeds | None, expected: Rows, figures: Figures) -> None:
    figures.rounds += 1
    figures.wrong += violations(url, feeds) + differences(expected, snapshot(url))
