"""Times of transactions that store polls, with clients that reload heavy pages and without."""

import multiprocessing
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import count
from multiprocessing.sharedctypes import Synchronized
from statistics import median

from benchmarks.measure import Broken
from benchmarks.scale.work import commit_of, large
from kzfeed.model.articles import WindowComparison
from kzfeed.model.polls import Source
from kzfeed.store import sources
from kzfeed.store.commit import commit_polls
from kzfeed.store.engine import Database

CLIENTS = 8
COMMITS = 10
"""Transactions in a round."""
POLLS = 10
"""Polls in a transaction, each with one new article."""


def slowdown(database: Database, port: int, paths: Sequence[str], rounds: int) -> Iterator[str]:
    """Sentences of the times of commits with clients and without, which take turns."""
    numbers = count(int(time.time()) * 1000)
    listed = sources.load(database)
    walls: dict[bool, list[float]] = {False: [], True: []}
    answered = 0
    for number in range(-1, rounds):
        for busy in (False, True) if number % 2 else (True, False):
            with reloading(port, paths) if busy else nullcontext() as answers:
                took = [_commit(database, random.Random(number), listed, numbers) for _ in range(COMMITS)]
            if number >= 0:
                walls[busy] += took
                answered += answers.value if answers else 0
    alone, beside = median(walls[False]), median(walls[True])
    yield f"a transaction of {POLLS} polls: median {alone:.1f} ms alone, {beside:.1f} ms while {CLIENTS} clients"
    yield f"reload heavy pages ({answered:,} pages meanwhile): {beside / alone:.2f} times"


def _commit(database: Database, chance: random.Random, listed: Sequence[Source], numbers: Iterator[int]) -> float:
    now = datetime.now(UTC)
    commits = [
        commit_of(source, now, "unchanged", [large(next(numbers))], WindowComparison())
        for source in chance.sample([*listed], min(POLLS, len(listed)))
    ]
    began = time.perf_counter()
    results = commit_polls(database, commits)
    took = (time.perf_counter() - began) * 1000
    for result in results:
        if isinstance(result, Exception):
            raise result
    return took


@contextmanager
def reloading(port: int, paths: Sequence[str]) -> Iterator["Synchronized[int]"]:
    """Clients in a process of their own, for the length of the block; the number of pages that they got."""
    context = multiprocessing.get_context("spawn")
    answers = context.Value("q", 0)
    process = context.Process(target=_reload, args=(port, paths, answers), daemon=True)
    process.start()
    while not answers.value:
        if not process.is_alive():
            raise Broken("the clients of the pages ended")
        time.sleep(0.01)
    yield answers
    process.terminate()
    process.join()


def _reload(port: int, paths: Sequence[str], answers: "Synchronized[int]") -> None:
    def client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        chance = random.Random(number)
        while True:
            connection.request("GET", chance.choice(paths))
            connection.getresponse().read()
            with answers.get_lock():
                answers.value += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
