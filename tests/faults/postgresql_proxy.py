"""TCP proxy in front of PostgreSQL that counts connections and can lose a COMMIT or the answer to it."""

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
    """Proxy on 127.0.0.1 for the server with this URL. `lose` decides for each COMMIT what is lost."""

    server: str
    lose: Callable[[], Loss] = lambda: None
    connected_at: list[float] = field(default_factory=list)
    """Monotonic time of each connection, including those that the server refused."""
    lost: list[Loss] = field(default_factory=list)

    def url(self, database: str | None = None) -> str:
        """The URL of a database behind this proxy."""
        url = sa.make_url(self.server)
        host, port = self._listening.getsockname()
        # Without these, libpq connects twice to find out whether the server has TLS.
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
            while data := client.recv(65536):
                loss = self.lose() if COMMIT in data else None
                if loss:
                    self.lost.append(loss)
                if loss == "the answer":
                    # The client must not receive the answer, so its side is closed first.
                    with suppress(OSError):
                        client.shutdown(socket.SHUT_RDWR)
                if loss != "the request":
                    server.sendall(data)
                if loss:
                    time.sleep(0.05)  # until the server has executed the COMMIT
                    break
            for end in (server, client):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
