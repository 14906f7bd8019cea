"""A poll as a part of many: where its document is read, the state from which it begins, and what the log says of it."""

import asyncio
import dataclasses
import shlex
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kzfeed import wiring as service
from kzfeed.clock import utc_now
from kzfeed.config.settings import HttpSettings, Settings, SourceSettings
from kzfeed.errors import ClaimExpired
from kzfeed.poll import READING_PLACES
from kzfeed.poll_once import poll_once
from kzfeed.sandbox.pool import COMMAND, Workers
from kzfeed.store import sources
from kzfeed.store.engine import Database
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import Page, RecordedRequest, RecordingServer, Reply, recording

HOSTS = [f"127.0.7.{number}" for number in range(1, 13)]


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording(HOSTS) as recorder:
        yield recorder


def settings_for(urls: dict[str, str]) -> Settings:
    feeds = tuple(SourceSettings(name=name, url=url) for name, url in urls.items())
    return Settings(http=HttpSettings(host_gap=timedelta()), sources=feeds)


def workers_started(
    sqlite_database: Database, urls: dict[str, str], folder: Path, reading_places: int = READING_PLACES
) -> int:
    """How many worker processes it takes to poll all of these at once."""
    started = folder / "started"
    started.touch()
    note = f'echo >> {shlex.quote(str(started))}; exec "$0" "$@"'
    settings = settings_for(urls)

    async def poll() -> list[str]:
        sources.configure(sqlite_database, settings.source_configs(), utc_now())
        async with (
            service.open_poller(settings, sqlite_database) as poller,
            Workers(timeout=timedelta(seconds=10), memory=2**29, command=("sh", "-c", note, *COMMAND)) as workers,
        ):
            ours = dataclasses.replace(poller, workers=workers, reading_places=asyncio.Semaphore(reading_places))
            return [poll.outcome for poll in await asyncio.gather(*map(ours.poll, sources.load(sqlite_database)))]

    # All of them carry one article, which is new once.
    assert sorted(asyncio.run(poll())) == ["new", *["unchanged"] * (len(urls) - 1)]
    return len(started.read_text().splitlines())


def twelve_feeds(server: RecordingServer) -> dict[str, str]:
    pages = [server.page("/feed", Reply(200, [], rss()), host=host) for host in HOSTS]
    return {f"s{number}": page.url for number, page in enumerate(pages)}


def test_a_few_harmless_documents_need_no_worker(
    sqlite_database: Database, server: RecordingServer, tmp_path: Path
) -> None:
    assert workers_started(sqlite_database, twelve_feeds(server), tmp_path) == 0


@pytest.mark.slow
def test_documents_that_come_in_a_crowd_are_read_by_the_workers(
    sqlite_database: Database, server: RecordingServer, tmp_path: Path
) -> None:
    # Twelve are a crowd where one may wait.
    assert workers_started(sqlite_database, twelve_feeds(server), tmp_path, reading_places=1) >= 1


def two_sources(server: RecordingServer, folder: Path, *, changed: str) -> tuple[Settings, Page]:
    """Settings with the sources a and b of one host, and the page of b. The poll of a sets these values of b."""

    def change(_: RecordedRequest) -> Reply:
        with closing(sqlite3.connect(folder / "kzfeed.db")) as beside:
            beside.execute(f"UPDATE sources SET {changed} WHERE name = 'b'")
            beside.commit()
        return Reply(200, [], rss())

    first = server.page("/1", change, host=HOSTS[0])
    second = server.page("/2", Reply(200, [], rss()), host=HOSTS[0])
    return settings_for({"a": first.url, "b": second.url}), second


def test_a_poll_by_hand_looks_at_a_source_when_its_turn_comes(
    sqlite_database: Database, server: RecordingServer, tmp_path: Path
) -> None:
    settings, second = two_sources(server, tmp_path, changed="not_before = '2999-01-01 00:00:00.000'")

    reports = asyncio.run(poll_once(settings, sqlite_database, [], force=False))

    assert [report.outcome for report in reports] == ["new", "skipped"]
    assert second.seen == []
    reports = asyncio.run(poll_once(settings, sqlite_database, [], force=True))
    assert reports[1].outcome in ("new", "unchanged")


def test_a_source_that_is_switched_off_before_its_turn_is_not_visited_even_by_force(
    sqlite_database: Database, server: RecordingServer, tmp_path: Path
) -> None:
    settings, second = two_sources(server, tmp_path, changed="enabled = 0")

    reports = asyncio.run(poll_once(settings, sqlite_database, [], force=True))

    assert [report.outcome for report in reports] == ["new", "skipped"]
    assert second.seen == []


def test_the_first_failure_of_a_source_is_a_warning_also_after_an_outage_of_our_own(
    sqlite_database: Database, server: RecordingServer
) -> None:
    page = server.page("/feed", Reply(503, [], b""), host=HOSTS[0])
    settings = settings_for({"a": page.url.replace(HOSTS[0], "a.test")})
    answers: Iterator[list[str] | None] = iter([None, None, [HOSTS[0]], [HOSTS[0]], None])

    def lookup(_: str, __: int) -> list[str]:
        answer = next(answers)
        if answer is None:
            raise socket.gaierror(socket.EAI_AGAIN, "no resolver answers")
        return answer

    async def poll() -> None:
        sources.configure(sqlite_database, settings.source_configs(), utc_now())
        async with service.open_poller(settings, sqlite_database, lookup=lookup) as poller:
            for _ in range(5):
                await poller.poll(sources.load(sqlite_database)[0])

    with capture_logs() as logs:
        asyncio.run(poll())

    said = [(each["log_level"], each["error_kind"], each["failures"]) for each in logs if each["event"] == "poll"]
    assert said == [
        ("info", "offline", 0),
        ("debug", "offline", 0),
        ("warning", "http-status", 1),
        ("debug", "http-status", 2),
        ("debug", "offline", 2),
    ]


@pytest.mark.parametrize(
    ("status", "headers", "stored"),
    [(200, [], True), (404, [], False), (302, [("Location", "/moved")], False)],
)
def test_a_poll_whose_claim_has_expired_asks_nothing_more_and_stores_articles_only(
    sqlite_database: Database,
    server: RecordingServer,
    status: int,
    headers: list[tuple[str, str]],
    stored: bool,
) -> None:
    page = server.page("/feed", Reply(status, headers, rss()), host=HOSTS[0])
    moved = server.page("/moved", Reply(200, [], rss()), host=HOSTS[0])
    settings = settings_for({"slow": page.url})

    async def poll() -> bool:
        sources.configure(sqlite_database, settings.source_configs(), utc_now())
        (source,) = sources.load(sqlite_database)
        async with service.open_poller(settings, sqlite_database) as poller:
            try:
                await poller.poll(source, is_claimed=lambda: not page.seen)
            except ClaimExpired:
                return False
            return True

    assert asyncio.run(poll()) is stored
    assert len(page.seen) == 1
    assert moved.seen == []
    (source,) = sources.load(sqlite_database)
    assert (source.last_polled_at is not None) is stored
