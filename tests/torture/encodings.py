"""Transcodings of many texts: `python -m tests.torture.encodings > table.md` prints how the documents were read.

Each text is tried in the encodings that can express it, declared rightly, wrongly and not at all. The texts are those
of the project, and those of the feeds and archive files below the folders that are named. What was wrong without a flag
is printed to standard error, and the exit status is 1 if there was any.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

from tests.feed.transcoding import KINDS, SHARED, own_texts, real_texts, stretch, trials

RESULTS = {
    (True, False): "right",
    (True, True): "right, flagged",
    (False, True): "wrong, flagged",
    (False, False): "wrong, not flagged",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.encodings", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[SHARED], help="folders of feeds and archive files")
    parser.add_argument("--length", type=int, default=1000, help="characters of each text")
    parser.add_argument("--encodings", type=int, default=8, help="encodings of each text")
    parser.add_argument("--wrong", type=int, default=4, help="wrong declarations of each document")
    options = parser.parse_args()
    texts = own_texts() + [text for folder in options.folders for text in real_texts(folder)]
    count = len(texts)
    with ProcessPoolExecutor() as pool:
        each = pool.map(
            tried,
            (stretch(text, options.length) for text in texts),
            range(count),
            [options.encodings] * count,
            [options.wrong] * count,
            chunksize=8,
        )
        found = [result for results in each for result in results]
    for _, result, what in found:
        if result == (False, False):
            sys.stderr.write(f"{what}\n")
    sys.stderr.write(f"{count} texts, {len(found)} documents\n")
    sys.stdout.write(table(Counter((kind, result) for kind, result, _ in found)))
    return 1 if any(result == (False, False) for _, result, _ in found) else 0


def tried(text: str, seed: int, encodings: int, wrong: int) -> list[tuple[str, tuple[bool, bool], str]]:
    """The kind, the result and the description of every document that is made of a text."""
    return [(each.kind, each.result(), str(each)) for each in trials(text, Random(seed), encodings, wrong)]


def table(counts: Counter[tuple[str, tuple[bool, bool]]]) -> str:
    lines = [f"| | documents | {' | '.join(RESULTS.values())} |", "| --- | --- | --- | --- | --- | --- |"]
    for kind in KINDS:
        whole = sum(count for (each, _), count in counts.items() if each == kind)
        parts = [counts[kind, result] for result in RESULTS]
        cells = [f"{100 * part / max(1, whole):.1f} %" for part in parts[:3]] + [str(parts[3])]
        lines.append(f"| {kind} | {whole} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
