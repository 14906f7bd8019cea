"""Passwords in the URLs of feeds: they are sent to the feed's server, and stored nowhere."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
import sqlalchemy as sa

from kzfeed.store.engine import Database
from tests.fork_server import clean_environment, fork_server

pytestmark = pytest.mark.slow

FEED = (
    b'<rss version="2.0"><channel><title>t</title><link>https://e.example/</link><description/>'
    b"<item><title>t</title><link>https://e.example/1</link></item></channel></rss>"
)
EXPECTED = "Basic " + base64.b64encode(b"me:s3c@ret").decode()


class _Protected(BaseHTTPRequestHandler):
    requests: ClassVar[list[tuple[str, int]]] = []

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != EXPECTED:
            status = 401
        elif self.path == "/old":
            status = 301
        else:
            status = 304 if self.headers.get("If-None-Match") == '"1"' else 200
        self.requests.append((self.path, status))
        self.send_response(status)
        self.send_header("ETag", '"1"')
        if status == 301:
            self.send_header("Location", "/new")
        self.send_header("Content-Length", str(len(FEED) if status == 200 else 0))
        self.end_headers()
        if status == 200:
            self.wfile.write(FEED)

    def log_message(self, *_: object) -> None:
        """Write nothing between the output of the tests."""


@pytest.fixture
def server() -> Iterator[str]:
    """The host and port of a server that wants a password."""
    _Protected.requests.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Protected) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def poll(folder: Path, database_url: str, url: str) -> str:
    """Poll a source of this URL; its outcome."""
    (folder / "kzfeed.toml").write_text(
        f'[http]\nhost_gap = "0s"\nmin_interval = "0s"\n[[sources]]\nname = "s"\nurl = "{url}"\n'
    )
    done = fork_server().run(["poll", "--json"], folder, clean_environment(KZFEED_DATABASE_URL=database_url))
    assert "s3c" not in done.stdout + done.stderr
    return str(json.loads(done.stdout)[0]["outcome"])


def stored(database_url: str) -> str:
    """Everything that the tables hold about sources and polls, as text."""
    database = Database(database_url)
    with database.read() as connection:
        tables = ("sources", "source_addresses", "polls", "hosts", "articles")
        rows = [connection.execute(sa.text(f"SELECT * FROM {table}")).all() for table in tables]
    database.close()
    return repr(rows)


def test_a_password_is_sent_and_not_stored(tmp_path: Path, database_url: str, server: str) -> None:
    url = f"http://me:s3c%40ret@{server}/feed"

    assert [poll(tmp_path, database_url, url) for _ in range(2)] == ["new", "not-modified"]
    assert _Protected.requests == [("/feed", 200), ("/feed", 304)]
    assert "s3c" not in stored(database_url)
    if database_url.startswith("sqlite"):
        assert not any(b"s3c" in file.read_bytes() for file in tmp_path.glob("kzfeed.db*"))


def test_a_permanent_redirect_does_not_store_it_either(tmp_path: Path, database_url: str, server: str) -> None:
    assert poll(tmp_path, database_url, f"http://me:s3c%40ret@{server}/old") == "new"

    assert _Protected.requests == [("/old", 301), ("/new", 200)]
    assert f"http://{server}/new" in stored(database_url)
    assert "s3c" not in stored(database_url)


def test_passwords_of_earlier_versions_are_removed_and_the_source_stays_the_same(
    tmp_path: Path, database_url: str, server: str
) -> None:
    url = f"http://me:s3c%40ret@{server}/feed"
    poll(tmp_path, database_url, url)
    database = Database(database_url)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE sources SET url = :url, configured_url = :url"), {"url": url})
        connection.execute(sa.text("UPDATE source_addresses SET url = :url"), {"url": url})
    database.close()

    assert poll(tmp_path, database_url, url) == "not-modified"
    assert "s3c" not in stored(database_url)


def test_a_changed_password_is_no_new_address(tmp_path: Path, database_url: str, server: str) -> None:
    outcomes = [poll(tmp_path, database_url, f"http://me:{word}@{server}/feed") for word in ("wrong", "s3c%40ret")]

    assert outcomes == ["failed", "new"]
    assert stored(database_url).count("configured") == 1
