"""What people see on a terminal: progress, tables and lines. Where there is none, plain lines that scripts can read."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kzfeed.backfill import Progress
    from kzfeed.service import PollReport

PLAIN_LINE_EVERY_S = 10


@contextmanager
def progress(
    paths: Sequence[Path], find_files: Callable[[Iterable[Path]], Iterable[Path]]
) -> Iterator[Callable[["Progress"], None]]:
    """A progress bar on standard error while the block runs; no terminal: a plain line now and then."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        total = sum(1 for _ in find_files(paths))
        columns = (TextColumn("backfill"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("backfill", total=total)
            yield lambda done: bar.update(task, completed=done.files)
    else:
        told = time.monotonic()

        def tell(done: "Progress") -> None:
            nonlocal told
            if time.monotonic() - told >= PLAIN_LINE_EVERY_S:
                told = time.monotonic()
                print(f"{done.files} files", file=sys.stderr, flush=True)

        yield tell


def poll_line(report: "PollReport") -> str:
    """One poll in one line."""
    status = f" {report.http_status}" if report.http_status else ""
    if report.outcome in ("failed", "skipped"):
        kind = f" {report.error_kind}" if report.error_kind else ""
        return f"{report.source}: {report.outcome}{status}{kind}: {report.error}"
    counts = f"{report.entries} entries, {report.new} new, {report.revised} revised"
    return f"{report.source}: {report.outcome}{status}, {counts} ({report.duration_ms} ms)"


def print_articles(articles: Sequence[Mapping[str, Any]]) -> None:
    """One line an article: id, publication date, source, title."""
    for article in articles:
        title = " ".join(article["title"].split()) or article["url"] or article["url_hash"]
        print(f"{article['id']:>6}  {_moment(article['published_at'])}  {article['source']}  {title}")


def print_sources(sources: Sequence[Mapping[str, Any]]) -> None:
    """One line a source: name, status, articles, last success, next poll, and its error if it has one."""
    width = max((len(source["name"]) for source in sources), default=0)
    for source in sources:
        line = (
            f"{source['name']:<{width}}  {source['status']:<8}{source['articles']:>7} articles  "
            f"last success {_moment(source['last_success_at'])}  next poll {_moment(source['next_poll_at'])}"
        )
        print(line + (f"  {source['last_error']}" if source["last_error"] else ""))


def print_figures(figures: Mapping[str, Any]) -> None:
    """One line a figure."""
    width = max(map(len, figures))
    for name, figure in figures.items():
        print(f"{name.replace('_', ' '):<{width}}  {_moment(figure) if isinstance(figure, datetime) else figure or 0}")


def _moment(when: datetime | None) -> str:
    return when.strftime("%Y-%m-%d %H:%M") if when else "-               "
