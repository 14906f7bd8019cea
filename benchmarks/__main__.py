"""The benchmark: `python -m benchmarks` prints a table of medians, and what kzfeed is beside all others of that run.

About half an hour on two cores with 1,000 feeds and three runs; `--quick` is the short form. Newsboat takes part where
it is installed, the library `reader` where it can be imported or BENCH_READER_PYTHON names an interpreter that can.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from benchmarks import feeds
from benchmarks.baselines import TIMED
from benchmarks.cases import Case, Stage, all_cases
from benchmarks.measure import Measured, middle, run
from benchmarks.players import others
from benchmarks.servers import installed_nginx, serving
from tests.databases import postgresql_server

PATIENCE_S = 90
"""Who has taken so long in one case has run often enough."""
QUICK_FEEDS = 40

Results = dict[str, list[Measured]]
"""All runs of a case, by who ran."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--feeds", type=int, default=1000, help="large ones; of the tiny there are four times as many")
    parser.add_argument("--runs", type=int, default=3, help="of each case")
    parser.add_argument("--only", nargs="+", metavar="CASE", help="contact, unchanged, tiny, … (the table names them)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_FEEDS} feeds and one run")
    options = parser.parse_args(arguments)
    count, runs = (QUICK_FEEDS, 1) if options.quick else (options.feeds, options.runs)
    with stage(count) as here:
        chosen = [case for case in all_cases(here) if not options.only or case.key in options.only]
        if options.only and len(chosen) != len(options.only):
            parser.error(f"the cases are {', '.join(case.key for case in all_cases(here))}")
        lines = [f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), Python "]
        lines[0] += f"{platform.python_version()}, {count} large feeds, {4 * count} tiny ones, served by "
        lines[0] += here.server.name
        lines += ["", *HEAD]
        for case in chosen:
            lines += rows(case, results(case, runs))
            say(*lines)
            lines = []
    return 0


@contextmanager
def stage(count: int) -> Iterator[Stage]:
    """Everything that the cases need, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        note(f"writing {count} large feeds, {4 * count} tiny ones")
        feeds.write(Path(folder, "feeds"), large=count, tiny=4 * count)
        server = stack.enter_context(serving(Path(folder, "feeds"), installed_nginx()))
        postgresql = cache(lambda: stack.enter_context(postgresql_server()).url)
        yield Stage(Path(folder, "stage"), server, count, 4 * count, others(), postgresql)


def results(case: Case, runs: int) -> Results:
    """All run in turn, so that whatever else the machine does meanwhile falls on all alike."""
    found: Results = {each.name: [] for each in case.contestants}
    for number in range(1, runs + 1):
        for each in case.contestants:
            if sum(measured.wall for measured in found[each.name]) > PATIENCE_S:
                continue
            command = each.prepare()
            began = time.monotonic()
            measured = run(command)
            each.check(measured)
            found[each.name].append(by_own_clock(measured))
            note(f"{case.key} {number}/{runs}: {each.name} took {time.monotonic() - began:.2f} s")
    return found


def by_own_clock(measured: Measured) -> Measured:
    """The part of the process that counts, where it says that only a part does."""
    match measured.said.split():
        case [word, wall, cpu] if word == TIMED:
            return replace(measured, wall=float(wall), cpu=float(cpu))
    return measured


# --- the table -------------------------------------------------------------------------------------------------------

HEAD = (
    "| case | who | runs | wall s (least to most) | CPU s | a second | kzfeed does | MiB | MiB of children |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def rows(case: Case, found: Results) -> Iterator[str]:
    """A line each; "kzfeed does" is its pace as a multiple of theirs."""
    ours = middle(found["kzfeed"])
    for name, runs in found.items():
        them = middle(runs)
        walls = [each.wall for each in runs]
        cells = [
            f"{case.title} [{case.key}]" if name == "kzfeed" else "",
            name,
            str(len(runs)),
            f"{them.wall:.2f} ({min(walls):.2f} to {max(walls):.2f})",
            f"{them.cpu:.2f}",
            f"{case.count / them.wall:,.0f} {case.unit}" if case.count > 1 else "",
            "" if name == "kzfeed" else f"{them.wall / ours.wall:.2f} ×",
            f"{them.memory:.0f}",
            f"{them.children:.0f}" if them.children else "",
        ]
        yield f"| {' | '.join(cells)} |"


def say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
