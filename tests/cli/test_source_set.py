"""Which sources a database has after `kzfeed poll`: it adds those of its file and removes none."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kzfeed.model.polls import SourceConfig
from kzfeed.store import sources
from kzfeed.store.engine import Database
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import RecordingServer, Reply, recording
from tests.fork_server import clean_environment, fork_server

HOSTS = ["127.0.15.1", "127.0.15.2"]

Poll = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording(HOSTS) as recorder:
        for host in HOSTS:
            recorder.page("/feed", Reply(200, body=rss()), host=host)
        yield recorder


@pytest.fixture
def poll(tmp_path: Path) -> Poll:
    """Runs `kzfeed poll` beside a kzfeed.toml with this text, or without a file."""

    def run(*names: str, file: str | None) -> "subprocess.CompletedProcess[str]":
        if file is not None:
            (tmp_path / "kzfeed.toml").write_text(f'[http]\nhost_gap = "0s"\n{file}')
        return fork_server().run(["poll", *names], tmp_path, clean_environment())

    return run


def table(name: str, url: str) -> str:
    return f'[[sources]]\nname = "{name}"\nurl = "{url}"\n'


def stored(sqlite_database: Database) -> dict[str, str]:
    return {source.name: source.status for source in sources.load(sqlite_database)}


def test_without_a_file_the_sources_of_the_database_are_polled_and_stay(
    poll: Poll, server: RecordingServer, sqlite_database: Database
) -> None:
    sources.configure(sqlite_database, [SourceConfig("mine", server.page(host=HOSTS[0]).url)], datetime.now(UTC))

    done = poll(file=None)

    assert (done.returncode, stored(sqlite_database)) == (0, {"mine": "active"}), done.stderr
    assert [request.host for request in server.seen] == HOSTS[:1]


def test_a_file_with_other_sources_adds_them_polls_them_and_removes_none(
    poll: Poll, server: RecordingServer, sqlite_database: Database
) -> None:
    sources.configure(sqlite_database, [SourceConfig("mine", server.page(host=HOSTS[0]).url)], datetime.now(UTC))

    done = poll(file=table("other", server.page(host=HOSTS[1]).url))

    assert (done.returncode, stored(sqlite_database)) == (0, {"mine": "active", "other": "active"}), done.stderr
    assert [request.host for request in server.seen] == HOSTS[1:]


def test_a_file_without_sources_polls_those_of_the_database_and_brings_no_built_in_ones(
    poll: Poll, server: RecordingServer, sqlite_database: Database
) -> None:
    assert (poll(file="").returncode, stored(sqlite_database)) == (0, {})

    sources.configure(sqlite_database, [SourceConfig("mine", server.page(host=HOSTS[0]).url)], datetime.now(UTC))

    assert (poll(file="").returncode, stored(sqlite_database)) == (0, {"mine": "active"})
    assert (poll("mine", file="").returncode, poll("voa", file="").returncode) == (0, 2)


def test_a_new_database_without_a_file_gets_the_built_in_sources(poll: Poll, sqlite_database: Database) -> None:
    assert poll("nothing", file=None).returncode == 2
    assert stored(sqlite_database) == {"bbc": "active", "rfi": "active", "voa": "active"}
