"""Several real daemons on one PostgreSQL, and a server that records every request that a host gets.

The server is an HTTP proxy, so that hosts may have any names and redirects may lead from one to another.
"""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from tests.etiquette.program import within
from tests.faults.growing_feeds import document
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply, Request

ANSWER_S = 0.05


@dataclass(frozen=True, slots=True)
class Visit:
    """A request at a host: when it came, and a moment before which the client had no answer."""

    host: str
    path: str
    came: float
    answered: float


@dataclass
class Hosts:
    """The hosts behind the proxy: they answer with redirects, slowly, or at once. `visits` are those so far."""

    redirects: Mapping[str, str] = field(default_factory=dict)
    """From a URL to the one that it leads to."""
    delays: Mapping[str, float] = field(default_factory=dict)
    """By host, in seconds."""
    visits: list[Visit] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        host = urlsplit(request.path).hostname or ""
        delay = self.delays.get(host, ANSWER_S)
        with self._lock:
            self.visits.append(Visit(host, request.path, request.at, time.monotonic() + delay))
        if target := self.redirects.get(request.path):
            return Reply(302, location=target, delay=delay)
        if request.etag:
            return Reply(304, etag='"still"', delay=delay)
        return Reply(200, document("still", 0), etag='"still"', delay=delay)

    def pauses(self) -> list[tuple[float, Visit]]:
        """The seconds from each answer to the next request at the same host, with that request."""
        at_host: dict[str, list[Visit]] = defaultdict(list)
        for visit in sorted(self.visits, key=lambda visit: visit.came):
            at_host[visit.host].append(visit)
        return [
            (after.came - before.answered, after) for visits in at_host.values() for before, after in pairwise(visits)
        ]

    def wait_for(self, count: int, *, timeout: float) -> float:
        """Wait for so many visits; the seconds that it took."""
        began = time.monotonic()
        within(timeout, lambda: len(self.visits) >= count)
        return time.monotonic() - began


@dataclass(frozen=True)
class Gaps:
    """What a run of several daemons showed."""

    visits: int
    seconds: float
    shortest_pause: float
    early: list[str]
    """Every request that came before the gap of its host was over."""
    daemons_at_work: int


def visits_of_many_daemons(
    folder: Path, url: str, *, daemons: int, gap: float, hosts: int, sources: int, visits: int
) -> Gaps:
    """So many visits at hosts with a gap. Each host has `sources` sources; one of five redirects to another host."""
    urls, redirects = {}, {}
    for host in range(hosts):
        for number in range(sources):
            urls[f"h{host}s{number}"] = address = f"http://h{host}.example/{number}"
            if number % 5 == 4:
                redirects[address] = f"http://h{(host + number) % hosts}.example/{number}/moved"
    there = Hosts(redirects)
    with FeedServer(there.answer) as server, ExitStack() as stack:
        proxy = next(iter(server.addresses.values()))
        http = f'host_gap = "{round(gap * 1000)}ms"\nmin_interval = "0s"\nproxy = "{proxy}"'
        configure(folder, urls, every="1s", http=http)
        running = [stack.enter_context(Running(folder, url, "run")) for _ in range(daemons)]
        for each in running:
            each.wait_for("running", timeout=120)
        seconds = there.wait_for(visits, timeout=240)
        at_work = sum(1 for each in running if each.named("poll"))
        for each in running:
            assert each.stop() == 0
    pauses = there.pauses()
    early = [f"{pause:.3f} s before {visit.path}" for pause, visit in pauses if pause < gap]
    return Gaps(len(there.visits), seconds, min(pause for pause, _ in pauses), early, at_work)


@dataclass(frozen=True)
class Takeover:
    """What became of the sources of a daemon that was killed, and of one that was stopped and went on later."""

    killed: float
    """The longest time from the kill to the next visit of a source that the killed daemon had been polling."""
    stopped: float
    """The same for the stopped daemon."""
    wrong: list[str]
    """Visits that nobody should have made: of sources that a living daemon was polling, or a third one."""


def takeover(folder: Path, url: str, *, slow: float = 240, hosts: int = 24) -> Takeover:
    """Polls that take `slow` seconds: of four daemons one is killed, and one is stopped for longer than its lease."""
    names = [f"slow{number}.example" for number in range(hosts)]
    there = Hosts(delays=dict.fromkeys(names, slow))
    urls = {name: f"http://{name}/feed" for name in names}
    with FeedServer(there.answer) as server, ExitStack() as stack:
        proxy = next(iter(server.addresses.values()))

        def start(places: int) -> Running:
            place = folder / f"{places}-places"
            place.mkdir(exist_ok=True)
            http = f'host_gap = "1s"\nmin_interval = "0s"\ntimeout = "480s"\nmax_connections = {places}'
            configure(place, urls, every="1s", http=f'{http}\nproxy = "{proxy}"')
            daemon = stack.enter_context(Running(place, url, "run"))
            daemon.wait_for("running", timeout=120)
            return daemon

        killed = start(hosts // 4)
        there.wait_for(hosts // 4, timeout=120)
        stopped = start(hosts // 4)
        there.wait_for(hosts // 2, timeout=120)
        first = [visit.host for visit in there.visits]
        heirs = [start(100), start(100)]
        there.wait_for(hosts, timeout=120)
        began = time.monotonic()
        killed.process.send_signal(signal.SIGKILL)
        stopped.process.send_signal(signal.SIGSTOP)
        within(120, lambda: {visit.host for visit in there.visits if visit.came > began} >= set(first))
        stopped.process.send_signal(signal.SIGCONT)
        time.sleep(6)  # in which a visit too many would come
        later = [visit for visit in there.visits if visit.came > began]
        assert [each.process.poll() for each in (stopped, *heirs)] == [None] * 3
    return _takeover(later, began, [set(first[: hosts // 4]), set(first[hosts // 4 :])])


def _takeover(later: Sequence[Visit], began: float, lost: Sequence[set[str]]) -> Takeover:
    times: dict[str, list[float]] = defaultdict(list)
    for visit in later:
        times[visit.host].append(round(visit.came - began, 2))
    all_lost = set().union(*lost)
    wrong = [
        f"{host}: visited after {times[host]} s, while a daemon was polling it" for host in times.keys() - all_lost
    ]
    wrong += [f"{host}: taken over after {each} s, more than once" for host, each in times.items() if len(each) > 1]
    wrong += [f"{host}: not taken over" for host in all_lost - times.keys()]
    killed, stopped = (max((times[host][0] for host in hosts if times[host]), default=0.0) for hosts in lost)
    return Takeover(killed, stopped, wrong)
