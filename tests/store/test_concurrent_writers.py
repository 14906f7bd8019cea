"""Writers at the same time: on PostgreSQL, only those that touch the same things wait for each other."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from kzfeed.model.polls import SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.articles import store_articles
from kzfeed.store.commit import commit_polls
from kzfeed.store.engine import Database, name_of_host, name_of_source
from kzfeed.store.integrity.verify import verify
from kzfeed.store.known_articles import ArticleBatch
from kzfeed.store.transfer import article_log
from tests.store.test_batches import NOW, article, commit, configured, rows, stored

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
WRITERS = 4
ROUNDS = 5


@pytest.mark.slow
def test_sources_that_share_articles_and_hosts_are_committed_at_once_as_one_after_the_other(database: Database) -> None:
    names = [f"source-{number}" for number in range(2 * WRITERS)]
    configs = [SourceConfig(name, f"https://host-{place % 4}.example/{name}") for place, name in enumerate(names)]
    sources.configure(database, configs, NOW)
    by_name = {source.name: source for source in sources.load(database)}
    begin = threading.Barrier(WRITERS)

    def write(writer: int) -> list[int]:
        """Commits polls of two sources, whose documents hold articles of all others, in two wordings, in any order."""
        chance = random.Random(writer)
        new = []
        with closing(Database(database_url)) as other:
            for turn in range(ROUNDS):
                begin.wait(30)
                commits = []
                for name in names[2 * writer : 2 * writer + 2]:
                    documents = [article(5 * turn + number, f"<p>{chance.choice('正文')}</p>") for number in range(10)]
                    chance.shuffle(documents)
                    poll = commit(by_name[name], documents, NOW + timedelta(minutes=turn))
                    commits.append(replace(poll, poll=replace(poll.poll, entries=10)))
                new += [poll.new_articles for poll in stored(commit_polls(other, commits))]
        return new

    database_url = database.engine.url.render_as_string(hide_password=False)
    with ThreadPoolExecutor(WRITERS) as threads:
        new = [number for numbers in threads.map(write, range(WRITERS)) for number in numbers]

    findings: list[object] = []
    checked = verify(database, findings.append)
    assert findings == []
    assert sum(new) == checked.articles == 5 * (ROUNDS + 1)
    assert rows(database, "SELECT count(*) FROM polls") == [(2 * WRITERS * ROUNDS,)]
    assert rows(database, "SELECT count(*) FROM sightings") == [(2 * WRITERS * 5 * (ROUNDS + 1),)]
    due = "SELECT host, min(next_poll_at) FROM sources GROUP BY host ORDER BY host"
    assert rows(database, "SELECT host, due_at FROM host_queue ORDER BY host") == rows(database, due)


@contextmanager
def open_transaction(
    database: Database, touched: set[str], do: Callable[[sa.Connection], None] = lambda connection: None
) -> Iterator[None]:
    """A write transaction that touches these things, does this, and commits when the block ends."""
    begun, ending = threading.Event(), threading.Event()

    def work(connection: sa.Connection) -> None:
        do(connection)
        begun.set()
        assert ending.wait(30)

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(database.write_concurrently, touched, work)
        try:
            assert begun.wait(30)
            yield
        finally:
            ending.set()
            done.result()


def test_a_writer_waits_for_one_that_touches_the_same_and_for_no_other(database: Database) -> None:
    bbc, rfi, voa = configured(database)

    with ThreadPoolExecutor(3) as threads:
        with open_transaction(database, {name_of_source(bbc.id), name_of_host("https://e.example/")}):
            stored(commit_polls(database, [commit(voa)]))
            waiting: list[Future[object]] = [
                threads.submit(commit_polls, database, [commit(bbc)]),
                threads.submit(commit_polls, database, [commit(rfi, [article()])]),
                threads.submit(sources.configure, database, [SourceConfig("new", "https://new.example/rss")], NOW),
            ]
            with pytest.raises(TimeoutError):
                waiting[0].result(0.3)
            assert not any(each.done() for each in waiting)
        for each in waiting:
            each.result(30)

    assert rows(database, "SELECT source_id FROM polls ORDER BY source_id") == [(bbc.id,), (rfi.id,), (voa.id,)]


def test_a_reader_of_the_log_stops_before_articles_and_changes_that_are_not_committed_yet(database: Database) -> None:
    bbc, rfi, voa = configured(database)
    stored(commit_polls(database, [commit(bbc, [article(1), article(2)])]))
    mark = article_log.mark_before_all(database)

    def store_first(connection: sa.Connection) -> None:
        """A new article and a change of an old one."""
        store_articles(connection, [ArticleBatch(bbc.id, [article(3), article(1, "<p>新</p>")], NOW, is_live=True)])

    with open_transaction(database, {name_of_source(bbc.id)}, store_first):
        stored(commit_polls(database, [commit(voa, [article(4), article(2, "<p>新</p>")])]))
        assert numbers_after(database, mark) == []

    assert numbers_after(database, mark) == [1, 2, 3, 4]
    assert rows(database, "SELECT count(*) FROM article_changes") == [(2,)]
    stored(commit_polls(database, [commit(rfi, [article(5)])]))
    assert numbers_after(database, mark) == [1, 2, 3, 4, 5]


def numbers_after(database: Database, mark: article_log.LogMark) -> list[int]:
    """The numbers of the articles that a follower of the log reads, batch by batch, from the mark on."""
    numbers: set[str] = set()
    while batch := article_log.batch_after(database, mark, 2):
        numbers |= {str(each.url) for each in batch.articles}
        mark = batch.mark
    return sorted(int(url.rpartition("/")[2]) for url in numbers)


def test_a_transaction_that_postgresql_ends_for_a_deadlock_is_done_again(database: Database) -> None:
    bbc, rfi, _ = configured(database)
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def write(first: int, second: int, connection: sa.Connection) -> None:
        tries.append(first)
        update = sa.update(tables.sources).values(title="Title")
        connection.execute(update.where(tables.sources.c.id == first))
        if len(tries) <= 2:
            both_hold_one.wait(30)
        connection.execute(update.where(tables.sources.c.id == second))

    with ThreadPoolExecutor(2) as threads:
        pairs = ((bbc.id, rfi.id), (rfi.id, bbc.id))
        for each in [threads.submit(database.write_concurrently, (), partial(write, *pair)) for pair in pairs]:
            each.result(30)

    assert len(tries) > 2
    assert rows(database, "SELECT count(*) FROM sources WHERE title = 'Title'") == [(2,)]
