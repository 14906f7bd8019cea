"""Long loop of faults: `python -m tests.torture > figures.md` prints the table of docs/reliability.md.

Progress and everything that was wrong go to standard error; the exit status is 1 if anything was wrong. Both engines
run side by side, for about ten minutes on two cores. `--kills 10 --outage 5 --lock 4` is the quick form.
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
from tests.databases import Databases, PostgreSQLServer, postgresql_server
from tests.faults.kill_loops import Figures, backfill_kills, polling_kills, undisturbed_polling
from tests.faults.outages import backends_ended, postgresql_stopped, sqlite_locked, stopped_while_locked
from tests.faults.processes import Launcher

ENGINE_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
Row = tuple[str, str, list[str]]
"""A line of the table: what was done, the result, and everything that was wrong."""
LOOPS: tuple[tuple[str, str, Callable[..., Figures]], ...] = (
    ("a backfill", "equal to an undisturbed one", backfill_kills),
    ("polling", "equal to an undisturbed one", polling_kills),
)
"""What is killed, what every archive must be in the end, and the loop that kills and compares."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills of each kind on each engine")
    parser.add_argument("--outage", type=float, default=60, help="seconds without PostgreSQL")
    parser.add_argument("--lock", type=float, default=30, help="seconds that SQLite is locked")
    parser.add_argument("--seed", type=int, default=None, help="repeats the instants of an earlier run")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    began = time.monotonic()
    say(f"seed {seed}")
    undisturbed_polling()
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as server, ThreadPoolExecutor(2) as pool:
        lanes = [pool.submit(kill, Path(folder), server.url, engine, options.kills, seed) for engine in ENGINES]
        rows = [row for lane in lanes for row in lane.result()]
        rows += outages(Path(folder), server, options.outage, options.lock, options.kills, seed)
    wrong = [each for _, _, found in rows for each in found]
    say(*wrong, f"{time.monotonic() - began:.0f} s in all, {len(wrong)} things wrong")
    lines = ("| what was done | result | wrong |", "| --- | --- | --- |", *map(line, rows))
    sys.stdout.write("".join(f"{each}\n" for each in lines))
    return 1 if wrong else 0


def kill(folder: Path, server: str, engine: str, kills: int, seed: int) -> list[Row]:
    """All loops of kills on one engine."""
    rows: list[Row] = []
    for what, result, loop in LOOPS:
        place = folder / f"{loop.__name__}-{engine}"
        place.mkdir()
        figures = loop(Launcher(place), Databases(place, server), engine, kills, random.Random(seed))
        done = f"{figures.rounds} archives {result}" if not figures.wrong else "see above"
        rows.append(reported(f"{figures.kills} × `kill -9` of {what}, {ENGINE_NAMES[engine]}", done, figures.wrong))
    return rows


def outages(folder: Path, server: PostgreSQLServer, outage: float, lock: float, cuts: int, seed: int) -> list[Row]:
    """Outages and locks of the database."""
    places = [folder / name for name in ("stopped", "ended", "locked", "signalled")]
    for place in places:
        place.mkdir()
    stopped = postgresql_stopped(server, places[0], outage)
    lost, wrong = backends_ended(server.url, places[1], cuts, random.Random(seed))
    took, after = stopped_while_locked(places[3])
    return [
        reported(
            f"PostgreSQL stopped for {outage:g} s",
            f"{stopped.reconnects_a_second:.2f} connections asked for per second; {stopped.not_stored} polls not "
            f"stored and repeated; every source polled {stopped.resumed_after:.1f} s after its return",
            stopped.wrong,
        ),
        reported(
            f"{len(lost)} COMMITs interrupted, and backends terminated",
            f"{lost.count('the request')} did not reach the server, {lost.count('the answer')} answers were lost",
            wrong,
        ),
        reported(f"SQLite locked from outside for {lock:g} s", "the daemon waited", sqlite_locked(places[2], lock)),
        reported("SIGTERM while SQLite is locked", f"exit 0 after {took:.1f} s", after),
    ]


def reported(what: str, done: str, wrong: list[str]) -> Row:
    """The line of the table, after it is printed as progress."""
    say(line((what, done, wrong)))
    return what, done, wrong


def line(row: Row) -> str:
    what, done, wrong = row
    return f"| {what} | {done} | {len(wrong)} |"


def say(*lines: str) -> None:
    for each in lines:
        sys.stderr.write(each + "\n")


if __name__ == "__main__":
    sys.exit(main())
