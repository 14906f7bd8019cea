"""Benchmark of whole processes: `python -m benchmarks` prints a table of times and memory.

`--against PYTHON` measures a second installation, in turn with this checkout: name the interpreter of another
checkout's virtual environment. 1,000 feeds take some ten minutes on two cores; `--feeds 40 --runs 1` takes one.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import median

from benchmarks import feeds
from benchmarks.cases import Bench, Case, all_cases
from benchmarks.feed_server import installed_nginx, serving
from benchmarks.kzfeed import Kzfeed
from benchmarks.measure import Measured, run
from tests.databases import postgresql_server

HEAD = (
    "| case | installation | wall s (least to most) | CPU s | a second | × the first | MiB | MiB of children |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--feeds", type=int, default=1000, help="large feeds; there are four times as many tiny ones")
    parser.add_argument("--runs", type=int, default=3, help="runs of each case")
    parser.add_argument(
        "--only", nargs="+", metavar="CASE", help="contact, unchanged, tiny, backfill, postgresql, export"
    )
    parser.add_argument("--against", metavar="PYTHON", help="interpreter of the other installation to measure")
    options = parser.parse_args(arguments)
    installations = [Kzfeed("other", options.against), Kzfeed()] if options.against else [Kzfeed()]
    with bench_of(options.feeds) as bench:
        cases = all_cases(bench)
        chosen = [case for case in cases if not options.only or case.key in options.only]
        if options.only and len(chosen) != len(options.only):
            parser.error(f"the cases are {', '.join(case.key for case in cases)}")
        say(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, {bench.large} large feeds, {bench.tiny} tiny ones, ")
        say(f"served by {bench.server.name}", "", *HEAD)
        for case in chosen:
            say(*rows(case, measure(case, installations, options.runs)))
    return 0


@contextmanager
def bench_of(count: int) -> Iterator[Bench]:
    """Everything that the cases need, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        feeds.write(folder / "feeds", large=count, tiny=4 * count)
        server = stack.enter_context(serving(folder / "feeds", installed_nginx()))
        postgresql = cache(lambda: stack.enter_context(postgresql_server()).url)
        yield Bench(folder / "archives", server, count, 4 * count, postgresql)


def measure(case: Case, installations: Sequence[Kzfeed], runs: int) -> dict[str, list[Measured]]:
    """All runs of a case, by installation. They take turns, so that a disturbance falls on all of them alike."""
    found: dict[str, list[Measured]] = {each.name: [] for each in installations}
    for _ in range(runs):
        for each in installations:
            measured = run(case.prepare(each))
            case.check(each, measured)
            found[each.name].append(measured)
    return found


def rows(case: Case, found: dict[str, list[Measured]]) -> Iterator[str]:
    """One line of the table for each installation, with the medians of its runs."""
    first = median(each.wall for each in next(iter(found.values())))
    for name, runs in found.items():
        walls = [each.wall for each in runs]
        wall = median(walls)
        cells = [
            f"{case.title} [{case.key}]",
            name,
            f"{wall:.2f} ({min(walls):.2f} to {max(walls):.2f})",
            f"{median(each.cpu for each in runs):.2f}",
            f"{case.count / wall:,.0f} {case.unit}",
            f"{wall / first:.2f}",
            f"{median(each.memory for each in runs):.0f}",
            f"{median(each.children for each in runs):.0f}",
        ]
        yield f"| {' | '.join(cells)} |"


def machine() -> str:
    """The machine and the interpreter, for the heading of a table."""
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"


def say(*lines: str) -> None:
    """Write lines to standard output at once."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
