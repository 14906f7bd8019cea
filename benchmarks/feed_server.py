"""Web server for the feeds of the benchmark, on one port of every loopback address.

It is nginx where that is installed, and otherwise a slower one of our own. The table says which of them served.
`python -m benchmarks.feed_server FOLDER PORT` is one process of our own server.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

OWN_PROCESSES = 2

_NGINX = """
{user}
worker_processes {processes};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  types {{ application/xml xml; }}
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/temp;
  proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/temp;
  uwsgi_temp_path {folder}/temp;
  scgi_temp_path {folder}/temp;
  server {{ listen 0.0.0.0:{port} backlog=4096; root {folder}; }}
}}
"""


@dataclass(frozen=True)
class FeedServer:
    """A running server of the files in `folder`. `name` says which program it is."""

    name: str
    folder: Path
    port: int


def installed_nginx() -> str | None:
    """The path of nginx, if it is installed. The PATH of a user often lacks the folders of servers."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def serving(folder: Path, nginx: str | None) -> Iterator[FeedServer]:
    """Serve this folder, by the given nginx or by a server of our own, for the length of the block."""
    name = "nginx" if nginx else "a server of our own (nginx is not installed)"
    server = FeedServer(name, folder, _free_port())
    processes = [_start_nginx(nginx, server)] if nginx else _start_own(server)
    try:
        _wait_for(server.port)
        yield server
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("0.0.0.0", 0))  # noqa: S104 - it must be free on every loopback address
        return int(found.getsockname()[1])


def _start_nginx(nginx: str, server: FeedServer) -> "subprocess.Popen[bytes]":
    configuration = server.folder / "nginx.conf"
    text = _NGINX.format(
        # Workers started by root run as nobody otherwise, who may not read our folder.
        user="user root;" if os.geteuid() == 0 else "",
        processes=os.cpu_count(),
        folder=server.folder,
        port=server.port,
    )
    configuration.write_text(text)
    options = ["-c", str(configuration), "-p", str(server.folder), "-e", str(server.folder / "nginx.log")]
    return subprocess.Popen([nginx, *options])


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing answers at port {port}")


# --- our own ---------------------------------------------------------------------------------------------------------


def _start_own(server: FeedServer) -> list["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "benchmarks.feed_server", str(server.folder), str(server.port)]
    root = str(Path(__file__).parents[1])
    return [subprocess.Popen(command, cwd=root) for _ in range(OWN_PROCESSES)]


class _Connection(asyncio.Protocol):
    """Server side of one connection: answers each GET from the file that it names."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            request, self._received = self._received[:end], self._received[end + 4 :]
            self._transport.write(self._answer(request))
            if b"\r\nconnection: close" in request.lower():
                self._transport.close()

    def _answer(self, request: bytes) -> bytes:
        first, *lines = request.decode("latin-1").split("\r\n")
        file = Path(self._folder + first.split(" ")[1])
        try:
            status = file.stat()
            etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
            if any(line.lower() == f"if-none-match: {etag}" for line in lines):
                return f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode()
            body = file.read_bytes()
        except OSError:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nETag: {etag}\r\n\r\n"
        )
        return head.encode() + body


async def _serve(folder: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    host = "0.0.0.0"  # noqa: S104 - all loopback addresses
    await loop.create_server(partial(_Connection, folder), host, port, reuse_port=True, backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
