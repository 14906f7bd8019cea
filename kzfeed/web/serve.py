"""Server of the archive browser: a socket of our own, on which uvicorn answers until SIGTERM or SIGINT."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from kzfeed.errors import ListenError
from kzfeed.hosts import SocketAddress

DEFAULT: SocketAddress = ("127.0.0.1", 8087)
MAX_CONNECTIONS = 200
BACKLOG = 64
KEEP_ALIVE_S = 10
LAST_REQUESTS_S = 5
"""How long requests may still take after a signal to stop."""
NICENESS = 15
"""How much the process yields to others of its machine (nice(2)): polls are more urgent than pages."""

log = structlog.get_logger()


def serve(app: ASGIApp, address: SocketAddress, *, behind_proxy: bool) -> None:
    """Answer requests until a signal. With `behind_proxy`, headers of a proxy name the client and https.

    Raises ListenError if the address cannot be used.
    """
    # uvicorn raises the signal again when it has stopped: the block must still end, which removes the socket's file.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    os.nice(NICENESS)
    with _listening(address) as listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # no log says who reads what
            server_header=False,
            proxy_headers=behind_proxy,
            forwarded_allow_ips="*" if behind_proxy else None,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LAST_REQUESTS_S,
        )
        log.info("archive browser listens", address=shown(address, listener))
        uvicorn.Server(config).run(sockets=[listener])


def _exit(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def shown(address: SocketAddress, listener: socket.socket) -> str:
    """The address as a person gives it to a browser or a proxy."""
    if isinstance(address, Path):
        return f"unix:{address}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def _listening(address: SocketAddress) -> Iterator[socket.socket]:
    try:
        listener = _socket_file(address) if isinstance(address, Path) else _port(*address)
    except OSError as error:
        name = str(address) if isinstance(address, Path) else "{}:{}".format(*address)
        raise ListenError(f"cannot listen on {name}: {error.strerror}: give --listen another address") from error
    try:
        with listener:
            yield listener
    finally:
        if isinstance(address, Path):
            address.unlink(missing_ok=True)


def _port(host: str, port: int) -> socket.socket:
    family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. Without it, the end of each page waits until its beginning is acknowledged: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _bound(listener, where)


def _socket_file(path: Path) -> socket.socket:
    if path.is_socket():
        # Nobody listens on the socket of a process that was killed.
        with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
            probe.connect(os.fspath(path))
            raise OSError(None, "another process listens there")
        path.unlink()
    return _bound(socket.socket(socket.AF_UNIX), os.fspath(path))


def _bound(listener: socket.socket, where: Any) -> socket.socket:
    try:
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
