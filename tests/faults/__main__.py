"""The long form: `python -m tests.faults --kills 200`. It prints its figures as a table and exits with 1 if any is bad.

Both engines run side by side. About ten minutes on two cores; `--kills 10 --outage 5 --lock 4` is the quick form.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conftest import ENGINES
from tests.faults.away import backends_ended, postgresql_stopped, sqlite_locked, stopped_while_locked
from tests.faults.databases import Databases, PostgreSQL, own_postgresql
from tests.faults.kills import Figures, backfill_kills, polling_kills, undisturbed_polling
from tests.faults.processes import Nursery

Row = tuple[str, str, list[str]]
"""What was done, what came of it, what was wrong."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults, the long form.")
    parser.add_argument("--kills", type=int, default=200, help="of each kind on each engine")
    parser.add_argument("--outage", type=float, default=60, help="of PostgreSQL, in seconds")
    parser.add_argument("--lock", type=float, default=30, help="of SQLite, in seconds")
    parser.add_argument("--seed", type=int, default=None, help="the same instants again")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    began = time.monotonic()
    say(f"seed {seed}")
    undisturbed_polling()
    with tempfile.TemporaryDirectory() as folder, own_postgresql() as server, ThreadPoolExecutor(2) as pool:
        lanes = [pool.submit(kill, Path(folder), server.url, engine, options.kills, seed) for engine in ENGINES]
        rows = [row for lane in lanes for row in lane.result()]
        rows += away(Path(folder), server, options.outage, options.lock, options.kills, seed)
    wrong = [each for _, _, found in rows for each in found]
    say(*wrong, f"{time.monotonic() - began:.0f} s in all, {len(wrong)} things wrong")
    return 1 if wrong else 0


def kill(folder: Path, server: str, engine: str, kills: int, seed: int) -> list[Row]:
    """Both kinds of kills on one engine."""
    rows: list[Row] = []
    loops: tuple[Callable[..., Figures], ...] = (backfill_kills, polling_kills)
    for loop in loops:
        place = folder / f"{loop.__name__}-{engine}"
        place.mkdir()
        with Nursery(place) as nursery:
            figures = loop(nursery, Databases(place, server), engine, kills, random.Random(seed))
        done = f"{figures.kills} kills, {figures.rounds} archives compared with one that nothing disturbed"
        rows.append(told(f"{loop.__name__.replace('_', ' ')}, {engine}", done, figures.wrong))
    return rows


def away(folder: Path, server: PostgreSQL, outage: float, lock: float, cuts: int, seed: int) -> list[Row]:
    """A database that goes away."""
    places = [folder / name for name in ("stopped", "ended", "locked", "told")]
    for place in places:
        place.mkdir()
    stopped = postgresql_stopped(server, places[0], outage)
    lost, wrong = backends_ended(server.url, places[1], cuts, random.Random(seed))
    took, after = stopped_while_locked(places[3])
    return [
        told(
            f"PostgreSQL stopped for {outage:g} s",
            f"at most {stopped.reconnects_a_second} connection asked for in any second, "
            f"polling again {stopped.resumed_after:.1f} s after the start",
            stopped.wrong,
        ),
        told(
            "COMMITs cut off, backends terminated",
            f"{lost.count('the request')} requests and {lost.count('the answer')} answers lost",
            wrong,
        ),
        told(f"SQLite locked for {lock:g} s", "waited for", sqlite_locked(places[2], lock)),
        told("SIGTERM while SQLite is locked", f"ended with 0 after {took:.1f} s", after),
    ]


def told(what: str, done: str, wrong: list[str]) -> Row:
    say(f"| {what} | {done} | {len(wrong)} wrong |")
    return what, done, wrong


def say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
