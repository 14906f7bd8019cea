"""Output of the long tests: figures and failures, to standard output."""

import sys


def say(*lines: str) -> None:
    """Write lines at once, also into a pipe."""
    for each in lines:
        sys.stdout.write(f"{each}\n")
    sys.stdout.flush()
