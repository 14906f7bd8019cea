"""Outages of the database: scenarios of any length, for the tests and for `python -m tests.torture`."""

import random
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from tests.databases import Databases, PostgreSQLServer
from tests.etiquette.program import within
from tests.faults.consistency import differences, snapshot, violations
from tests.faults.growing_feeds import GrowingFeeds
from tests.faults.kill_loops import HOSTS, NAMES, addresses, undisturbed_polling
from tests.faults.postgresql_proxy import Loss, PostgreSQLProxy
from tests.faults.processes import Running, configure
from tests.faults.web_server import FeedServer


@dataclass(frozen=True)
class Outage:
    """Result of an outage: the connections asked for per second, the seconds from its end until every source
    was polled again, the polls that could not be stored, and everything that was wrong.
    """

    reconnects_a_second: float
    resumed_after: float
    not_stored: int
    wrong: list[str]


def postgresql_stopped(server: PostgreSQLServer, folder: Path, seconds: float) -> Outage:
    """Stop PostgreSQL under a daemon for this many seconds."""
    direct = Databases(folder, server.url).new("postgresql")
    feeds = GrowingFeeds(NAMES)
    with PostgreSQLProxy(server.url) as proxy, FeedServer(feeds, HOSTS) as web:
        configure(folder, addresses(web), every="400ms")
        with Running(folder, proxy.url(sa.make_url(direct).database), "run") as daemon:
            daemon.wait_for("poll", after=daemon.wait_for("poll"), outcome="new")
            # Polls under way when the server stops, whose results arrive while it is stopped.
            stopped = threading.Event()
            web.hold(len(NAMES), stopped)
            server.stop()
            web.answer = feeds
            stopped.set()
            try:
                away = daemon.wait_for("database unavailable, retrying every second")
                began = time.monotonic()
                daemon.wait_for("poll not stored", after=daemon.wait_for("poll not stored"))
                time.sleep(seconds)  # the outage itself
            finally:
                ended = time.monotonic()
                server.start()
            started = time.monotonic()
            back = daemon.wait_for("database available again", after=away)
            for name in NAMES:
                daemon.wait_for("poll", after=back, source=name, timeout=120)
            resumed = time.monotonic() - started
            lost = len(daemon.named("poll not stored"))
            _finish(daemon, feeds)
    attempts = [at for at in proxy.connected_at if began <= at <= ended]
    # The first one opens the outage.
    return Outage((len(attempts) - 1) / (ended - began), resumed, lost, _wrong(direct, feeds))


def backends_ended(server: str, folder: Path, cuts: int, chance: random.Random) -> tuple[list[Loss], list[str]]:
    """Lose COMMITs or their answers, and terminate backends. What was lost, and everything wrong afterwards."""
    direct = Databases(folder, server).new("postgresql")
    database = sa.make_url(direct).database
    feeds, running = GrowingFeeds(NAMES), threading.Event()

    def lose() -> Loss:
        # In turn, so that both come.
        next_one: Loss = "the answer" if len(proxy.lost) % 2 else "the request"
        return chance.choice([next_one, next_one, None]) if running.is_set() and len(proxy.lost) < cuts else None

    with PostgreSQLProxy(server, lose) as proxy, FeedServer(feeds, HOSTS) as web:
        configure(folder, addresses(web), every="400ms")
        with Running(folder, direct, "db", "upgrade") as upgrade:
            assert upgrade.process.wait(120) == 0
        engine = sa.create_engine(direct.replace("postgresql:", "postgresql+psycopg:"))
        busy = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
        )
        with Running(folder, proxy.url(database), "run") as daemon:
            daemon.wait_for("running")
            running.set()
            deadline = time.monotonic() + 120
            while len(proxy.lost) < cuts and time.monotonic() < deadline:
                with engine.begin() as connection:
                    connection.execute(sa.text(busy), {"name": database})
                time.sleep(chance.uniform(0, 0.5))
            engine.dispose()
            _finish(daemon, feeds)
    return proxy.lost, _wrong(direct, feeds)


def sqlite_locked(folder: Path, seconds: float) -> list[str]:
    """Hold SQLite's lock from outside for this many seconds; everything wrong afterwards."""
    url = Databases(folder, "").new("sqlite")
    feeds = GrowingFeeds(NAMES)
    with FeedServer(feeds, HOSTS) as web:
        configure(folder, addresses(web), every="400ms")
        with Running(folder, url, "run") as daemon:
            daemon.wait_for("poll")
            with locked(url) as connection:
                (stored,) = connection.execute("SELECT count(*) FROM polls").fetchone()
                within(120, lambda: len(daemon.named("poll")) >= stored)
                time.sleep(seconds)
                during = len(daemon.named("poll")) - stored
            _finish(daemon, feeds)
            complaints = [each for each in daemon.events if each.get("level") in ("warning", "error")]
    waited = [] if not during else [f"{during} polls were stored in a database that was locked"]
    return waited + [str(each) for each in complaints] + _wrong(url, feeds)


def stopped_while_locked(folder: Path) -> tuple[float, list[str]]:
    """Stop a daemon that waits for SQLite's lock. The seconds that it takes, and everything wrong afterwards."""
    url, feeds = Databases(folder, "").new("sqlite"), GrowingFeeds(NAMES)
    with FeedServer(feeds, HOSTS) as web:
        configure(folder, addresses(web), every="400ms")
        with Running(folder, url, "run") as daemon:
            daemon.wait_for("poll")
            with locked(url):
                time.sleep(1.5)  # until the daemon waits for the lock, which no event tells
                told = time.monotonic()
                assert daemon.stop() == 0
                took = time.monotonic() - told
    return took, violations(url, feeds)


class locked:  # noqa: N801 - read as a word: with locked(url)
    """The write lock of an SQLite database, held for the length of the block."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


def _finish(daemon: Running, feeds: GrowingFeeds) -> None:
    deadline = time.monotonic() + 120
    number = 0
    while not feeds.are_finished:
        number = daemon.wait_for("poll", after=number, timeout=max(deadline - time.monotonic(), 0.1))
    # The last polls are not necessarily stored yet.
    assert daemon.stop() == 0


def _wrong(url: str, feeds: GrowingFeeds) -> list[str]:
    expected, _ = undisturbed_polling()
    return violations(url, feeds) + differences(expected, snapshot(url))
