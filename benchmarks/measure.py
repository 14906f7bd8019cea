"""Whole processes, from start to exit: a command in, its wall time, CPU time and peak memory out.

The peaks are the kernel's own (VmHWM), read again and again while the processes live: what one may add in its last
hundredth of a second is not seen.
"""

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SAMPLE_S = 0.02
PAGE_KIB = 1024


class Broken(Exception):  # noqa: N818 - it is said of the process
    """A process ended with an error, or did not do what it was timed for."""


@dataclass(frozen=True)
class Command:
    """What to start, in which folder, with which variables beside ours; `statuses` are those that are no error."""

    arguments: Sequence[str]
    folder: Path
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """One run. Seconds and MiB; `children` is the sum of the peaks of all processes that the first one started.

    `said` is what the process wrote on its standard output.
    """

    wall: float
    cpu: float
    memory: float
    children: float
    said: str = ""


def run(command: Command) -> Measured:
    """Run it to its end. Raises Broken."""
    output, errors = command.folder / "output.log", command.folder / "errors.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KZFEED_")}
    with output.open("wb") as said, errors.open("wb") as complained:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command.arguments],
            cwd=command.folder,
            env=clean | dict(command.variables),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
        )
        peaks = _watch(process.pid)
        wall = time.perf_counter() - began
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        words = errors.read_text(errors="replace").strip().splitlines()[-15:]
        raise Broken("\n".join([f"{' '.join(command.arguments)} ended with {process.returncode}:", *words]))
    memory = peaks.pop(process.pid, 0.0)
    return Measured(
        wall, usage.ru_utime + usage.ru_stime, memory, sum(peaks.values()), output.read_text(errors="replace")
    )


def _watch(process: int) -> dict[int, float]:
    """The peak of the process and of every one below it, in MiB, by process id; returns when the first one ends."""
    peaks: dict[int, float] = {}
    handle = os.pidfd_open(process)
    try:
        while True:
            for each in _family(process):
                # One that has just ended has no memory any more.
                with suppress(OSError, IndexError):
                    status = Path(f"/proc/{each}/status").read_text()
                    peaks[each] = int(status.partition("VmHWM:")[2].split()[0]) / PAGE_KIB
            if select.select([handle], [], [], SAMPLE_S)[0]:
                return peaks
    finally:
        os.close(handle)


def _family(process: int) -> list[int]:
    found = [process]
    for each in found:
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def middle(runs: Sequence[Measured]) -> Measured:
    """The median of each figure."""
    return Measured(
        wall=median(each.wall for each in runs),
        cpu=median(each.cpu for each in runs),
        memory=median(each.memory for each in runs),
        children=median(each.children for each in runs),
    )
