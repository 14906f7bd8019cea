"""kzfeed as a process of its own: in an empty folder, with its file, its database, and nobody's settings."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Program:
    folder: Path
    killed: int = 0

    @property
    def _settings(self) -> dict[str, Any]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KZFEED_")}
        return {"cwd": self.folder, "env": clean, "text": True}

    def configure(self, sources: Mapping[str, str], *, http: str = 'host_gap = "0s"', more: str = "") -> None:
        """Write the file: names and addresses of sources, lines for the section [http], and other sections."""
        tables = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\n' for name, url in sources.items())
        (self.folder / "kzfeed.toml").write_text(f"[http]\n{http}\n{more}\n{tables}", encoding="utf-8")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "kzfeed", *arguments]
        return subprocess.run(command, capture_output=True, check=False, timeout=60, **self._settings)

    def poll(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """What `kzfeed poll` reports, by source."""
        done = self.run("poll", "--json", *arguments)
        assert done.returncode in (0, 1), done.stderr
        return {report["source"]: report for report in json.loads(done.stdout)}

    @contextmanager
    def daemon(self, stop: signal.Signals = signal.SIGTERM) -> Iterator["Daemon"]:
        """`kzfeed run` while the block lasts, ended by this signal."""
        command = [sys.executable, "-m", "kzfeed", "run"]
        # A file and no pipe: nobody needs to read it for the daemon to go on.
        with (self.folder / "log").open("w") as log, subprocess.Popen(command, stderr=log, **self._settings) as process:
            try:
                yield Daemon(process, self.folder / "log")
            finally:
                process.send_signal(stop)
                self.killed += process.wait(15) == -signal.SIGKILL

    def query(self, query: str) -> Sequence[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "kzfeed.db")) as connection:
            return connection.execute(query).fetchall()


@dataclass
class Daemon:
    process: "subprocess.Popen[str]"
    log: Path

    def until(self, event: str, times: int = 1) -> None:
        """Wait until the daemon has logged this so many times."""
        said = f'"event": "{event}"'
        within(30, lambda: self.process.poll() is not None or self.log.read_text("utf-8").count(said) >= times)
        assert self.process.poll() is None, self.log.read_text("utf-8")


def within(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)
