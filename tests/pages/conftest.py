"""An archive whose sources want pages, in virtual time: real client, servers, sandbox and databases."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.batching import Batcher
from kzfeed.fetch.client import Fetcher, FetchLimits
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.jobs.page_fetches import PageFetchJob
from kzfeed.model.pages import DuePage, PageRecord
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.page_fetch import PageFetcher
from kzfeed.poll import Poller
from kzfeed.sandbox.pool import PAGE_COMMAND, Workers
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.store import sources, tables
from kzfeed.store.commit import commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.integrity.findings import Finding
from kzfeed.store.integrity.verify import verify
from kzfeed.store.windows import last_windows
from tests.conftest import NewDatabase
from tests.etiquette.recording_server import Page, RecordingServer, Reply, recording

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
SELECTOR = "css:div.post-content"
LIMITS = FetchLimits(timeout=timedelta(seconds=5), max_body=2 << 20)


@dataclass
class Clock:
    """The current time, which the test advances."""

    now: datetime = START


@dataclass
class Archive:
    """A database, and what polls its sources and fetches their pages by the clock."""

    database: Database
    clock: Clock
    server: RecordingServer
    runner: asyncio.Runner
    poller: Poller
    pages: PageFetcher
    configs: dict[str, SourceConfig] = field(default_factory=dict)

    def add_source(self, name: str = "s", *, host: str = "127.0.0.1", full_text: str | None = SELECTOR) -> Page:
        """Configure another source whose articles are on pages; the page of its feed."""
        page = self.server.page(f"/{name}.xml", host=host)
        self.configs[name] = SourceConfig(name=name, url=page.url, full_text=full_text)
        sources.configure(self.database, self.configs.values(), self.clock.now)
        return page

    def poll(self, name: str = "s") -> Poll:
        """Poll a source now."""
        self.clock.now += timedelta(seconds=1)
        return self.runner.run(self._poll(name))

    async def _poll(self, name: str) -> Poll:
        return await self.poller.poll(sources.load(self.database, [name])[0])

    def fetch_pages(self, after: timedelta = timedelta(seconds=1), *, owner: str = "tests") -> list[PageRecord]:
        """Fetch all pages that are due after this time; what became of each."""
        self.clock.now += after
        return self.runner.run(self.fetch_due_pages(owner))

    async def fetch_due_pages(self, owner: str = "tests", workers: Workers | None = None) -> list[PageRecord]:
        """Fetch all pages that are due now, with these workers; what became of each, in the order of the articles."""
        records: dict[int, PageRecord] = {}

        def note(page: DuePage, record: PageRecord) -> None:
            records[page.article_id] = record

        pages = replace(self.pages, workers=workers or self.pages.workers)
        await PageFetchJob(pages, owner, slots=3, on_page=note).run_to_end()
        return [record for _, record in sorted(records.items())]

    def rows(self, table: sa.Table, *order: sa.ColumnElement[Any]) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(table).order_by(*order))]

    def article(self, title: str = "标题") -> dict[str, Any]:
        """The row of the article with this title."""
        (found,) = [row for row in self.rows(tables.articles) if row["title"] == title]
        return found

    def versions(self) -> list[tuple[int, str, str | None]]:
        """Number, text and origin of every version of the only article."""
        older = self.rows(tables.revisions, tables.revisions.c.revision)
        return [(row["revision"], row["text"], row["content_from"]) for row in [*older, *self.rows(tables.articles)]]

    def damage(self) -> list[Finding]:
        """What `verify` finds wrong."""
        found: list[Finding] = []
        verify(self.database, found.append)
        return [finding for finding in found if finding.is_damage]


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def network(runner: asyncio.Runner) -> Iterator[tuple[Fetcher, Workers, Workers]]:
    """One client and two pools of workers for all tests, since their start takes longer than a test."""
    fetcher = Fetcher(user_agent="kzfeed/0.0", limits=LIMITS)
    feeds = Workers(timeout=timedelta(minutes=2), memory=512 << 20)
    pages = Workers(timeout=timedelta(minutes=2), memory=512 << 20, processes=1, command=PAGE_COMMAND)
    runner.run(fetcher.__aenter__())
    yield fetcher, feeds, pages
    for each in (pages, feeds, fetcher):
        runner.run(each.__aexit__())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[RecordingServer]:
    with recording(HOSTS, clock=lambda: clock.now) as recorder:
        yield recorder


@pytest.fixture
def archive(
    new_database: NewDatabase,
    clock: Clock,
    server: RecordingServer,
    runner: asyncio.Runner,
    network: tuple[Fetcher, Workers, Workers],
) -> Iterator[Archive]:
    """An empty archive on SQLite, for rules that are the same on both engines."""
    with new_archive(new_database("sqlite"), clock, server, runner, network) as made:
        yield made


@pytest.fixture
def archive_on_each_engine(
    database: Database,
    clock: Clock,
    server: RecordingServer,
    runner: asyncio.Runner,
    network: tuple[Fetcher, Workers, Workers],
) -> Iterator[Archive]:
    """An empty archive on each engine, for rules that concern the store."""
    with new_archive(database, clock, server, runner, network) as made:
        yield made


@contextmanager
def new_archive(
    database: Database,
    clock: Clock,
    server: RecordingServer,
    runner: asyncio.Runner,
    network: tuple[Fetcher, Workers, Workers],
) -> Iterator[Archive]:
    """An empty archive; nothing may be damaged at the end."""
    fetcher, feeds, page_workers = network
    queues = HostQueues(timedelta())
    with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(1) as reader:
        poller = Poller(
            fetcher=fetcher,
            database=database,
            host_queues=queues,
            bounds=IntervalBounds(),
            workers=feeds,
            commits=Batcher(partial(commit_polls, database), writer),
            windows=Batcher(partial(last_windows, database), writer),
            reading_thread=reader,
            clock=lambda: clock.now,
            random=lambda: 0.0,
        )
        pages = PageFetcher(
            fetcher=fetcher,
            database=database,
            host_queues=queues,
            bounds=poller.bounds,
            workers=page_workers,
            delay=timedelta(),
            clock=lambda: clock.now,
            random=lambda: 0.0,
        )
        made = Archive(database, clock, server, runner, poller, pages)
        yield made
        assert made.damage() == []


@dataclass(frozen=True)
class Item:
    """An entry of a feed. `link` may be relative."""

    title: str = "标题"
    link: str = "/a/1.html"
    text: str = "灯塔"
    guid: str | None = None
    date: str | None = None

    def xml(self) -> str:
        guid = f'<guid isPermaLink="false">{self.guid}</guid>' if self.guid else ""
        date = f"<pubDate>{self.date}</pubDate>" if self.date else ""
        return (
            f"<item><title>{self.title}</title><link>{self.link}</link>{guid}{date}"
            f"<description>{self.text}</description></item>"
        )


ITEM = Item()


def feed(*items: Item) -> Reply:
    """An RSS document with these entries."""
    body = f"<rss version='2.0'><channel><title>s</title>{''.join(each.xml() for each in items)}</channel></rss>"
    return Reply(200, [("Content-Type", "application/rss+xml")], body.encode())


def page(content: str = "<p>灯塔照亮整条海岸线。</p>", *, head: str = "", status: int = 200) -> Reply:
    """A page with this content in `div.post-content`."""
    body = f"<!doctype html><html><head><meta charset='utf-8'>{head}</head><body><nav>菜单</nav>"
    body += f"<div class='post-content'>{content}</div></body></html>"
    return Reply(status, [("Content-Type", "text/html")], body.encode())


def with_headers(reply: Reply, *headers: tuple[str, str]) -> Reply:
    """The reply with more headers."""
    return replace(reply, headers=[*reply.headers, *headers])
