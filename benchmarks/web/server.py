"""`kzfeed web` as a process of its own, asked for pages one at a time."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import psycopg

from benchmarks.measure import Broken

CLIENT = "kzfeed-benchmark"
ATTEMPTS = 10
"""How often a page is asked for that takes too long. A busy machine may give the server no time for seconds."""


@dataclass(frozen=True)
class Asked:
    """The cost of one page in milliseconds, and its size in bytes."""

    wall_ms: float
    cpu_ms: float
    size: int


@dataclass(frozen=True)
class Server:
    """The process, its port, and the URL of its database on PostgreSQL."""

    process: "subprocess.Popen[bytes]"
    port: int
    connection: HTTPConnection
    postgresql: str | None
    cpu_seconds: dict[int, float] = field(default_factory=dict)
    """CPU seconds by process, as last seen."""
    late: list[str] = field(default_factory=list)
    """The paths of answers that the server gave up after its 2 s, and asked the client to come back for."""

    def ask(self, path: str) -> Asked:
        """Ask for a page, again where the server says that it took too long. Raises Broken if it is not 200."""
        for _ in range(ATTEMPTS):
            if asked := self._ask_once(path):
                return asked
        raise Broken(f"{path}: took too long {ATTEMPTS} times")

    def _ask_once(self, path: str) -> Asked | None:
        before, began = self._cpu(), time.perf_counter()
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        body = response.read()
        wall = time.perf_counter() - began
        if response.status == 503 and (wait := response.headers["Retry-After"]):
            self.late.append(path)
            time.sleep(float(wait))
            return None
        if response.status != 200:
            raise Broken(f"{path}: {response.status} {body.decode()[:2000]}")
        return Asked(wall * 1000, (self._cpu() - before) * 1000, len(body))

    def _cpu(self) -> float:
        """CPU seconds of the process, and of those of PostgreSQL that serve or served it."""
        for each in (self.process.pid, *self._backends()):
            with suppress(OSError):  # it ended meanwhile
                self.cpu_seconds[each] = _cpu_seconds(each)
        return sum(self.cpu_seconds.values())

    def _backends(self) -> Sequence[int]:
        if self.postgresql is None:
            return ()
        with psycopg.connect(self.postgresql) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            return [int(row[0]) for row in connection.execute(query)]

    def peak_mb(self) -> float:
        """The most memory that the process has taken (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def _cpu_seconds(process: int) -> float:
    # The clock of another process's CPU time, as clock_getcpuclockid(3) makes its number on Linux.
    return time.clock_gettime(~process << 3 | 2)


@contextmanager
def serving(url: str, folder: Path) -> Iterator[Server]:
    """`kzfeed web` for this database, for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "kzfeed", "--database", url, "web", "--listen", f"127.0.0.1:{port}"]
    root = str(Path(__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KZFEED_")}
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment | {"PYTHONPATH": root}, stdout=log, stderr=log)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(ConnectionError):
                connection.connect()
                break
            time.sleep(0.05)
        else:
            raise Broken((folder / "web.log").read_text())
        yield Server(process, port, connection, url if url.startswith("postgresql") else None)
    finally:
        connection.close()
        process.terminate()
        process.wait()
