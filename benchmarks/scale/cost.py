"""Cost of a function in milliseconds, of this process and of the PostgreSQL process that serves it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kzfeed.store.engine import Database


@dataclass(frozen=True)
class Cost:
    """Wall time and CPU time in milliseconds."""

    wall: float
    cpu: float


class Clock:
    """Stopwatch for work in one database, over the single connection of its pool."""

    def __init__(self, database: Database) -> None:
        self._backend: Path | None = None
        if database.dialect == "postgresql":
            with database.read() as connection:
                process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            self._backend = Path(f"/proc/{process}/schedstat")

    def cost_of(self, work: Callable[[], object]) -> Cost:
        """Do the work and return its cost."""
        cpu, wall = self._cpu(), time.perf_counter()
        work()
        return Cost((time.perf_counter() - wall) * 1000, (self._cpu() - cpu) * 1000)

    def _cpu(self) -> float:
        # The first number in schedstat is the nanoseconds spent on a CPU.
        theirs = int(self._backend.read_text().split()[0]) / 1e9 if self._backend else 0.0
        return time.process_time() + theirs
