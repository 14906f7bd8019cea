"""A man in the middle of PostgreSQL: counts connections, and loses what is said around a COMMIT."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

import sqlalchemy as sa

COMMIT = b"COMMIT\x00"

Loss = Literal["the request", "the answer"] | None


@dataclass
class PostgreSQLProxy:
    """Listens on 127.0.0.1 for the server with this URL. `lose` says for each COMMIT what is lost of it."""

    server: str
    lose: Callable[[], Loss] = lambda: None
    connected_at: list[float] = field(default_factory=list)
    """When each connection was asked for (monotonic), also those that the server did not take."""
    lost: list[Loss] = field(default_factory=list)

    def url(self, database: str | None = None) -> str:
        """The URL of a database of the server, by way of this proxy."""
        url = sa.make_url(self.server)
        host, port = self._listening.getsockname()
        # libpq would connect twice to find out whether the server has TLS.
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        new = sa.URL.create("postgresql", "postgres", host=host, port=port, database=database or url.database)
        return new.update_query_dict(plain).render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connected_at.append(time.monotonic())
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        folder = str(sa.make_url(self.server).query["host"])
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(f"{folder}/.s.PGSQL.5432")
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            while words := client.recv(65536):
                loss = self.lose() if COMMIT in words else None
                if loss:
                    self.lost.append(loss)
                if loss == "the answer":
                    # Nobody listens to the client's side any more, so this is the last that is heard of it.
                    with suppress(OSError):
                        client.shutdown(socket.SHUT_RDWR)
                if loss != "the request":
                    server.sendall(words)
                if loss:
                    time.sleep(0.05)  # so that the server has carried the COMMIT out before it is hung up on
                    break
            for end in (server, client):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while words := server.recv(65536):
                client.sendall(words)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
