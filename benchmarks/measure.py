"""Measurement of a whole process, from start to exit: wall time, CPU time and peak memory.

Peaks of memory are the kernel's (VmHWM), read every 20 ms while the processes live, so the last 20 ms are not seen.
"""

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.02
PAGE_KIB = 1024


class Broken(Exception):  # noqa: N818 - "raise Broken" reads as what happened
    """A measured process ended with an error, or did not do its work."""


@dataclass(frozen=True)
class Command:
    """A command line, the folder to start it in, and variables to add to the environment."""

    arguments: Sequence[str]
    folder: Path
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """One run, in seconds and MiB. `children` is the sum of the peaks of all processes below the first one, `output`
    is its standard output.
    """

    wall: float
    cpu: float
    memory: float
    children: float
    output: str


def run(command: Command) -> Measured:
    """Run the command to its end. Raises Broken."""
    output, errors = command.folder / "output.log", command.folder / "errors.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KZFEED_")}
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command.arguments],
            cwd=command.folder,
            env=clean | dict(command.variables),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
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
    """Wait for the end of the process; return the peak of it and of all processes below it, in MiB, by process id."""
    peaks: dict[int, float] = {}
    handle = os.pidfd_open(process)
    try:
        while True:
            for each in _family(process):
                # A process may end between the listing and this line.
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
