"""`python -m benchmarks.simulation`: the table in docs/decisions/auto-interval.md, in a minute or two."""

import sys

from benchmarks.simulation.report import table
from benchmarks.simulation.world import DAY, world

SOURCES, DAYS = 300, 90

sys.stdout.write(
    f"{SOURCES} synthetic sources over {DAYS} days: requests a source and day · entries missed · mean delay\n\n"
    f"{table(world(SOURCES, DAYS), DAYS * DAY)}\n"
)
