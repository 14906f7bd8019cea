"""kzfeed as a real process, in an empty folder with its own configuration and database."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fork_server import clean_environment, fork_server


@dataclass
class Program:
    """kzfeed in a folder. `killed` counts the daemons that ended by SIGKILL."""

    folder: Path
    killed: int = 0

    def configure(self, sources: Mapping[str, str], *, http: str = 'host_gap = "0s"', more: str = "") -> None:
        """Write kzfeed.toml with these sources, lines for the section [http], and other sections."""
        tables = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\n' for name, url in sources.items())
        (self.folder / "kzfeed.toml").write_text(f"[http]\n{http}\n{more}\n{tables}", encoding="utf-8")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return fork_server().run(arguments, self.folder, clean_environment())

    def poll(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """Run `kzfeed poll`; its reports by source."""
        done = self.run("poll", "--json", *arguments)
        assert done.returncode in (0, 1), done.stderr
        return {report["source"]: report for report in json.loads(done.stdout)}

    @contextmanager
    def daemon(self, stop: signal.Signals = signal.SIGTERM) -> Iterator["Daemon"]:
        """`kzfeed run` for the length of the block, ended by this signal."""
        log = self.folder / "log"
        log.write_text("")
        environment = clean_environment(KZFEED_LOG_LEVEL="debug")  # then every poll is an event
        process = fork_server().start(["run"], self.folder, environment, stderr=str(log))
        try:
            yield Daemon(process, log)
        finally:
            os.kill(process, stop)
            status = fork_server().wait(process)
            if status is None:
                os.kill(process, signal.SIGKILL)
                fork_server().wait(process)
        assert status is not None, f"the daemon does not stop: {log.read_text('utf-8')}"
        self.killed += status == -signal.SIGKILL

    def query(self, query: str) -> Sequence[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "kzfeed.db")) as connection:
            return connection.execute(query).fetchall()


@dataclass
class Daemon:
    """A running daemon and its log file."""

    process: int
    log: Path

    def until(self, event: str, times: int = 1) -> None:
        """Wait until the daemon has logged this event this many times."""
        text = f'"event": "{event}"'.encode()
        within(120, lambda: self._has_ended() or self.log.read_bytes().count(text) >= times)
        assert not self._has_ended(), self.log.read_text("utf-8")

    def _has_ended(self) -> bool:
        # The fork server has not waited for it, so an ended daemon is a zombie.
        return Path(f"/proc/{self.process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"


def within(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.02)
