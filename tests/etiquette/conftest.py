"""Virtual time for the tests of etiquette: a real fetcher, server and store, and a clock that the test advances."""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.batching import Batcher
from kzfeed.fetch.addresses import system_lookup
from kzfeed.fetch.client import Fetcher
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.model.polls import Poll, Source, SourceConfig
from kzfeed.poll import Poller
from kzfeed.sandbox.pool import Workers
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.store import sources, tables
from kzfeed.store.commit import commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.queue import claims, host_pauses
from kzfeed.store.queue.leases import NewClaim
from kzfeed.store.windows import last_windows
from tests.conftest import NewDatabase
from tests.etiquette.recording_server import Page, RecordingServer, recording

HOSTS = tuple(f"127.0.0.{number}" for number in range(1, 6))
AGENT = "kzfeed/0.0 (+mailto:tests@kzfeed.example)"
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class Clock:
    """The current time, and the next random number."""

    now: datetime = START
    chance: float = 0.5


class World:
    """Sources that are polled when they are due, in virtual time. Each poll starts from the database alone, as after a
    restart.
    """

    def __init__(self, database: Database, clock: Clock, runner: asyncio.Runner, poller: Poller) -> None:
        self.database = database
        self.clock = clock
        self._runner = runner
        self._poller = poller
        self._configs: dict[str, SourceConfig] = {}

    def add_source(self, page: Page | str, *, name: str = "s", **settings: Any) -> None:
        """Configure another source, for this page or URL."""
        self.add_sources({name: page}, **settings)

    def add_sources(self, pages: Mapping[str, Page | str], **settings: Any) -> None:
        """Configure other sources at once, for the pages or URLs by their names."""
        for name, page in pages.items():
            url = page if isinstance(page, str) else page.url
            self._configs[name] = SourceConfig(name=name, url=url, **settings)
        sources.configure(self.database, self._configs.values(), self.clock.now)

    def limit_entries(self, most: int) -> None:
        """Take at most so many entries of a document."""
        self._poller = replace(self._poller, max_entries=most)

    def advance(self, length: timedelta) -> None:
        """Advance the clock, and poll every source when it becomes due."""
        end = self.clock.now + length
        while True:
            any_polled = self._poll_due()
            moments = list(self._moments())
            if any_polled and moments and min(moments) <= self.clock.now:
                continue
            upcoming = [when for when in moments if self.clock.now < when <= end]
            if not upcoming:
                self.clock.now = end
                return
            self.clock.now = min(upcoming)

    def poll(self, name: str = "s") -> Poll:
        """Poll a source now, due or not."""
        return self._runner.run(self._polled(self.source(name)))

    def source(self, name: str = "s") -> Source:
        return sources.load(self.database, [name])[0]

    def rows(self, table: sa.Table) -> list[tuple[Any, ...]]:
        with self.database.read() as connection:
            query = sa.select(table).order_by(*table.primary_key)
            return [tuple(row) for row in connection.execute(query)]

    def titles(self) -> set[str]:
        with self.database.read() as connection:
            return set(connection.execute(sa.select(tables.articles.c.title)).scalars())

    def _poll_due(self) -> bool:
        """Poll the sources that are due, at most 100; whether there was one."""
        due = claims.claim_due(self.database, NewClaim("tests", self.clock.now, HOUR), limit=100)
        for source in due:
            self._runner.run(self._polled(source))
        return bool(due)

    async def _polled(self, source: Source) -> Poll:
        return await self._poller.poll(source)

    def _moments(self) -> Iterator[datetime]:
        known = sources.load(self.database)
        times = (when for each in known for when in (each.next_poll_at, each.not_before) if when)
        return chain(times, host_pauses.paused_hosts(self.database, self.clock.now).values())


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def network(runner: asyncio.Runner) -> Iterator[tuple[Fetcher, Workers]]:
    """One fetcher and one worker pool for all tests, since their start takes longer than a test."""
    fetcher = Fetcher(user_agent=AGENT, lookup=_lookup)
    workers = Workers(timeout=timedelta(minutes=2), memory=512 << 20)
    runner.run(fetcher.__aenter__())
    yield fetcher, workers
    runner.run(workers.__aexit__())
    runner.run(fetcher.__aexit__())


def _lookup(host: str, port: int) -> list[str]:
    return ["127.0.0.1"] if host == "xn--bcher-kva.example" else system_lookup(host, port)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[RecordingServer]:
    """A server at five addresses that records requests by the virtual clock."""
    with recording(HOSTS, clock=lambda: clock.now) as recorder:
        yield recorder


@contextmanager
def new_world(
    database: Database, clock: Clock, runner: asyncio.Runner, network: tuple[Fetcher, Workers]
) -> Iterator[World]:
    fetcher, workers = network
    with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(1) as reader:
        poller = Poller(
            fetcher=fetcher,
            database=database,
            host_queues=HostQueues(timedelta()),
            bounds=IntervalBounds(),
            workers=workers,
            commits=Batcher(partial(commit_polls, database), writer),
            windows=Batcher(partial(last_windows, database), writer),
            reading_thread=reader,
            clock=lambda: clock.now,
            random=lambda: clock.chance,
        )
        yield World(database, clock, runner, poller)


@pytest.fixture
def world(
    new_database: NewDatabase, clock: Clock, runner: asyncio.Runner, network: tuple[Fetcher, Workers]
) -> Iterator[World]:
    """A world on SQLite, for rules that are the same on both engines."""
    with new_world(new_database("sqlite"), clock, runner, network) as made:
        yield made


@pytest.fixture
def world_on_each_engine(
    database: Database, clock: Clock, runner: asyncio.Runner, network: tuple[Fetcher, Workers]
) -> Iterator[World]:
    """A world on each engine, for rules that concern the store."""
    with new_world(database, clock, runner, network) as made:
        yield made
