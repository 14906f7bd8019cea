"""HTTP server for monitors. It answers a few fixed paths in threads of its own, also when the event loop is stuck.

It answers GET and HEAD, one request a connection, and bounds the number of connections and the time of each.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

import structlog

from kzfeed.errors import ListenError
from kzfeed.hosts import SocketAddress

MAX_CONNECTIONS = 16
MAX_CONNECTION_TIME = timedelta(seconds=10)
CHECK_S = 0.2
"""The time between two looks at the open connections, and at whether the server must end."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Responses = Mapping[str, Callable[[], Response]]
"""What answers a request, by path."""


@contextmanager
def answering(
    address: SocketAddress, answers: Responses, *, longest: timedelta = MAX_CONNECTION_TIME
) -> Iterator[None]:
    """Answer requests for the length of the block; no connection lasts longer than `longest`.

    Raises ListenError if the address cannot be used.
    """
    shown = str(address) if isinstance(address, Path) else "{}:{}".format(*address)
    try:
        server = _Server(address, answers, longest)
    except OSError as error:
        raise ListenError(f"cannot listen on {shown}: {error.strerror}: give server.listen another address") from error
    thread = threading.Thread(target=server.serve_forever, args=[CHECK_S], name="monitors", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        if isinstance(address, Path):
            address.unlink(missing_ok=True)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: "_Server"

    def do_GET(self) -> None:
        answer = self.server.answers.get(_path_of(self.path), _not_found)()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def version_string(self) -> str:
        return "kzfeed"

    def log_message(self, *_: Any) -> None:
        """Log nothing: monitors ask every few seconds."""


class _Server(ThreadingTCPServer):
    """The server; its threads end with the process."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 2 * MAX_CONNECTIONS

    def __init__(self, address: SocketAddress, answers: Responses, longest: timedelta) -> None:
        self.answers = answers
        self._longest = longest.total_seconds()
        self._began: dict[Any, float] = {}
        """When each open connection began, by the monotonic clock."""
        where: Any
        if isinstance(address, Path):
            _remove_abandoned(address)
            self.address_family, where = socket.AF_UNIX, str(address)
        else:
            self.address_family, *_, where = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        super().__init__(where, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._began) >= MAX_CONNECTIONS:
            self.shutdown_request(request)
            return
        self._began[request] = time.monotonic()
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._began.pop(request, None)
        super().close_request(request)

    def service_actions(self) -> None:
        """End connections that last too long; the library calls this every CHECK_S."""
        latest = time.monotonic() - self._longest
        for request, began in list(self._began.items()):
            if began < latest:
                with suppress(OSError):  # it has ended meanwhile
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a monitor may go away before it has its answer
            log.exception("internal error, monitor not answered")


def _path_of(target: str) -> str:
    """The path of a request target (RFC 9112 §3.2); empty if the target is not a URL."""
    try:
        return urlsplit(target).path
    except ValueError:
        return ""


def _not_found() -> Response:
    return Response(HTTPStatus.NOT_FOUND, b"not found\n")


def _remove_abandoned(path: Path) -> None:
    """Remove a socket on which nobody listens: the process that made it was killed."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
