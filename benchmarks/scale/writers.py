"""Commits of polls by several processes at once, on one PostgreSQL: how many polls they store in a second."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from threading import Barrier

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.model.articles import Article
from kzfeed.model.polls import Poll, PollOutcome, Source, SourceConfig
from kzfeed.store import schema, sources
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from tests.databases import postgresql_server

WRITERS = (1, 4, 8)
SOURCES = 40
"""Sources of each writer."""
BATCH = 5
"""Polls in one transaction, of which one has a document with a new article, as in a day of many sources."""
ENTRIES = 20
SECONDS = 10


def table() -> Iterator[str]:
    """Lines of a table, made in a new database for each number of writers."""
    yield "| writers | polls a second | × | CPU ms of writers a poll |"
    yield "| ---: | ---: | ---: | ---: |"
    first = 0.0
    for writers in WRITERS:
        polls, cpu = measure(writers)
        first = first or polls
        yield f"| {writers} | {polls / SECONDS:,.0f} | {polls / first:.2f} | {cpu / polls * 1000:.2f} |"


def measure(writers: int) -> tuple[int, float]:
    """How many polls so many writers store in SECONDS, and their CPU seconds."""
    with postgresql_server() as server, closing(Database(server.url)) as database:
        schema.upgrade(database)
        names = [f"{writer}-{number}" for writer in range(writers) for number in range(SOURCES)]
        sources.configure(database, [SourceConfig(name, f"https://{name}.example/rss") for name in names], _now())
        context = get_context("spawn")
        with context.Manager() as manager, ProcessPoolExecutor(writers, mp_context=context) as processes:
            begin = [manager.Barrier(writers)] * writers
            results = list(processes.map(write, [server.url] * writers, range(writers), begin))
    return sum(polls for polls, _ in results), sum(cpu for _, cpu in results)


def write(url: str, writer: int, begin: Barrier) -> tuple[int, float]:
    """Commit polls of this writer's sources for SECONDS; the number of polls, and CPU seconds."""
    with closing(Database(url)) as database:
        mine = [each for each in sources.load(database) if each.name.startswith(f"{writer}-")]
        documents = {each.id: [_article(each, -number) for number in range(ENTRIES)] for each in mine}
        begin.wait()
        polls, cpu, end = 0, time.process_time(), time.monotonic() + SECONDS
        while time.monotonic() < end:
            batch = [mine[(polls + place) % len(mine)] for place in range(BATCH)]
            first = batch[0]
            documents[first.id] = [_article(first, polls), *documents[first.id][:-1]]
            commits = [_commit(each, documents[each.id] if each is first else ()) for each in batch]
            for result in commit_polls(database, commits):
                if isinstance(result, Exception):
                    raise result
            polls += BATCH
        return polls, time.process_time() - cpu


def _article(source: Source, number: int) -> Article:
    url = f"https://{source.name}.example/{number}"
    return article_of_file(ArchiveFile(1_650_000_000_000 + number, f"Title {number}", url, f"<p>{url}</p>" * 40))


def _commit(source: Source, articles: Sequence[Article]) -> PollCommit:
    now = _now()
    after = replace(source, last_polled_at=now, last_success_at=now, next_poll_at=now + timedelta(hours=1))
    outcome: PollOutcome = "unchanged" if articles else "not-modified"
    return PollCommit(after, Poll(source.id, now, timedelta(), outcome, entries=len(articles)), articles)


def _now() -> datetime:
    return datetime.now(UTC)
