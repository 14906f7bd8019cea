"""Progress on standard error: a bar on a terminal, elsewhere a plain line every ten seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kzfeed.text import plural

PLAIN_LINE_EVERY_S = 10

Advance = Callable[[int, int | None], None]
"""A callback with the number of things done and their total, None where that is unknown."""


@contextmanager
def progress_bar(label: str, noun: str) -> Iterator[Advance]:
    """Show progress while the block runs."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        # Where standard output is this terminal too, rich prints its lines above the bar.
        together = sys.stdout.isatty()
        with Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=together, redirect_stderr=False
        ) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        last_line = time.monotonic()

        def print_line(done: int, _total: int | None) -> None:
            nonlocal last_line
            if time.monotonic() - last_line >= PLAIN_LINE_EVERY_S:
                last_line = time.monotonic()
                print(f"{label}: {plural(done, noun)}", file=sys.stderr, flush=True)

        yield print_line
