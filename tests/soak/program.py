"""The daemon of the soak: its configuration, its process, and what a sample shows of both."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.processes import KZFEED, environment
from tests.server.client import Sample as Series
from tests.server.client import Told, ask

PAGE = os.sysconf("SC_PAGE_SIZE")
Counters = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
"""The values of metrics by name and labels."""


MARGIN = 10.0
"""How many seconds the daemon may take to store a poll, or to put a new list in force, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the daemon polls, in seconds."""

    interval: float
    gap: float
    timeout: float


def write_list(folder: Path, urls: Mapping[str, str], pace: Pace, *, enabled: bool = True) -> None:
    """Put the sources with these addresses into the configuration, in one step."""
    settings = (
        f'[server]\nlisten = "unix:{folder / "monitors.sock"}"\n[log]\nformat = "json"\n'
        f'[http]\nhost_gap = "{_milliseconds(pace.gap)}"\nmin_interval = "{_milliseconds(pace.interval / 4)}"\n'
        f'timeout = "{_milliseconds(pace.timeout)}"\n[defaults]\nevery = "{_milliseconds(pace.interval)}"\n'
    )
    more = "" if enabled else "enabled = false\n"
    sources = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\n{more}' for name, url in urls.items())
    beside = folder / "kzfeed.new"
    beside.write_text(settings + sources, encoding="utf-8")
    beside.replace(folder / "kzfeed.toml")


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the running daemon. `at` is monotonic, `now` is the wall clock; memory is in bytes."""

    at: float
    now: datetime
    memory: int
    workers: int
    """The memory of all worker processes together."""
    files: int
    counters: Counters
    cpu: float
    """The seconds of CPU time of the daemon without its workers."""

    def value(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 if there is none."""
        return self.counters.get((name, tuple(sorted(labels.items()))), 0.0)


def counted_polls(sample: Sample) -> Counter[str]:
    """The polls that the daemon has counted, by outcome, and by kind of failure for those that failed."""
    found: Counter[str] = Counter()
    for (name, labels), value in sample.counters.items():
        if name in ("kzfeed_polls_total", "kzfeed_poll_failures_total"):
            found[labels[0][1]] += round(value)
    return found


@dataclass
class Daemon:
    """A `kzfeed run`. Its log is appended to `kzfeed.log` in the folder."""

    folder: Path
    database: str
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        with (self.folder / "kzfeed.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*KZFEED, "run"],
                cwd=self.folder,
                env=environment(self.database),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def wait_until_ready(self, timeout: float = 120) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError):
                if self._ask("/readyz").status == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"the daemon does not get ready within {timeout:g} s: see {self.folder / 'kzfeed.log'}")

    def sample(self) -> Sample:
        """What the daemon shows now. Raises OSError if it does not answer."""
        at, now = time.monotonic(), datetime.now(UTC)
        counters = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in self._metrics()}
        return Sample(
            at=at,
            now=now,
            memory=_memory(self.process.pid),
            workers=sum(map(_memory, _children(self.process.pid))),
            files=len(os.listdir(f"/proc/{self.process.pid}/fd")),  # noqa: PTH208 - only how many
            counters=counters,
            cpu=counters.get(("process_cpu_seconds_total", ()), 0.0),
        )

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """Stop it as a service manager does; its exit status."""
        self.process.terminate()
        return self.process.wait(30)

    def _ask(self, path: str) -> Told:
        return ask(self.folder / "monitors.sock", path)

    def _metrics(self) -> list[Series]:
        return self._ask("/metrics").samples()


def _memory(process: int) -> int:
    """The resident memory of a process; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _children(process: int) -> list[int]:
    """The processes that this one has started and that still run."""
    found: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            found += map(int, file.read_text("ascii").split())
    return found
