"""The answers to monitors: /healthz, /readyz and /metrics of one daemon."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Generic, TypeVar

from kzfeed.clock import utc_now
from kzfeed.errors import DatabaseError
from kzfeed.hosts import SocketAddress
from kzfeed.model.pages import DuePage, PageRecord
from kzfeed.model.polls import Poll, Source
from kzfeed.server.http import Response, answering
from kzfeed.server.metrics import CONTENT_TYPE, Metrics
from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.queries.monitor_figures import figures

KEPT_S = 10.0
"""How long figures of the database are given again before they are read anew."""
KEPT_READINESS_S = 1.0
ANSWER_S = 3.0
"""How long an answer waits for the database."""

Value = TypeVar("Value")
Gauges = Callable[[], Mapping[str, tuple[str, float]]]


@dataclass(frozen=True, slots=True)
class Watched:
    """The job whose runs show that the scheduler makes progress, and after which time without any it is stuck."""

    job: str
    stuck_after: timedelta


class CachedValue(Generic[Value]):
    """A value that a function reads in a thread of its own, at most once in `kept` seconds and never twice at once.

    So requests, however many, cost the database no more than one, and none of them waits for longer than `patience`.
    """

    def __init__(self, read: Callable[[], Value], *, kept: float, patience: float = ANSWER_S) -> None:
        self._read = read
        self._kept = kept
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="monitors")
        self._lock = threading.Lock()
        self._last: Future[Value] | None = None
        self._begun = 0.0

    def get(self) -> Value:
        """The last value, or its error. Raises TimeoutError if it does not come in time."""
        with self._lock:
            is_old = time.monotonic() - self._begun > self._kept
            if self._last is None or (self._last.done() and is_old):
                self._begun = time.monotonic()
                self._last = self._thread.submit(self._read)
            last = self._last
        return last.result(self._patience)


class Monitor:
    """What is known of a daemon: `on_poll`, `on_page` and `on_job` record it, the other methods answer monitors."""

    def __init__(self, database: Database, watched: Watched) -> None:
        self._watched = watched
        self._last_run = time.monotonic()
        self._figures = CachedValue(lambda: figures(database, utc_now()), kept=KEPT_S)
        self._readiness = CachedValue(lambda: schema.require_current(database), kept=KEPT_READINESS_S)
        self._metrics = Metrics(self._figures.get)

    def on_poll(self, source: Source, poll: Poll | None) -> None:
        """Count a poll; None if it could not be stored."""
        self._metrics.on_poll(source, poll)

    def on_page(self, _: DuePage, record: PageRecord) -> None:
        """Count the visit to a page of an article."""
        self._metrics.on_page(record)

    def on_job(self, job: str, failed: bool) -> None:
        """Count a run of one of the daemon's jobs."""
        if job == self._watched.job:
            self._last_run = time.monotonic()
        self._metrics.on_job(job, failed)

    def watch(self, is_online: Callable[[], bool], gauges: Gauges = dict) -> None:
        """Ask these functions of the daemon that runs from now on: a monitor outlives a daemon whose file is replaced.

        `is_online` says whether the machine has a connection, `gauges` gives further gauges: the explanation and the
        value of each, by its name.
        """
        self._metrics.watch_network(is_online)
        self._metrics.gauges.read = gauges

    def health(self) -> Response:
        """Whether the scheduler makes progress."""
        idle = time.monotonic() - self._last_run
        if idle < self._watched.stuck_after.total_seconds():
            return Response(HTTPStatus.OK, b"healthy\n")
        return _unavailable(f"the scheduler last looked for due sources {idle:.0f} s ago")

    def readiness(self) -> Response:
        """Whether the database answers and its schema is current."""
        try:
            self._readiness.get()
        except TimeoutError:
            return _unavailable(f"the database has not answered for {ANSWER_S:g} s")
        except DatabaseError:
            # Not its words: they may name hosts and users, and go to whoever asks.
            return _unavailable("the database cannot be used, or its schema is not current: see the log of kzfeed")
        return Response(HTTPStatus.OK, b"ready\n")

    def metrics(self) -> Response:
        """All metrics."""
        return Response(HTTPStatus.OK, self._metrics.text(), CONTENT_TYPE)


def _unavailable(why: str) -> Response:
    return Response(HTTPStatus.SERVICE_UNAVAILABLE, f"{why}\n".encode())


@contextmanager
def monitoring(address: SocketAddress, database: Database, watched: Watched) -> Iterator[Monitor]:
    """A monitor that is answered at this address. Raises ListenError if the address cannot be used."""
    monitor = Monitor(database, watched)
    answers = {"/healthz": monitor.health, "/readyz": monitor.readiness, "/metrics": monitor.metrics}
    with answering(address, answers):
        yield monitor
