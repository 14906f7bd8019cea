"""Real processes of kzfeed: start one, follow its log, stop or kill it."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fork_server import clean_environment, fork_server

KZFEED = (sys.executable, "-m", "kzfeed")
DAEMON = "tests.faults.daemon"
"""The module of a daemon whose clock and resolver a test controls."""
FAST = 'host_gap = "0s"\nmin_interval = "0s"'


def environment(database_url: str) -> dict[str, str]:
    """The environment of a kzfeed with this database."""
    return clean_environment(KZFEED_DATABASE_URL=database_url)


def configure(folder: Path, urls: Mapping[str, str], *, every: str = "100ms", http: str = FAST, more: str = "") -> Path:
    """Write a kzfeed.toml with these sources; its path."""
    sources = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\nevery = "{every}"\n' for name, url in urls.items())
    file = folder / "kzfeed.toml"
    file.write_text(f"{more}\n[http]\n{http}\n{sources or 'sources = []'}", encoding="utf-8")
    return file


def kzfeed(folder: Path, database_url: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run kzfeed to its end."""
    return fork_server().run(arguments, folder, environment(database_url))


class Process:
    """A process of the fork server, with the methods of `subprocess.Popen` that tests need."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless its end is known."""
        if self._status is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self._status is None:
            self._status = fork_server().wait(self.pid, 0)
        return self._status

    def wait(self, timeout: float = 120) -> int:
        """Wait for its end; the exit status."""
        if self._status is None:
            self._status = fork_server().wait(self.pid, timeout)
        assert self._status is not None, f"the process does not end within {timeout:g} s"
        return self._status


class Running:
    """A running process and the events of its log so far. The end of the context kills it if it still runs.

    It is a fork of the fork server, so that it need not import what all processes import. `module` has its `main`.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *arguments: str | Path,
        module: str = "kzfeed.cli.main",
        variables: dict[str, str] | None = None,
    ) -> None:
        log, written = os.pipe()
        self.process = Process(
            fork_server().start(
                arguments,
                folder,
                # Every poll is an event then.
                environment(database_url) | {"KZFEED_LOG_LEVEL": "debug"} | (variables or {}),
                stderr=f"/proc/{os.getpid()}/fd/{written}",
                module=module,
            )
        )
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()
        # The process opens the pipe itself, so the end to write to stays open here as long as the process runs.
        threading.Thread(
            target=_close_at_the_end_of, args=(os.pidfd_open(self.process.pid), written), daemon=True
        ).start()

    def _read(self, log: int) -> None:
        with open(log, encoding="utf-8") as lines:
            self._follow(lines)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            # A process that is killed may leave half a line.
            is_event = line.startswith("{") and line.endswith("\n")
            event = json.loads(line) if is_event else {"event": "output", "text": line.rstrip("\n")}
            with self._changed:
                self.events.append(event | {"at": time.monotonic()})
                self._changed.notify_all()

    def wait_for(self, event: str, *, after: int = 0, timeout: float = 120, **fields: Any) -> int:
        """Wait for this event with these fields, from number `after` on. The number of the event after it."""

        def found() -> int | None:
            for number, each in enumerate(self.events[after:], after):
                if each["event"] == event and all(each.get(name) == value for name, value in fields.items()):
                    return number + 1
            return None

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, timeout)
            number = found()
        assert number, f"no {event!r} {fields} within {timeout:g} s, but {self.events[after:][-20:]}"
        return number

    def named(self, event: str) -> list[dict[str, Any]]:
        """All events of this name so far."""
        return [each for each in self.events if each["event"] == event]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop all threads of the process for the length of the block."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            while not all(map(_is_stopped, Path(f"/proc/{self.process.pid}/task").glob("*/stat"))):
                time.sleep(0.001)
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 60) -> int:
        """Send the signal and wait for the end of the process; its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(within)
        self._reader.join(30)
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self._reader.join(30)


def _is_stopped(thread: Path) -> bool:
    try:
        return thread.read_text("ascii", "replace").rpartition(")")[2].split()[0] == "T"
    except OSError:  # it has ended
        return True


def _close_at_the_end_of(process: int, file: int) -> None:
    """Close the file when this process ends, which a file descriptor names."""
    waiting = select.poll()
    waiting.register(process, select.POLLIN)
    waiting.poll()
    os.close(process)
    os.close(file)


class Launcher:
    """Starter of kzfeed in one folder, by the fork server. Its logs go to `kzfeed.log` there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, database_url: str, *arguments: str | Path) -> int:
        """Start kzfeed with these arguments; its process id."""
        words = [*arguments, "--database", database_url, "--log-format", "json"]
        log = str(self._folder / "kzfeed.log")
        return fork_server().start(words, self._folder, clean_environment(), stderr=log)

    def wait(self, process: int) -> int:
        """Wait for the end of the process; its exit status, negative for a signal."""
        status = fork_server().wait(process)
        assert status is not None, "the process does not end"
        return status

    def run(self, database_url: str, *arguments: str | Path) -> int:
        """Run kzfeed to its end; its exit status."""
        return self.wait(self.start(database_url, *arguments))

    def run_and_kill(self, database_url: str, *arguments: str | Path, after: float) -> float | None:
        """Kill it after so many seconds. None, or the seconds after which it had ended by itself."""
        began = time.monotonic()
        process = self.start(database_url, *arguments)
        status = fork_server().wait(process, after)
        took = time.monotonic() - began
        if status is None:
            os.kill(process, signal.SIGKILL)
            status = self.wait(process)
        return None if status == -signal.SIGKILL else took
