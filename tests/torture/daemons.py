"""Long form of tests/faults/test_many_daemons.py: `python -m tests.torture.daemons` takes about five minutes.

It prints what one, two and four daemons on one PostgreSQL did, and what became of the sources of a killed and of a
stopped one. The exit status is 1 if a request came too early, or a source was polled by two daemons.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.databases import Databases, postgresql_server
from tests.faults.many_daemons import takeover, visits_of_many_daemons
from tests.torture.report import say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.daemons", description=__doc__)
    parser.add_argument("--visits", type=int, default=900)
    parser.add_argument("--kills", type=int, default=2, help="rounds with a killed and a stopped daemon")
    options = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name, postgresql_server() as server:
        databases = Databases(Path(name), server.url)
        for daemons, gap in ((1, 0.2), (2, 0.2), (4, 0.2), (4, 1.0)):
            folder = Path(name) / f"{daemons}-{gap}"
            folder.mkdir()
            url = databases.new("postgresql")
            seen = visits_of_many_daemons(
                folder, url, daemons=daemons, gap=gap, hosts=30, sources=10, visits=options.visits
            )
            say(
                f"{daemons} daemons, gap {gap:g} s: {seen.visits} requests in {seen.seconds:.0f} s, "
                f"{len(seen.early)} too early, shortest gap {seen.shortest_pause:.3f} s"
            )
            wrong += seen.early
        for number in range(options.kills):
            folder = Path(name) / f"kill-{number}"
            folder.mkdir()
            lost = takeover(folder, databases.new("postgresql"))
            say(f"taken over: killed daemon's sources in {lost.killed:.1f} s, stopped one's in {lost.stopped:.1f} s")
            wrong += lost.wrong
    say(*wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
