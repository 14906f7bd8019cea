"""The server of the feeds: a folder in, two ports on all of 127/8 out, one with validators and one without.

It is nginx where that is installed, else a plain server of our own in processes of its own, which is slower: the table
says which. `python -m benchmarks.servers FOLDER PORT PORT` is one process of that.
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
  server {{ listen 0.0.0.0:{with_validators} backlog=4096; root {folder}/now; }}
  server {{
    listen 0.0.0.0:{without} backlog=4096;
    root {folder}/now;
    etag off;
    if_modified_since off;
    add_header Last-Modified "";
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """Serves one version of the feeds at a time, with validators at the port `validating`, without at `silent`."""

    name: str
    folder: Path
    validating: int
    silent: int

    def show(self, version: str) -> None:
        """From now on, the feeds are those of this version."""
        fresh = self.folder / "next"
        fresh.symlink_to(version)
        fresh.replace(self.folder / "now")


def installed_nginx() -> str | None:
    """Where nginx is, if it is; a user's PATH often lacks the folder of servers."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def serving(folder: Path, nginx: str | None) -> Iterator[Server]:
    """Serve the folders of versions that are in `folder`, by this nginx or, without one, by a server of our own."""
    validating, silent = _free_ports()
    server = Server("nginx" if nginx else "a server of our own (nginx is not installed)", folder, validating, silent)
    server.show("before")
    processes = _start_nginx(nginx, server) if nginx else _start_own(server)
    try:
        for port in (validating, silent):
            _wait_for(port)
        yield server
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("0.0.0.0", 0))  # noqa: S104 - every address of 127/8 must do, and no more is served than noise
        return first.getsockname()[1], second.getsockname()[1]


def _start_nginx(nginx: str, server: Server) -> list["subprocess.Popen[bytes]"]:
    configuration = server.folder / "nginx.conf"
    text = _NGINX.format(
        # Its workers would else be nobody, who may not read our folder.
        user="user root;" if os.geteuid() == 0 else "",
        processes=os.cpu_count(),
        folder=server.folder,
        with_validators=server.validating,
        without=server.silent,
    )
    configuration.write_text(text)
    options = ["-c", str(configuration), "-p", str(server.folder), "-e", str(server.folder / "nginx.log")]
    return [subprocess.Popen([nginx, *options])]


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing answers at port {port}")


# --- our own ---------------------------------------------------------------------------------------------------------


def _start_own(server: Server) -> list["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "benchmarks.servers", str(server.folder)]
    root = str(Path(__file__).parents[1])
    return [
        subprocess.Popen([*command, str(server.validating), str(server.silent)], cwd=root) for _ in range(OWN_PROCESSES)
    ]


class _Conversation(asyncio.Protocol):
    """One connection: GETs one after the other, each answered at once from the file."""

    def __init__(self, folder: str, *, validating: bool) -> None:
        self._folder = folder
        self._validating = validating
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while (end := self._heard.find(b"\r\n\r\n")) >= 0:
            request, self._heard = self._heard[:end], self._heard[end + 4 :]
            self._transport.writelines(self._answer(request))

    def _answer(self, request: bytes) -> list[bytes]:
        first, *lines = request.decode("latin-1").split("\r\n")
        try:
            with open(self._folder + first.split(" ")[1], "rb") as file:  # noqa: PTH123 - this is its whole work
                status = os.fstat(file.fileno())
                etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
                if self._validating and any(line.lower() == f"if-none-match: {etag}" for line in lines):
                    return [f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode()]
                body = file.read()
        except OSError:
            return [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
        if self._validating:
            head += f"ETag: {etag}\r\n"
        return [f"{head}\r\n".encode(), body]


async def _serve(folder: str, validating: int, silent: int) -> None:
    loop = asyncio.get_running_loop()
    for port, vouches in ((validating, True), (silent, False)):
        conversation = partial(_Conversation, f"{folder}/now", validating=vouches)
        host = "0.0.0.0"  # noqa: S104 - as above
        await loop.create_server(conversation, host, port, reuse_port=True, backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
