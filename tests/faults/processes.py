"""kzfeed as real processes: started, listened to, told to stop, killed."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

KZFEED = (sys.executable, "-m", "kzfeed")
FAST = 'host_gap = "0s"\nmin_interval = "0s"'


def environment(database_url: str) -> dict[str, str]:
    """Ours, without settings of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KZFEED_")}
    root = str(Path(__file__).parents[2])
    return clean | {"KZFEED_DATABASE_URL": database_url, "PYTHONPATH": root}


def configure(folder: Path, urls: Mapping[str, str], *, every: str = "100ms", http: str = FAST, more: str = "") -> Path:
    """A kzfeed.toml with these sources."""
    sources = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\nevery = "{every}"\n' for name, url in urls.items())
    file = folder / "kzfeed.toml"
    file.write_text(f"{more}\n[http]\n{http}\n{sources or 'sources = []'}", encoding="utf-8")
    return file


def kzfeed(
    folder: Path, database_url: str, *arguments: str | Path, timeout: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run kzfeed to its end."""
    command = [*KZFEED, *map(str, arguments)]
    options: dict[str, Any] = {"cwd": folder, "env": environment(database_url), "text": True, "timeout": timeout}
    return subprocess.run(command, capture_output=True, check=False, **options)


class Running:
    """A process whose log is read as it comes, as events; killed at the end of the context if it still runs."""

    def __init__(
        self, folder: Path, database_url: str, *arguments: str | Path, command: Sequence[str] = KZFEED, **options: Any
    ) -> None:
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=folder,
            env=environment(database_url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.events: list[dict[str, Any]] = []
        self._heard = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            event = json.loads(line) if line.startswith("{") else {"event": "said", "text": line.rstrip("\n")}
            with self._heard:
                self.events.append(event | {"heard": time.monotonic()})
                self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()

    def wait_for(self, event: str, *, after: int = 0, timeout: float = 30, **fields: Any) -> int:
        """Return when it has logged this event, with these fields, as number `after` or later: the number after it."""

        def found() -> int | None:
            for number, each in enumerate(self.events[after:], after):
                if each["event"] == event and all(each.get(name) == value for name, value in fields.items()):
                    return number + 1
            return None

        with self._heard:
            self._heard.wait_for(lambda: found() or self._ended, timeout)
            number = found()
        assert number, f"no {event!r} {fields} within {timeout:g} s, but {self.events[after:][-20:]}"
        return number

    def named(self, event: str) -> list[dict[str, Any]]:
        """The events of this name so far."""
        return [each for each in self.events if each["event"] == event]

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 10) -> int:
        """Tell it to stop: its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(within)
        self._reader.join(5)
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(5)
        assert self.process.stderr
        self.process.stderr.close()


class ForkServer:
    """Starts kzfeed many times over: a process that has imported everything once forks, and what it forks is kzfeed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.fork_server"],
            env=environment(""),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask({"wait": self._ask({"start": ["--version"], "folder": str(folder)})})

    def start(self, database_url: str, *arguments: str | Path) -> int:
        """Start kzfeed with these arguments: its process id."""
        words = [*map(str, arguments), "--database", database_url, "--log-format", "json"]
        return self._ask({"start": words, "folder": str(self._folder)})

    def wait(self, process: int) -> int:
        """Wait for its end: its exit status, negative for a signal."""
        return self._ask({"wait": process})

    def run(self, database_url: str, *arguments: str | Path) -> int:
        """Run kzfeed to its end: its exit status."""
        return self.wait(self.start(database_url, *arguments))

    def run_and_kill(self, database_url: str, *arguments: str | Path, after: float) -> float | None:
        """Kill it after so many seconds: None, or how many it took where it had ended by itself."""
        began = time.monotonic()
        process = self.start(database_url, *arguments)
        handle = os.pidfd_open(process)
        select.select([handle], [], [], after)  # or until it ends by itself
        os.close(handle)
        took = time.monotonic() - began
        os.kill(process, signal.SIGKILL)
        return None if self.wait(process) == -signal.SIGKILL else took

    def _ask(self, question: dict[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(question), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        with self._process:
            self._process.kill()
