"""The run of the soak: what is done to the daemon and when, and the record of it."""

import random
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.faults.processes import kzfeed
from tests.faults.web_server import FeedServer
from tests.soak.feeds import PORTALS, MisbehavingFeeds, name_of
from tests.soak.program import Daemon, Pace, Sample, counted_polls, write_list

Event = Literal["reload", "kill", "kill at rest", "network away", "network back", "portal", "portal away", "end"]
PLAN: tuple[tuple[float, Event], ...] = (
    (0.08, "reload"),
    (0.15, "kill"),
    (0.22, "reload"),
    (0.30, "kill at rest"),
    (0.36, "network away"),
    (0.41, "network back"),
    (0.48, "reload"),
    (0.52, "kill"),
    (0.58, "portal"),
    (0.62, "portal away"),
    (0.70, "reload"),
    (0.74, "portal"),
    (0.78, "portal away"),
    (0.90, "reload"),
    (1.00, "end"),
)
"""What happens after which part of the time. At rest means: every poll is stored and counted."""
SHORT_PLAN: tuple[tuple[float, Event], ...] = (
    (0.3, "reload"),
    (0.6, "kill at rest"),
    (1.0, "end"),
)
"""A plan without outages, whose end a daemon sees within half a minute only. No kill loses anything."""
SOURCES_OF_A_HOST = 4
AT_ONCE = 200
"""More requests than a daemon makes at a time."""
LEAVES_OUT = 50
"""Each list leaves out one of so many sources, and a reload brings it back and leaves out another one."""
MOVES = 97
"""Each reload gives one of so many sources another address."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many sources for how many seconds."""

    sources: int
    seconds: float
    pace: Pace
    samples: int = 360


@dataclass(slots=True)
class Stretch:
    """The life of one process of the daemon. `at_rest` says that its last sample was taken at rest."""

    began: float
    samples: list[Sample] = field(default_factory=list)
    at_rest: bool = False
    had_outage: bool = False
    first_poll: int = 0
    """The lowest id of its polls, and the one after its highest."""
    last_poll: int = 0


@dataclass
class Soak:
    """A soak and what it has shown so far."""

    folder: Path
    database: str
    size: Size
    plan: tuple[tuple[float, Event], ...]
    say: Callable[[str], None]
    chance: random.Random
    stretches: list[Stretch] = field(default_factory=list)
    events: list[tuple[float, Event]] = field(default_factory=list)
    lists: list[tuple[float, Mapping[str, str]]] = field(default_factory=list)
    """The lists of sources, and when each was written."""
    wrong: list[str] = field(default_factory=list)
    _delay: float = 0.0
    """How long the daemon has taken to start and to come to rest, all times together: the plan waits for it."""

    def __post_init__(self) -> None:
        pace = self.size.pace
        self.feeds = MisbehavingFeeds(self.chance, pace.interval, pace.timeout)

    def run(self) -> None:
        """Do what is planned."""
        assert kzfeed(self.folder, self.database, "db", "upgrade").returncode == 0
        with FeedServer(self.feeds, ["0.0.0.0"], _free_port()) as self.server:  # noqa: S104 - all of 127/8
            self._write_list()
            self.began = time.monotonic()
            self._start()
            try:
                for share, event in self.plan:
                    self._sample_until(self.began + self._delay + share * self.size.seconds)
                    self._do(event)
            finally:
                self.daemon.kill()

    @property
    def _stretch(self) -> Stretch:
        return self.stretches[-1]

    def _do(self, event: Event) -> None:
        self.events.append((time.monotonic(), event))
        self.say(f"{event}, after {time.monotonic() - self.began:.0f} s and {len(self.feeds.seen)} requests")
        match event:
            case "reload":
                self._write_list()
                self.daemon.reload()
            case "kill":
                self._sample()
                self._end_stretch(self.daemon.kill)
                self._start()
            case "kill at rest":
                self._rest()
                self._end_stretch(self.daemon.kill)
                self._write_list()
                self._start()
            case "network away":
                self._stretch.had_outage = True
                self.server.refuse()
            case "network back":
                self.server.accept()
            case "portal":
                self._stretch.had_outage = True
                self.feeds.portal = PORTALS[sum(name == "portal" for _, name in self.events) % len(PORTALS)]
            case "portal away":
                self.feeds.portal = None
            case "end":
                self._rest()
                self._end_stretch(self._stop)

    # --- the daemon --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        stretch = Stretch(time.monotonic(), first_poll=self._next_poll())
        self.stretches.append(stretch)
        self.daemon = Daemon(self.folder, self.database)
        self.daemon.wait_until_ready()
        self._delay += time.monotonic() - stretch.began

    def _end_stretch(self, end: Callable[[], None]) -> None:
        if not self._stretch.at_rest:
            self.feeds.kills.append(time.monotonic())
        end()
        self._stretch.last_poll = self._next_poll()

    def _stop(self) -> None:
        if status := self.daemon.stop():
            self.wrong.append(f"after SIGTERM the daemon ended with status {status}")

    def _next_poll(self) -> int:
        database = Database(self.database)
        with database.read() as connection:
            last = connection.execute(sa.select(sa.func.max(tables.polls.c.id))).scalar() or 0
        database.close()
        return int(last) + 1

    def _rest(self) -> None:
        """Let no more poll begin, and wait until all are stored and counted."""
        write_list(self.folder, self._list(), self.size.pace, enabled=False)
        self.daemon.reload()
        began = time.monotonic()
        while time.monotonic() < began + 120 and not self._stretch.at_rest:
            before = counted_polls(self._sample())
            time.sleep(1)
            self._stretch.at_rest = self._is_quiet() and counted_polls(self._sample()) == before
        self._delay += time.monotonic() - began
        if not self._stretch.at_rest:
            self.wrong.append("sources that are not enabled are polled two minutes after the reload")

    def _is_quiet(self) -> bool:
        """Whether nobody waits for an answer and there was no request for two seconds."""
        now = time.monotonic()
        return all(
            seen.at < now - (2 if seen.sent else self.size.pace.timeout + 1) for seen in self.feeds.seen[-AT_ONCE:]
        )

    # --- lists -------------------------------------------------------------------------------------------------------

    def _write_list(self) -> None:
        urls = self._list()
        self.lists.append((time.monotonic(), urls))
        write_list(self.folder, urls, self.size.pace)

    def _list(self) -> dict[str, str]:
        changes = sum(event == "reload" for _, event in self.events)
        urls: dict[str, str] = {}
        for number in range(self.size.sources):
            if number % LEAVES_OUT != changes % LEAVES_OUT:
                moves = sum(number % MOVES == each for each in range(1, changes + 1))
                host = number // SOURCES_OF_A_HOST
                address = f"http://127.1.{host // 250}.{host % 250 + 1}:{self.server.port}/{name_of(number)}"
                urls[name_of(number)] = address + (f"?address={moves + 1}" if moves else "")
        return urls

    # --- samples -----------------------------------------------------------------------------------------------------

    def _sample_until(self, end: float) -> None:
        every = self.size.seconds / self.size.samples
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, every))
            self._sample()
            if self.daemon.process.poll() is not None:
                raise RuntimeError(f"the daemon has ended: see {self.folder / 'kzfeed.log'}")

    def _sample(self) -> Sample:
        sample = self.daemon.sample()
        self._stretch.samples.append(sample)
        return sample


def _free_port() -> int:
    """A port that is free on all addresses, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))  # noqa: S104 - as above
            return port
