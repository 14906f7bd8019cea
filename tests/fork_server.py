"""Fork server for kzfeed: a process that has imported everything once and forks, so that kzfeed starts within 20 ms.

All workers of one run of the tests share it, for its start takes 2 s of the processor. It ends with the last of them.

Requests come as JSON messages over a socket: `{"start": [arguments], …}` is answered with a process id, `{"wait": id}`
with an exit status. An ended child keeps its process id until it is waited for, so no other process can be killed in
its place.
"""

import atexit
import codecs
import contextlib
import errno
import functools
import gc
import importlib
import json
import logging
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog

ROOT = Path(__file__).parents[1]


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment without the settings of whoever runs the tests, and with these variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KZFEED_", "NO_COLOR"))}
    return clean | {"PYTHONPATH": str(ROOT)} | variables


@dataclass(frozen=True)
class User:
    """A user other than root, and the groups that it is in. Files that it makes have modes less the umask."""

    uid: int
    groups: tuple[int, ...]
    umask: int = 0o027


READER = User(54_322, (54_322, 54_321))
"""A user who owns nothing, in a group of its own and in one with which files may be shared."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class ForkServer:
    """Client of the fork server. Threads may share it."""

    def __init__(self) -> None:
        self._connection = _connect()
        self._lock = threading.Lock()

    def start(
        self,
        arguments: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        *,
        stdout: str = os.devnull,
        stderr: str = os.devnull,
        stdin: str = os.devnull,
        user: User | None = None,
        module: str = "kzfeed.cli.main",
    ) -> int:
        """Start `kzfeed ARGUMENTS` in `folder`, with these files as its input and output; its process id.

        Another module than kzfeed's has a function `main` too.
        """
        request = {
            "start": [*map(str, arguments)],
            "folder": str(folder),
            "environment": dict(environment),
            "files": [stdin, stdout, stderr],
            "user": user and asdict(user),
            "module": module,
        }
        return self._ask(request)

    def wait(self, process: int, timeout: float = 180) -> int | None:
        """The exit status of the process, negative for a signal; None if it still runs after `timeout` seconds."""
        handle = os.pidfd_open(process)
        try:
            # Not select(), which takes no file descriptor beyond 1023.
            waiting = select.poll()
            waiting.register(handle, select.POLLIN)
            ended = waiting.poll(timeout * 1000)
        finally:
            os.close(handle)
        return self._ask({"wait": process}) if ended else None

    def run(
        self,
        arguments: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        timeout: float = 180,
        user: User | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run `kzfeed ARGUMENTS` in `folder` to its end; it is killed after `timeout` seconds."""
        with tempfile.NamedTemporaryFile() as stdout, tempfile.NamedTemporaryFile() as stderr:
            process = self.start(arguments, folder, environment, stdout=stdout.name, stderr=stderr.name, user=user)
            status = self.wait(process, timeout)
            if status is None:
                os.kill(process, signal.SIGKILL)
                self.wait(process)
            output, errors = stdout.read().decode(), stderr.read().decode()
        assert status is not None, f"{arguments} still ran after {timeout:g} s: {errors}"
        return subprocess.CompletedProcess([*map(str, arguments)], status, output, errors)

    def close(self) -> None:
        """Leave the server. Processes that it started go on."""
        self._connection.close()

    def _ask(self, request: Mapping[str, Any]) -> int:
        with self._lock:
            self._connection.sendall(json.dumps(request).encode())
            return int(self._connection.recv(_LONGEST_MESSAGE))


@functools.cache
def fork_server() -> ForkServer:
    """The fork server of this run of the tests, started at the first call of any worker."""
    server = ForkServer()
    atexit.register(server.close)
    return server


_SOCKET = (socket.AF_UNIX, socket.SOCK_SEQPACKET)
_LONGEST_MESSAGE = 1 << 20


def _connect() -> socket.socket:
    """A connection to the server, which is started if it does not run yet."""
    # The name is in no folder, and vanishes with the server.
    address = f"\0kzfeed-fork-server-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    connection = socket.socket(*_SOCKET)
    while connection.connect_ex(address) == errno.ECONNREFUSED:
        with socket.socket(*_SOCKET) as listener:
            try:
                listener.bind(address)
            except OSError:
                continue  # another worker was quicker
            listener.listen()
            as_standard_input = [(os.POSIX_SPAWN_DUP2, listener.fileno(), 0)]
            command = [sys.executable, "-m", "tests.fork_server"]
            os.posix_spawn(sys.executable, command, clean_environment(), file_actions=as_standard_input)
    return connection


# --- the server ------------------------------------------------------------------------------------------------------


_ARTICLE = "<!--5-->\n[title](https://one.example/1)\n------\n\n<p>text</p>\n"
_COMMANDS = (
    *("backfill 1.txt", "list", "query SELECT(1)", "show 1", "explain 1", "search text", "stats", "status"),
    *("sources list", "export out"),
)
"""Commands that start no thread and no process."""


def main() -> None:
    _warm_up()
    gc.freeze()  # no child looks through what it shares with the server, which would copy it
    listener = socket.socket(fileno=0)
    clients = [listener.accept()[0]]
    while clients:
        for ready in select.select([listener, *clients], [], [])[0]:
            if ready is listener:
                clients.append(listener.accept()[0])
            elif request := ready.recv(_LONGEST_MESSAGE):
                ready.sendall(str(_answer(json.loads(request))).encode())
            else:
                clients.remove(ready)
                ready.close()


def _answer(request: Mapping[str, Any]) -> int:
    if "wait" in request:
        return os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
    if request["user"]:
        _import_everything()
    return os.fork() or _run_kzfeed(request)


def _warm_up() -> None:
    """Run some commands, so that every child finds modules imported, caches filled and the command line built."""
    import anyio
    import nats  # noqa: F401
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    from kzfeed import poll_once, wiring  # noqa: F401
    from kzfeed.check import discovery  # noqa: F401
    from kzfeed.cli import main as cli
    from kzfeed.config import edit, newsboat, opml, watch  # noqa: F401
    from kzfeed.daemon import daemon  # noqa: F401
    from kzfeed.store.search import postgresql_schema

    anyio.run(anyio.sleep, 0)  # imports what anyio needs beside asyncio
    postgresql_schema.character_classes()

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), Path(os.devnull).open("w") as nowhere:
        Path("1.txt").write_text(_ARTICLE)
        for command in _COMMANDS:
            sys.argv = ["kzfeed", *command.split()]
            with redirect_stdout(nowhere), redirect_stderr(nowhere), contextlib.suppress(SystemExit):
                cli.main()
    codecs.lookup("utf-8-sig")
    logging.getLogger().handlers.clear()
    structlog.reset_defaults()
    assert threading.active_count() == 1, "a process with threads cannot be forked safely"


def _run_kzfeed(request: Mapping[str, Any]) -> NoReturn:
    status: Any = 0
    try:
        os.setsid()
        os.closerange(3, 1024)  # connections of the server
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        for number, name in enumerate(request["files"]):
            file = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, number)
            os.close(file)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
        if request["user"]:
            _become(User(**request["user"]))
        sys.argv = ["kzfeed", *request["start"]]
        importlib.import_module(request["module"]).main()
    except SystemExit as ending:
        status = ending.code
    except BaseException:  # noqa: BLE001 - the child must never return to the loop of the server
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


@functools.cache
def _import_everything() -> None:
    """Import what kzfeed imports late: another user may be unable to read the folder of Python."""
    import rich.progress  # noqa: F401

    import kzfeed

    for module in pkgutil.walk_packages(kzfeed.__path__, "kzfeed."):
        if module.name != "kzfeed.__main__":
            importlib.import_module(module.name)
    for encoding in ("utf-8-sig", "idna", "latin-1", "ascii"):
        codecs.lookup(encoding)


def _become(user: User) -> None:
    os.umask(user.umask)
    os.setgroups(user.groups)
    os.setgid(user.groups[0])
    os.setuid(user.uid)


if __name__ == "__main__":
    main()
