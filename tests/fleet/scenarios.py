"""Faults of a running fleet: members, servers of NATS and PostgreSQL are killed or stopped while feeds grow."""

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import nats
import sqlalchemy as sa

from kzfeed.fleet.broker import Broker
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queue.leadership import database_identity
from tests.databases import Databases, PostgreSQLServer
from tests.etiquette.program import within
from tests.faults.consistency import differences, snapshot, violations
from tests.faults.growing_feeds import GrowingFeeds, document, etag_of
from tests.faults.kill_loops import NAMES, undisturbed_polling
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer, Reply, Request
from tests.fleet.brokers import Brokers, Link, Server

GAP_S = 0.3
ANSWER_S = 0.1
HTTP = f'host_gap = "{GAP_S * 1000:.0f}ms"\nmin_interval = "0s"\n'


AWAY = "broker away, claiming in the database alone"


@dataclass
class SteppedFeeds:
    """Growing feeds that show no version beyond `allowed`."""

    feeds: GrowingFeeds = field(default_factory=lambda: GrowingFeeds(NAMES))
    allowed: int = 0

    def __call__(self, request: Request) -> Reply:
        name = request.path.removeprefix("/")
        version = self.feeds.versions.get(name, 0)
        if self.allowed <= version < self.feeds.last and request.etag == etag_of(name, version):
            return Reply(304, etag=request.etag, delay=ANSWER_S)
        return replace(self.feeds(request), delay=ANSWER_S)

    def have_grown(self) -> bool:
        """Whether each feed has shown all that it may."""
        return all(self.feeds.versions.get(name) == self.allowed for name in NAMES)


@dataclass
class Fleet:
    """Members in one folder, on one database."""

    folder: Path
    url: str
    stack: ExitStack
    members: list[Running] = field(default_factory=list)
    gone: list[Running] = field(default_factory=list)

    def start(self, count: int = 1) -> list[Running]:
        """Start so many members, and wait until they run."""
        new = [self.stack.enter_context(Running(self.folder, self.url, "run")) for _ in range(count)]
        for member in new:
            member.wait_for("running", timeout=120)
        self.members += new
        return new

    def kill(self, *members: Running) -> None:
        """Kill these members at once."""
        for member in members:
            member.process.send_signal(signal.SIGKILL)
        for member in members:
            self.members.remove(member)
            self.gone.append(member)

    @property
    def leaders(self) -> list[Running]:
        """The members that say that they lead."""
        turns = {
            member: [each["event"] for each in member.events if "the fleet" in each["event"]] for member in self.members
        }
        return [member for member, said in turns.items() if said and said[-1] == "leading the fleet"]

    def stop(self) -> None:
        """Stop all members in order."""
        for member in self.members:
            member.process.send_signal(signal.SIGTERM)
        for member in self.members:
            assert member.process.wait(120) == 0


@contextmanager
def fleet(folder: Path, url: str, members: int) -> Iterator[Fleet]:
    """A fleet, for the length of the block."""
    with ExitStack() as stack:
        running = Fleet(folder, url, stack)
        running.start(members)
        yield running


def early_visits(requests: Sequence[Request], answer_s: float) -> list[str]:
    """Requests that came before the host had answered the one before, or before its gap was over."""
    at_host: dict[str, list[float]] = defaultdict(list)
    for request in requests:
        at_host[request.host].append(request.at)
    return [
        f"{host}: {after - before - answer_s:.3f} s after the last answer"
        for host, times in at_host.items()
        for before, after in pairwise(sorted(times))
        if after - before < answer_s + GAP_S
    ]


def stored_polls(url: str) -> int:
    """How many polls are recorded."""
    database = Database(url)
    with database.read() as connection:
        number = connection.execute(sa.select(sa.func.count()).select_from(tables.polls)).scalar_one()
    database.close()
    return int(number)


@dataclass(frozen=True)
class Loss:
    """What became of the sources of a member that was killed and of one that was stopped for 15 s."""

    slowest: float
    """The longest time from then to the next visit of a host."""
    asked_twice: int
    """Requests whose poll was not recorded."""
    in_flight: int
    """How many requests had no stored poll just after that moment."""
    wrong: list[str]


def member_lost(folder: Path, url: str, broker: Brokers, *, stopped_s: float = 15) -> Loss:
    """Of three members with slow polls under way one is killed, and one is stopped for so long."""
    hosts = [f"127.0.13.{number}" for number in range(1, 25)]
    slow_s = 2.0

    def answer(request: Request) -> Reply:
        if request.etag:
            return Reply(304, etag=request.etag, delay=slow_s)
        return Reply(200, document("still", 0), etag='"still"', delay=slow_s)

    with FeedServer(answer, hosts) as web:
        urls = {host: f"{web.addresses[host]}/feed" for host in hosts}
        configure(folder, urls, every="500ms", http=f"{HTTP}max_connections = 12", more=broker.settings())
        with fleet(folder, url, 3) as running:
            _, killed, stopped = running.members
            for member in running.members:
                member.wait_for("poll", timeout=120)
            before = len(web.requests)
            web.wait_for_requests(before + len(hosts), timeout=120)
            running.kill(killed)
            stopped.process.send_signal(signal.SIGSTOP)
            lost_at = time.monotonic()
            # On a busy machine an answer waits for its commit. What is asked and stored meanwhile must not count less.
            stored = stored_polls(url)
            in_flight = len(web.requests) - stored
            time.sleep(stopped_s)
            seen = len(stopped.events)
            stopped.process.send_signal(signal.SIGCONT)
            stopped.wait_for("poll", after=seen, timeout=120)
            within(120, lambda: {each.host for each in web.requests if each.at > lost_at} == set(hosts))
            requests = list(web.requests)
            # Polls end quickly now, so that none is cancelled when the members stop.
            web.answer = lambda request: replace(answer(request), delay=0)
            web.wait_for_requests(len(requests) + len(hosts), timeout=120)
            running.stop()
            asked_twice = len(web.requests) - stored_polls(url)
    slowest = max(min(each.at for each in requests if each.host == host and each.at > lost_at) for host in hosts)
    return Loss(slowest - lost_at, asked_twice, in_flight, early_visits(requests, slow_s))


@dataclass(frozen=True)
class Faults:
    """What a fleet on a cluster of three brokers showed while parts of it were killed."""

    new_leader_after: float
    new_broker_leader_after: float
    wrong: list[str]


def everything_killed(folder: Path, server: PostgreSQLServer, cluster: Brokers) -> Faults:
    """Kill one part of a fleet after the other, while the feeds grow, and compare the archive with another."""
    expected, _ = undisturbed_polling()
    url = Databases(folder, server.url).new("postgresql")
    hosts = [f"127.0.14.{number}" for number in range(1, len(NAMES) + 1)]
    feeds = SteppedFeeds()
    with FeedServer(feeds, hosts) as web:
        urls = {name: f"{web.addresses[host]}/{name}" for name, host in zip(NAMES, hosts, strict=True)}
        configure(folder, urls, every="500ms", http=HTTP, more=cluster.settings())
        with fleet(folder, url, 2) as running:

            def grow() -> None:
                within(120, feeds.have_grown)
                feeds.allowed = min(feeds.allowed + 1, feeds.feeds.last)

            grow()
            within(120, lambda: bool(running.leaders))
            new_leader_after = _leader_killed(running)
            grow()
            new_broker_leader_after = _broker_leader_killed(url, cluster)
            grow()
            running.kill(*running.members)
            running.start(2)
            grow()
            for broker in cluster.servers:
                broker.kill()
            within(
                120,
                lambda: all(member.named(AWAY) for member in running.members),
            )
            grow()
            for broker in cluster.servers:
                broker.start()
            within(120, lambda: all(member.named("broker available again") for member in running.members))
            server.stop()
            time.sleep(3)
            server.start()
            within(120, lambda: feeds.feeds.are_finished)
            running.stop()
        early = early_visits(web.requests, ANSWER_S)
    wrong = early + violations(url, feeds.feeds, polled_only=False) + differences(expected, snapshot(url))
    return Faults(new_leader_after, new_broker_leader_after, wrong)


def _leader_killed(running: Fleet) -> float:
    (leader,) = running.leaders
    running.start()
    running.kill(leader)
    killed_at = time.monotonic()
    within(120, lambda: bool(running.leaders))
    (new,) = running.leaders
    return float(new.named("leading the fleet")[-1]["at"]) - killed_at


def _broker_leader_killed(url: str, cluster: Brokers) -> float:
    """Kill the server that leads the stream; the seconds until another one does. Then start it again."""
    name = asyncio.run(stream_leader(url, cluster.servers))
    (leader,) = (each for each in cluster.servers if each.name == name)
    leader.kill()
    began = time.monotonic()
    others = [each for each in cluster.servers if each.name != name]
    within(120, lambda: asyncio.run(stream_leader(url, others)) not in (None, name))
    took = time.monotonic() - began
    leader.start()
    return took


async def stream_leader(url: str, servers: Sequence[Server]) -> str | None:
    """The name of the server that leads the stream of the fleet of this database; None if nobody does."""
    database = Database(url)
    stream = Broker([], None, database_identity(database)).stream
    database.close()
    client = await nats.connect([each.url for each in servers], connect_timeout=2)
    try:
        info = await client.jetstream(timeout=1).stream_info(stream)
        return info.cluster.leader if info.cluster else None
    except (nats.errors.Error, OSError):
        return None
    finally:
        await client.close()


def network_cut(folder: Path, url: str, cluster: Brokers, link: Link) -> list[str]:
    """Cut a server of NATS off, with the members that are connected to it, while feeds grow; everything wrong then.

    The other two servers go on. The members that lose theirs find another one.
    """
    expected, _ = undisturbed_polling()
    hosts = [f"127.0.16.{number}" for number in range(1, len(NAMES) + 1)]
    feeds = SteppedFeeds()
    beyond = cluster.servers[-1]
    with FeedServer(feeds, hosts) as web:
        urls = {name: f"{web.addresses[host]}/{name}" for name, host in zip(NAMES, hosts, strict=True)}
        settings = f'[fleet]\nservers = ["{beyond.url}"]'
        configure(folder, urls, every="500ms", http=HTTP, more=settings)
        with fleet(folder, url, 2) as running:
            within(120, feeds.have_grown)
            link.cut()
            feeds.allowed = 2
            within(120, lambda: all(member.named(AWAY) for member in running.members))
            within(120, feeds.have_grown)
            link.mend()
            feeds.allowed = feeds.feeds.last
            within(120, lambda: all(member.named("broker available again") for member in running.members))
            within(120, lambda: feeds.feeds.are_finished)
            running.stop()
        early = early_visits(web.requests, ANSWER_S)
    return early + violations(url, feeds.feeds, polled_only=False) + differences(expected, snapshot(url))


def rolling_upgrade(folder: Path, url: str, broker: Brokers) -> list[str]:
    """Replace three members, one after the other, while feeds grow; everything wrong afterwards."""
    expected, _ = undisturbed_polling()
    hosts = [f"127.0.15.{number}" for number in range(1, len(NAMES) + 1)]
    feeds = SteppedFeeds()
    with FeedServer(feeds, hosts) as web:
        urls = {name: f"{web.addresses[host]}/{name}" for name, host in zip(NAMES, hosts, strict=True)}
        configure(folder, urls, every="500ms", http=HTTP, more=broker.settings())
        with fleet(folder, url, 3) as running:
            for old in list(running.members):
                within(120, feeds.have_grown)
                feeds.allowed += 1
                old.process.send_signal(signal.SIGTERM)
                running.members.remove(old)
                running.start()
                assert old.process.wait(120) == 0
            feeds.allowed = feeds.feeds.last
            within(120, lambda: feeds.feeds.are_finished)
            running.stop()
            complaints = [
                str(each)
                for member in (*running.members, *running.gone)
                for each in member.events
                if each.get("level") in ("warning", "error")
            ]
        early = early_visits(web.requests, ANSWER_S)
    return early + complaints + violations(url, feeds.feeds, polled_only=False) + differences(expected, snapshot(url))
