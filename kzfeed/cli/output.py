"""What people see on a terminal: progress, tables and lines. Where there is none, plain lines that scripts can read."""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kzfeed.article.diff import Marked, Step
    from kzfeed.backfill import Progress
    from kzfeed.model import Checked, Finding, StoredVersion
    from kzfeed.poll_once import PollReport

PLAIN_LINE_EVERY_S = 10
NOTES_SHOWN = 10
"""How many notes of one kind are printed in full: after an upgrade there may be one an article."""

# What moves the cursor or reprograms the terminal: feeds may hold it.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


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
        print(f"{article['id']:>6}  {_moment(article['published_at'])}  {article['source']}  {_harmless(title)}")


def print_text(title: str, text: str) -> None:
    """An article as its reader sees it."""
    print("\n".join([_harmless(title), "", *map(_harmless, text.split("\n"))]))


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


def findings_printer() -> Callable[["Finding"], None]:
    """Prints findings as they are made: one line a finding, and of many notes of one kind the first few."""
    notes: Counter[str] = Counter()

    def tell(finding: "Finding") -> None:
        notes[finding.kind] += not finding.is_damage
        if notes[finding.kind] > NOTES_SHOWN:
            return
        sort = "damage" if finding.is_damage else "note"
        print(_harmless(f"{sort}: {finding.kind}: {finding.row}: {finding.found}; {finding.advice}"), flush=True)
        if notes[finding.kind] == NOTES_SHOWN:
            print(f"note: {finding.kind}: any more of these are only counted; --json gives them all")

    return tell


def print_checked(checked: "Checked") -> None:
    """A check of the database in one line."""
    print(
        f"{checked.articles} articles and {checked.revisions} older versions checked: "
        f"{checked.damage or 'no'} damage, {checked.notes or 'no'} notes"
    )


def print_single(version: "StoredVersion") -> None:
    """That there is nothing to compare."""
    seen = f"seen {_moment(version.seen_at)} by {version.source}"
    print(f"revision {version.revision}, {seen}: the archive holds no other version")


def print_steps(steps: Sequence["Step"]) -> None:
    """What changed, a header line a step: in colours on a terminal, else as `[-gone-]{+new+}`. Nothing is wrapped."""
    show = _coloured() or _print_marked
    for number, step in enumerate(steps):
        newer = step.newer
        lead = "\n" if number else ""
        print(
            f"{lead}revision {step.older.revision} → {newer.revision}, seen {_moment(newer.seen_at)} by {newer.source}"
        )
        if not step.is_visible:
            print("… nothing that a reader sees")
            continue
        if step.title is not None:
            show("title: ", step.title)
        for paragraph in step.paragraphs:
            if isinstance(paragraph, int):
                print(f"… {paragraph} paragraph{'s' if paragraph > 1 else ''} unchanged")
            else:
                show("", paragraph)


def _coloured() -> Callable[[str, "Marked"], None] | None:
    """How to print a changed paragraph in colours, where there is a terminal that has some (NO_COLOR)."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True)
    if console.no_color or not console.color_system:
        return None
    styles = {"same": "", "gone": "red strike", "new": "green"}

    def show(lead: str, marked: "Marked") -> None:
        console.print(Text.assemble(lead, *((_harmless(piece.text), styles[piece.mark]) for piece in marked)))

    return show


def _print_marked(lead: str, marked: "Marked") -> None:
    marks = {"same": ("", ""), "gone": ("[-", "-]"), "new": ("{+", "+}")}
    print(lead + "".join(_harmless(piece.text).join(marks[piece.mark]) for piece in marked))


def _harmless(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def _moment(when: datetime | None) -> str:
    return when.strftime("%Y-%m-%d %H:%M") if when else "-               "
