"""Long form of a test of tests/faults: `python -m tests.torture.indexing [--kills 200] [--texts FOLDER]`.

It kills `kzfeed search`, `kzfeed search --rebuild` and the process of the index, on PostgreSQL sometimes their backends
or the whole server instead, while sources show new, revised and withdrawn articles, and searches run. The sentences of
these come from the files of a folder, otherwise from a dictionary. It takes some twenty minutes on two cores. The exit
status is 1 if a search found anything but what it should, and did not say so.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.conftest import ENGINES
from tests.databases import Databases, postgresql_server
from tests.faults.index_kills import IndexFigures, indexing_kills
from tests.search.make_folding_table import dictionary
from tests.search.texts import sentences
from tests.torture.report import say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.indexing", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills on each engine")
    parser.add_argument("--engine", choices=ENGINES, help="only this one, instead of both side by side")
    parser.add_argument("--texts", type=Path, help="a folder with Chinese texts")
    parser.add_argument("--seed", type=int, default=None, help="repeats the instants of an earlier run")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    say(f"seed {seed}")
    used = sentences(options.texts) if options.texts else made_up(random.Random(seed))
    engines = [options.engine] if options.engine else ENGINES
    # Processes and not threads: Alembic keeps what it migrates in variables of its modules.
    with ProcessPoolExecutor(2) as pool:
        results = dict(zip(engines, pool.map(partial(kill, options.kills, seed, used), engines), strict=True))
    for engine, figures in results.items():
        say(
            f"{engine}: {figures.kills} kills and {figures.too_late} that came too late, {figures.rounds} archives",
            *(f"  {count} × {what}" for what, count in sorted(figures.ways.items())),
            f"  {figures.compared} searches of a complete index and {figures.checked} beside kills were compared",
            *(f"  {count} searches beside kills said: {what}" for what, count in sorted(figures.said.items())),
            f"  {len(figures.wrong)} things wrong",
            *figures.wrong,
        )
    return 1 if any(figures.wrong for figures in results.values()) else 0


def kill(kills: int, seed: int, used: Sequence[str], engine: str) -> IndexFigures:
    """The loop on one engine, with a server of its own."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = stack.enter_context(postgresql_server()) if engine == "postgresql" else None
        databases = Databases(Path(folder), server.url if server else "")
        return indexing_kills(databases, engine, kills, random.Random(seed), used, server, progress)


def progress(figures: IndexFigures) -> None:
    sys.stderr.write(f"{figures.kills} kills, {figures.rounds} archives, {len(figures.wrong)} things wrong\n")


def made_up(chance: random.Random) -> list[str]:
    """Sentences of the dictionary's phrases."""
    phrases = [phrase for phrase, _ in dictionary("STPhrases")]
    return ["".join(chance.choices(phrases, k=chance.randint(4, 10))) + "。" for _ in range(5_000)]


if __name__ == "__main__":
    sys.exit(main())
