"""`reader_update.py DATABASE FILE THREADS`: the library `reader` updates the feeds of a file of addresses.

It runs in the interpreter that has `reader`, which need not be ours.
"""

import sys
from importlib import import_module
from pathlib import Path


def main(database: str, file: str, threads: str) -> None:
    """Add the feeds where the database is new, and update them all, whatever their schedule."""
    is_new = not Path(database).exists()
    archive = import_module("reader").make_reader(database)
    if is_new:
        for address in Path(file).read_text().split():
            archive.add_feed(address)
    archive.update_feeds(scheduled=False, workers=int(threads))
    archive.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
