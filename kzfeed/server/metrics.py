"""Metrics of a daemon in the format of Prometheus. docs/monitoring.md explains each of them.

Labels have few values: no source, host or URL is among them.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kzfeed import __version__
from kzfeed.errors import DatabaseError
from kzfeed.model.pages import PageOutcome, PageRecord
from kzfeed.model.polls import FailureKind, Poll, PollOutcome, Source
from kzfeed.store.queries.monitor_figures import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DURATIONS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Buckets of the duration of polls, in seconds."""
LAGS = (0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14400)
"""Buckets of the lag behind the schedule, in seconds."""


class Metrics:
    """The counters of this process, and the figures of its database, which `read_figures` reads at each request.

    `read_figures` raises DatabaseError, OSError or TimeoutError if the database does not answer; then its figures are
    left out.
    """

    def __init__(self, read_figures: Callable[[], Figures]) -> None:
        # Not the time at which each counter began: it would double the number of series.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library's omission
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_DatabaseCollector(read_figures))
        Info("kzfeed_build", "The running kzfeed", registry=registry).info({"version": __version__})
        self._polls = Counter("kzfeed_polls", "Polls by outcome", ["outcome"], registry=registry)
        self._lost = Counter("kzfeed_polls_not_stored", "Polls that could not be stored", registry=registry)
        self._failures = Counter("kzfeed_poll_failures", "Failed polls by kind of failure", ["kind"], registry=registry)
        self._flaws = Counter("kzfeed_polls_flawed", "Polls whose document had a flaw", registry=registry)
        self._durations = Histogram(
            "kzfeed_poll_duration_seconds", "Time from request to commit", buckets=DURATIONS, registry=registry
        )
        self._lags = Histogram(
            "kzfeed_poll_lag_seconds", "How much later than planned polls began", buckets=LAGS, registry=registry
        )
        self._new = Counter("kzfeed_new_articles", "New articles", registry=registry)
        self._revised = Counter("kzfeed_revised_articles", "New versions of known articles", registry=registry)
        self._bytes = Counter("kzfeed_document_bytes", "Size of all documents, decoded", registry=registry)
        self._pages = Counter(
            "kzfeed_page_fetches", "Fetched pages of articles by outcome", ["outcome"], registry=registry
        )
        # Not `job`: Prometheus itself gives each series a label of that name.
        self._task_runs = Counter(
            "kzfeed_task_runs", "Runs of the daemon's jobs by result", ["task", "result"], registry=registry
        )
        self._task_ended = Gauge(
            "kzfeed_task_last_run_timestamp_seconds", "When each job last ended", ["task"], registry=registry
        )
        self._network = Gauge(
            "kzfeed_network_up", "Whether visits show that this machine has a connection", registry=registry
        )
        self._network.set(1)
        self.gauges = GaugeCollector()
        registry.register(self.gauges)
        # A rate needs the value before the first event, too.
        for outcome in get_args(PollOutcome):
            self._polls.labels(outcome)
        for kind in get_args(FailureKind):
            self._failures.labels(kind)
        for outcome in get_args(PageOutcome):
            self._pages.labels(outcome)

    def on_poll(self, source: Source, poll: Poll | None) -> None:
        """Count a poll; None if it could not be stored. `source` is the source before the poll."""
        if poll is None:
            self._lost.inc()
            return
        self._polls.labels(poll.outcome).inc()
        self._durations.observe(poll.duration.total_seconds())
        if source.next_poll_at:
            self._lags.observe(max((poll.started_at - source.next_poll_at).total_seconds(), 0))
        self._new.inc(poll.new_articles)
        self._revised.inc(poll.revised_articles)
        self._bytes.inc(poll.body_bytes)
        if poll.flaw:
            self._flaws.inc()
        if poll.error_kind:
            self._failures.labels(poll.error_kind).inc()

    def on_page(self, record: PageRecord) -> None:
        """Count the visit to a page of an article."""
        self._pages.labels(record.outcome).inc()

    def on_job(self, job: str, failed: bool) -> None:
        """Count a run of one of the daemon's jobs."""
        self._task_runs.labels(job, "failed" if failed else "done").inc()
        self._task_ended.labels(job).set(time.time())

    def watch_network(self, is_up: Callable[[], bool]) -> None:
        """Ask this function at each request whether the machine has a connection."""
        self._network.set_function(is_up)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class GaugeCollector(Collector):
    """Collector of gauges of this process, which `read` gives: the name of each, its explanation and its value."""

    def __init__(self) -> None:
        self.read: Callable[[], Mapping[str, tuple[str, float]]] = dict

    def collect(self) -> Iterator[Metric]:
        for name, (help_text, value) in self.read().items():
            yield GaugeMetricFamily(name, help_text, value)


class _DatabaseCollector(Collector):
    """Collector of the figures of the database."""

    def __init__(self, read_figures: Callable[[], Figures]) -> None:
        self._read_figures = read_figures

    def collect(self) -> Iterator[Metric]:
        try:
            figures = self._read_figures()
        except (DatabaseError, OSError):  # TimeoutError is an OSError
            yield GaugeMetricFamily("kzfeed_database_up", "Whether the database answers", 0)
            return
        yield GaugeMetricFamily("kzfeed_database_up", "Whether the database answers", 1)
        sources = GaugeMetricFamily("kzfeed_sources", "Sources by status", labels=["status"])
        for status, number in figures.sources.items():
            sources.add_metric([status], number)
        yield sources
        yield CounterMetricFamily("kzfeed_gaps", "Gaps between windows that were found", figures.gaps)
        for name, (help_text, value) in _gauges(figures).items():
            if value is not None:
                yield GaugeMetricFamily(name, help_text, value)


def _gauges(figures: Figures) -> dict[str, tuple[str, float | None]]:
    return {
        "kzfeed_sources_flawed": ("Polled sources whose last document had a flaw", figures.flawed_sources),
        "kzfeed_sources_without_success": (
            "Failing sources that had no success for two intervals",
            figures.sources_without_success,
        ),
        "kzfeed_sources_due": ("Sources that are due and wait", figures.due_sources),
        "kzfeed_schedule_lag_seconds": ("How long the longest due source has waited", figures.schedule_lag),
        "kzfeed_articles": ("Articles in the database", figures.articles),
        "kzfeed_search_unindexed_articles": ("Articles that a search does not find yet", figures.unindexed_articles),
        "kzfeed_search_lag_seconds": ("How long the first of them has waited", figures.search_lag),
        "kzfeed_database_size_bytes": ("Size of the database", figures.database_bytes),
        "kzfeed_search_index_size_bytes": ("Size of the search index", figures.search_index_bytes),
        "kzfeed_database_free_bytes": ("Space that is left for an SQLite database", figures.free_bytes),
    }
