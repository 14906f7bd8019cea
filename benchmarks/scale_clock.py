"""What a piece of work takes: a function in, milliseconds out, of this process and of PostgreSQL's behind it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kzfeed.store.engine import Database


@dataclass(frozen=True)
class Cost:
    """Milliseconds by the clock, and of CPU time."""

    wall: float
    cpu: float


class Clock:
    """Measures what happens in one database, over the one connection that its pool has."""

    def __init__(self, database: Database) -> None:
        self._backend: Path | None = None
        if database.dialect == "postgresql":
            with database.read() as connection:
                process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            self._backend = Path(f"/proc/{process}/schedstat")

    def cost_of(self, work: Callable[[], object]) -> Cost:
        """Do it, and say what it took."""
        cpu, wall = self._cpu(), time.perf_counter()
        work()
        return Cost((time.perf_counter() - wall) * 1000, (self._cpu() - cpu) * 1000)

    def _cpu(self) -> float:
        # The first figure there: nanoseconds on a CPU.
        theirs = int(self._backend.read_text().split()[0]) / 1e9 if self._backend else 0.0
        return time.process_time() + theirs
