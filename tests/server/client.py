"""A monitor: asks for health and metrics on a Unix socket or a port, and reads what it is told."""

import http.client
import socket
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Told:
    """An answer: status, header fields by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: str

    def value(self, name: str, **labels: str) -> float:
        """The value of the one series with this name and these labels."""
        found = [each.value for each in self.samples() if each.name == name and each.labels == labels]
        assert len(found) == 1, (name, labels, found)
        return found[0]

    def samples(self) -> list["Sample"]:
        families = text_string_to_metric_families(self.body)
        return [Sample(each.name, each.labels, each.value) for family in families for each in family.samples]


@dataclass(frozen=True)
class Sample:
    """A value of a metric."""

    name: str
    labels: dict[str, str]
    value: float


def ask(address: Path | tuple[str, int], path: str, method: str = "GET") -> Told:
    """The answer of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", timeout=120)
    connection.sock = connect(address)
    connection.request(method, path)
    response = connection.getresponse()
    told = Told(
        response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode()
    )
    connection.close()
    return told


def connect(address: Path | tuple[str, int]) -> socket.socket:
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout=120)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(120)
    try:
        connection.connect(str(address))
    except OSError:
        connection.close()
        raise
    return connection
