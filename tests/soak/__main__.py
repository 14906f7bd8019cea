"""Soak: `python -m tests.soak --hours 1 --output docs > figures.md` writes the chart `soak.svg` and prints a table.

A real `kzfeed run` polls local sources that change, fail, move, rate-limit and vanish. It is reloaded, killed, and cut
off from the network. Progress and everything that was wrong go to standard error; the exit status is 1 if anything was.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.databases import Databases, postgresql_server
from tests.soak.chart import chart
from tests.soak.judgement import figures, judge
from tests.soak.program import Pace
from tests.soak.run import PLAN, Size, Soak
from tests.torture.__main__ import ENGINE_NAMES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--sources", type=int, default=2000)
    parser.add_argument("--every", type=float, default=60.0, help="the interval of each source in seconds")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--output", type=Path, default=Path(), help="the folder of the chart")
    parser.add_argument("--seed", type=int, default=None, help="repeats the misbehaviour of an earlier run")
    options = parser.parse_args()
    # So that a service manager or `kill` does not leave the daemon behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    size = Size(options.sources, 3600 * options.hours, Pace(options.every, gap=1.0, timeout=10.0))
    say(f"seed {seed}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgresql_server()).url if options.database == "postgresql" else ""
        database = Databases(folder, server).new(options.database)
        soak = Soak(folder, database, size, PLAN, say, random.Random(seed))
        soak.run()
        wrong, found = judge(soak), figures(soak)
    engine = ENGINE_NAMES[options.database]
    what = f"kzfeed on {options.sources:,} misbehaving sources for {options.hours:g} h"
    title = f"{what}, {engine}, {datetime.now(UTC):%Y-%m-%d}"
    (options.output / "soak.svg").write_text(chart(title, soak), encoding="utf-8")
    say(*wrong[:50], f"{len(wrong)} things wrong")
    sys.stdout.write("| what | figure |\n| --- | --- |\n" + "".join(f"| {name} | {value} |\n" for name, value in found))
    return 1 if wrong else 0


def say(*lines: str) -> None:
    for each in lines:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {each}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
