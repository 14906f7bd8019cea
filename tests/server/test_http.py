"""The HTTP server for monitors: paths, methods, addresses, and clients that do nothing."""

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from kzfeed.errors import ListenError
from kzfeed.hosts import SocketAddress
from kzfeed.server.http import MAX_CONNECTIONS, Response, answering
from tests.etiquette.program import within
from tests.server.client import ask, connect

ANSWERS = {"/healthz": lambda: Response(HTTPStatus.OK, b"fine\n")}


HOST = "127.0.18.1"
"""An address on which nobody else listens, so that a port that was free a moment ago still is."""


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(params=["port", "socket"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SocketAddress]:
    """The address of a server with one path."""
    address: SocketAddress = (HOST, free_port()) if request.param == "port" else tmp_path / "monitors.sock"
    with answering(address, ANSWERS):
        yield address


def test_a_path_is_answered_with_and_without_a_query(address: SocketAddress) -> None:
    told = ask(address, "/healthz?verbose=1")

    assert (told.status, told.body, told.headers["content-type"]) == (200, "fine\n", "text/plain; charset=utf-8")
    assert told.headers["server"] == "kzfeed"


def test_head_is_answered_without_a_body(address: SocketAddress) -> None:
    told = ask(address, "/healthz", "HEAD")

    assert (told.status, told.body, told.headers["content-length"]) == (200, "", "5")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/healthz/../x", 404), ("POST", "/healthz", 501), ("DELETE", "/healthz", 501)],
)
def test_everything_else_is_refused(address: SocketAddress, method: str, path: str, status: int) -> None:
    assert ask(address, path, method).status == status


@pytest.mark.parametrize(
    ("sent", "status"), [(b"\x16\x03\x01\r\n\r\n", b"400"), (b"GET http://[x HTTP/1.1\r\n\r\n", b"404")]
)
def test_what_is_not_http_is_refused_and_the_next_one_is_answered(
    address: SocketAddress, sent: bytes, status: bytes
) -> None:
    with closing(connect(address)) as broken:
        broken.sendall(sent)
        assert status in broken.recv(1000)

    assert ask(address, "/healthz").status == 200


def test_clients_that_say_nothing_are_bounded_and_closed_after_a_while(tmp_path: Path) -> None:
    address = tmp_path / "monitors.sock"
    with answering(address, ANSWERS, longest=timedelta(seconds=1)):
        slow = connect(address)
        slow.sendall(b"GET /healthz HT")
        silent = [slow, *(connect(address) for _ in range(MAX_CONNECTIONS))]

        assert [each.recv(1) for each in silent] == [b""] * len(silent)
        within(180, lambda: ask(address, "/healthz").status == 200)
        for each in silent:
            each.close()


def test_the_socket_of_a_process_that_was_killed_is_replaced_and_removed_at_the_end(tmp_path: Path) -> None:
    address = tmp_path / "monitors.sock"
    abandoned = socket.socket(socket.AF_UNIX)
    abandoned.bind(str(address))
    abandoned.close()

    with answering(address, ANSWERS):
        assert ask(address, "/healthz").status == 200
    assert not address.exists()


def test_an_address_that_is_used_is_refused_and_its_user_goes_on(address: SocketAddress) -> None:
    shown = str(address) if isinstance(address, Path) else f"{HOST}:{address[1]}"
    with pytest.raises(ListenError, match=rf"cannot listen on {shown}: .*in use"), answering(address, ANSWERS):
        pass

    assert ask(address, "/healthz").status == 200


def test_a_file_is_not_removed_for_a_socket(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    with pytest.raises(ListenError), answering(file, ANSWERS):
        pass

    assert file.read_text() == "mine"
