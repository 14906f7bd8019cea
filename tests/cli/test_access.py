"""Credentials of a source: they are sent to its server, read again at a reload, and stored and shown nowhere."""

import base64
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.store.engine import Database
from tests.etiquette.recording_server import RecordedRequest, RecordingServer, Reply, recording
from tests.faults.processes import Running
from tests.fork_server import clean_environment, fork_server

FEED = (
    b'<rss version="2.0"><channel><title>t</title><link>https://e.example/</link><description/>'
    b"<item><title>t</title><link>https://e.example/1</link></item></channel></rss>"
)
HTTP = """[http]
host_gap = "0s"
min_interval = "0s"
[log]
level = "debug"
"""
SOURCE = """[[sources]]
name = "{name}"
url = "{url}"
every = "100ms"
{more}
"""


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording(["127.0.0.1", "127.0.0.2"]) as recorder:
        yield recorder


def wants(name: str, value: Callable[[], str]) -> Callable[[RecordedRequest], Reply]:
    """Answers with the feed to requests with this header, and with 401 to all others."""
    return lambda request: Reply(200, [], FEED) if request.header(name) == value().encode() else Reply(401)


def everything(database: Database) -> str:
    """All rows of all tables, as text."""
    with database.read() as connection:
        names = sa.inspect(connection).get_table_names()
        rows = [connection.execute(sa.text(f"SELECT * FROM {name}")).all() for name in names]
    return repr(rows)


BASIC = "Basic " + base64.b64encode(b"me:s3cret").decode()
CREDENTIALS = {
    "login": ('basic_auth = { file = "login" }', "authorization", BASIC),
    "token": ('bearer = { env = "CREDENTIAL" }', "authorization", "Bearer t0ken"),
    "key": ('headers = { X-Api-Key = { env = "CREDENTIAL" } }', "x-api-key", "t0ken"),
    "agent": ('user_agent = "Special/1.0"', "user-agent", "Special/1.0"),
    # A password in the URL.
    "url": ("", "authorization", BASIC),
}
"""The settings of sources by their names, and the header that each of them sends."""


@pytest.mark.slow
def test_what_sources_send_is_neither_stored_nor_exported_nor_logged(
    tmp_path: Path, database: Database, database_url: str, server: RecordingServer
) -> None:
    (tmp_path / "login").write_text("me:s3cret\n")
    text = ""
    for name, (more, header, sent) in CREDENTIALS.items():
        url = server.page(f"/{name}", wants(header, partial(str, sent))).url
        text += SOURCE.format(name=name, url=url if more else url.replace("://", "://me:s3cret@"), more=more)
    (tmp_path / "kzfeed.toml").write_text(HTTP + text)
    environment = clean_environment(KZFEED_DATABASE_URL=database_url, CREDENTIAL="t0ken")

    printed = ""
    for command in (
        ["poll"],
        *(["explain", name] for name in CREDENTIALS),
        ["sources", "list", "--json"],
        *(["sources", "check", f"http://127.0.0.1:{server.port}/{name}"] for name in CREDENTIALS),
        ["export", "all.jsonl"],
    ):
        done = fork_server().run(command, tmp_path, environment)
        assert done.returncode == 0, done.stderr
        printed += done.stdout + done.stderr

    printed += everything(database) + (tmp_path / "all.jsonl").read_text()
    assert not [word for word in ("s3cret", "t0ken", BASIC.split()[1]) if word in printed]


def test_credentials_do_not_follow_a_redirect_to_another_server(tmp_path: Path, server: RecordingServer) -> None:
    away = server.page("/away", Reply(200, [], FEED), host="127.0.0.2")
    page = server.page("/feed", Reply(302, [("Location", away.url)]))
    (tmp_path / "login").write_text("me:s3cret")
    more = 'basic_auth = { file = "login" }\nheaders = { X-Api-Key = "s3cret" }'
    (tmp_path / "kzfeed.toml").write_text(HTTP + SOURCE.format(name="s", url=page.url, more=more))

    fork_server().run(["poll"], tmp_path, clean_environment())

    assert page.seen[0].header("authorization")
    assert page.seen[0].header("x-api-key")
    assert [request for request in away.seen if b"s3cret" in request.head or request.header("authorization")] == []


def test_a_secret_that_is_missing_ends_the_command_with_2_and_its_place(tmp_path: Path) -> None:
    (tmp_path / "kzfeed.toml").write_text(
        HTTP + SOURCE.format(name="s", url="http://127.0.0.1:9/", more='bearer = { file = "token" }')
    )

    done = fork_server().run(["poll"], tmp_path, clean_environment())

    assert done.returncode == 2
    assert "sources.s.bearer = …: expected a secret in the file" in done.stderr


def test_a_reload_takes_a_changed_secret_and_keeps_the_old_one_where_it_is_missing(
    tmp_path: Path, sqlite_database: Database, server: RecordingServer
) -> None:
    wanted = "Bearer t0ken-1"
    page = server.page("/feed", wants("authorization", lambda: wanted))
    token = tmp_path / "token"
    token.write_text("t0ken-1")
    (tmp_path / "kzfeed.toml").write_text(
        HTTP + SOURCE.format(name="s", url=page.url, more='bearer = { file = "token" }')
    )
    with Running(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run") as daemon:
        daemon.wait_for("poll", outcome="new")

        token.unlink()
        number = len(daemon.events)
        daemon.process.send_signal(signal.SIGHUP)
        number = daemon.wait_for("configuration refused, the previous one stays in force", after=number)
        daemon.wait_for("poll", after=number, outcome="unchanged")

        token.write_text("t0ken-2")
        wanted = "Bearer t0ken-2"
        number = len(daemon.events)
        daemon.process.send_signal(signal.SIGHUP)
        number = daemon.wait_for("configuration reloaded", after=number)
        daemon.wait_for("poll", after=number, outcome="unchanged")
        assert daemon.stop() == 0
    assert "t0ken" not in str(daemon.events)
    assert {request.header("authorization") for request in page.seen} == {b"Bearer t0ken-1", b"Bearer t0ken-2"}
