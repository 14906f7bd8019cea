"""The archive browser over real HTTP, in a thread of the tests."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import uvicorn
from selectolax.lexbor import LexborHTMLParser

from kzfeed.store.engine import Database
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.upkeep import catch_up
from kzfeed.web.app import ANYBODY, ReaderAccess, make_app
from kzfeed.web.archive import open_archive

LONG_ENOUGH = timedelta(minutes=5)
"""For a statement, where the limit is not the point: it counts wall time, of which a busy machine takes much."""


def url_of(database: Database) -> str:
    """The URL of a database as an operator writes it."""
    url = database.engine.url
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)


def index_all(database: Database) -> None:
    """Bring the search index up to date, as a daemon does."""
    with open_index(database) as index:
        catch_up(index)


@contextmanager
def serving(
    database: Database, access: ReaderAccess = ANYBODY, query_time_limit: timedelta = LONG_ENOUGH
) -> Iterator[str]:
    """The address at which the pages of this database are served."""
    with (
        open_archive(url_of(database), query_time_limit) as archive,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        config = uvicorn.Config(
            make_app(archive, access), log_config=None, access_log=False, timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="archive browser")
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def visible(self) -> str:
        """The text that a reader sees of the page, with one space wherever there is space in it."""
        return " ".join(LexborHTMLParser(self.text).body.text(separator=" ").split())  # type: ignore[union-attr]


@dataclass(frozen=True)
class Site:
    """The pages of an archive at an address."""

    database: Database
    address: str

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path. Names of headers are written with `_` for `-`."""
        host = self.address.removeprefix("http://")
        with closing(HTTPConnection(host, timeout=180)) as connection:
            target = quote(path, safe="/?=&%:+.,*")
            connection.request(
                method, target, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
