"""Fuzz loop over damaged feeds, archive files and markup: `python -m tests.torture.documents COUNT [SEED]`.

Each failure is printed with its seed, and the loop goes on. The exit status is 1 if there was one.
"""

import argparse
import sys
import time
from collections import Counter
from random import Random

from tests.sandbox.test_fuzz import (
    CODECS,
    archive_files,
    check_archive_file,
    check_document,
    check_html,
    feeds,
    made,
    mutated,
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.documents", description="Fuzz loop.")
    parser.add_argument("count", type=int, help="documents to check")
    parser.add_argument("seed", type=int, nargs="?", default=0, help="seed of the first document")
    options = parser.parse_args()
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    began = time.monotonic()
    for seed in range(options.seed, options.seed + options.count):
        start = time.process_time()
        try:
            outcomes[check(seed)] += 1
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            outcomes["WRONG"] += 1
            sys.stdout.write(f"seed {seed}: {type(error).__name__}: {str(error)[:300]}\n")
        slowest = max(slowest, time.process_time() - start)
    took = time.monotonic() - began
    sys.stdout.write(f"{options.count} in {took:.0f} s, the slowest {slowest:.1f} s: {dict(outcomes)}\n")
    return 1 if outcomes["WRONG"] else 0


def check(seed: int) -> str:
    """Check the document of this seed; the outcome in a word."""
    chance = Random(seed)
    match seed % 10:
        case 0 | 1:
            return check_archive_file(mutated(archive_files(), chance))
        case 2:
            return check_html(mutated(archive_files(), chance).decode("utf-8", "replace"))
        case 3 | 4 | 5:
            return check_document(mutated([made(chance)], chance) if seed % 2 else made(chance))
        case _:
            content_type = chance.choice(("text/xml", f"text/xml; charset={chance.choice(CODECS)}"))
            return check_document(mutated(feeds(), chance), content_type)


if __name__ == "__main__":
    sys.exit(main())
