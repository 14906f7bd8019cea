"""The job that polls due sources: when it asks to be run again before its next regular run."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from kzfeed.clock import utc_now
from kzfeed.config.settings import HttpSettings, Settings, SourceSettings
from kzfeed.jobs.polls import CLAIM_PAUSE, REGULAR_CLAIMS, PollJob
from kzfeed.jobs.work_queue import WorkQueue
from kzfeed.model.polls import Source
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.wiring import open_poller
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import RecordingServer, Reply, recording

HOSTS = ["127.0.13.1", "127.0.13.2"]


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording(HOSTS) as recorder:
        yield recorder


def asked_for(database: Database, server: RecordingServer, *, slots: int, delay: timedelta) -> list[timedelta]:
    """Within which times the job asks to be run again, from its first run to the end of the polls that this began."""
    pages = [server.page("/feed", Reply(200, [], rss()), host=host) for host in HOSTS]
    feeds = tuple(SourceSettings(name=f"s{number}", url=page.url) for number, page in enumerate(pages))
    settings = Settings(http=HttpSettings(host_gap=delay), sources=feeds)
    asked: list[timedelta] = []

    async def run() -> None:
        sources.configure(database, settings.source_configs(), utc_now())
        async with open_poller(settings, database) as poller:
            ended: asyncio.Queue[Source] = asyncio.Queue()
            job = PollJob(poller, WorkQueue(poller), slots, lambda source, _: ended.put_nowait(source), asked.append)
            await job.run()
            for _ in range(job.under_way):
                await ended.get()

    asyncio.run(run())
    return asked


def test_no_claim_follows_polls_when_nothing_more_is_due(sqlite_database: Database, server: RecordingServer) -> None:
    assert asked_for(sqlite_database, server, slots=10, delay=REGULAR_CLAIMS) == []


def test_free_slots_are_filled_at_once_when_no_poll_is_under_way_and_more_may_be_due(
    sqlite_database: Database, server: RecordingServer
) -> None:
    assert asked_for(sqlite_database, server, slots=1, delay=REGULAR_CLAIMS) == [timedelta()]


def test_a_free_slot_is_filled_soon_when_more_may_be_due(sqlite_database: Database, server: RecordingServer) -> None:
    assert asked_for(sqlite_database, server, slots=2, delay=REGULAR_CLAIMS) == [CLAIM_PAUSE, timedelta()]


def test_a_host_that_may_be_visited_again_at_once_does_not_wait_for_the_regular_claim(
    sqlite_database: Database, server: RecordingServer
) -> None:
    assert asked_for(sqlite_database, server, slots=10, delay=timedelta()) == [CLAIM_PAUSE, timedelta()]
