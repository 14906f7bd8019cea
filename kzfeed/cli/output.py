"""Lines and tables on standard output. Every text in them goes through `printable`."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kzfeed.cli import terminal
from kzfeed.instants import json_text, time_text
from kzfeed.text import failure_text, json_line, plural, printable, printable_lines

if TYPE_CHECKING:
    from kzfeed.model.pages import DuePage, PageRecord
    from kzfeed.poll_once import PollReport
    from kzfeed.store.integrity.findings import Checked, Finding


def print_line(line: str) -> None:
    """Print one line, shortened to the width of the terminal if there is one."""
    line = printable(line)
    columns = terminal.width(sys.stdout)
    print(line if columns is None else terminal.shortened(line, columns), flush=True)


def print_sentence(line: str, indent: int = 2) -> None:
    """Print a line, wrapped to the width of the terminal if there is one."""
    line = printable(line)
    columns = terminal.width(sys.stdout)
    print(line if columns is None else terminal.wrapped(line, columns, indent), flush=True)


LABEL = 12
"""The width of the column of labels in `stats` and `status`."""


def print_labelled(label: str, sentence: str) -> None:
    """Print a label and a sentence beside it, wrapped in a column of its own."""
    print_sentence(f"{label:<{LABEL}}{sentence}", indent=LABEL)


def print_json(value: Any) -> None:
    """Print the value as one line of JSON, with times in ISO 8601."""
    print(json_line(value, default=json_text))


def report_line(report: "PollReport") -> str:
    """One poll in one line."""
    status = f" {report.http_status}" if report.http_status else ""
    if report.outcome in ("failed", "skipped"):
        # A poll that was skipped has no kind of failure.
        before = " " if report.error_kind else ": "
        return f"{report.source}: {report.outcome}{status}{before}{failure_text(report.error_kind, report.error)}"
    if report.outcome == "not-modified":
        return f"{report.source}: {report.outcome}{status} ({report.duration_ms} ms)"
    entries = plural(report.entries, "entry", "entries")
    counts = f"{entries}, {report.new} new, {report.revised} revised"
    if report.filtered:
        counts += f", {report.filtered} filtered out"
    if report.flaw:
        counts += f", flaw: {report.flaw}"
    return f"{report.source}: {report.outcome}{status}, {counts} ({report.duration_ms} ms)"


def page_line(page: "DuePage", record: "PageRecord") -> str:
    """One page in one line: `voa: page stored, 河面结冰前的最后一班渡船`."""
    line = f"{page.source_name}: page {record.outcome}"
    if record.error:
        return f"{line} {failure_text(record.error_kind, record.error)} (article {page.article_id})"
    flaw = f", flaw: {record.flaw}" if record.flaw else ""
    return f"{line}, {' '.join(page.title.split()) or page.url}{flaw}"


def page_summary(reports: Sequence["PollReport"]) -> str | None:
    """All pages that a command has fetched in one line: `pages: 12 stored, 1 refused; 3 wait`."""
    pages = [report.pages for report in reports if report.pages]
    if not pages:
        return None
    names = ("stored", "same", "refused", "failed")
    counts = {name: sum(getattr(each, name) for each in pages) for name in names}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none fetched"
    waiting = sum(each.waiting for each in pages)
    return f"pages: {told}; {waiting} {'waits' if waiting == 1 else 'wait'}"


def poll_summary(reports: Sequence["PollReport"]) -> str:
    """All polls of a command in one line: `3 sources: 2 new, 1 failed; 41 articles new, 2 revised`."""
    outcomes = Counter(report.outcome for report in reports)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "nothing to poll"
    new, revised = sum(report.new for report in reports), sum(report.revised for report in reports)
    return f"{plural(len(reports), 'source')}: {counts}; {plural(new, 'article')} new, {revised} revised"


_WIDEST_SOURCE = 24


def print_articles(articles: Sequence[Mapping[str, Any]]) -> None:
    """Print one line for each article below a heading: id, publication date, source, title."""
    from rich.cells import cell_len

    if not articles:
        return
    sources = [printable(article["source"]) for article in articles]
    if terminal.width(sys.stdout) is not None:
        sources = [terminal.shortened(source, _WIDEST_SOURCE) for source in sources]
    width = max(map(cell_len, ["source", *sources]))
    ids = max(6, *(len(str(article["id"])) for article in articles))
    print_line(f"{'id':>{ids}}  {'published (UTC)':<{len(minute(None))}}  {'source':<{width}}  title")
    for article, source in zip(articles, sources, strict=True):
        title = " ".join(article["title"].split()) or article["url"] or article["url_hash"]
        padding = " " * (width - cell_len(source))
        print_line(f"{article['id']:>{ids}}  {minute(article['published_at'])}  {source}{padding}  {title}")


def print_text(title: str, text: str) -> None:
    """Print an article as its reader sees it."""
    print(printable(title), printable_lines(text), sep="\n\n")


class FindingPrinter:
    """Prints each damage as it is found, and at the end one line for each kind of note."""

    def __init__(self) -> None:
        self._notes: dict[str, Finding] = {}
        self._counts: Counter[str] = Counter()

    def __call__(self, finding: "Finding") -> None:
        if finding.is_damage:
            print_sentence(_finding_line("damage", finding))
        else:
            self._notes.setdefault(finding.kind, finding)
            self._counts[finding.kind] += 1

    def print_notes(self) -> None:
        """Print the notes: the first of each kind, and how many there are. --json prints them all."""
        for kind, first in self._notes.items():
            others = self._counts[kind] - 1
            print_sentence(
                _finding_line("note", first) + (f" (and {others:,} more of this kind: see --json)" if others else "")
            )


def _finding_line(severity: str, finding: "Finding") -> str:
    return printable(f"{severity}: {finding.kind}: {finding.row}: {finding.found}; {finding.advice}")


def print_verified(checked: "Checked", folder: Path | None = None) -> None:
    """Print the result of `verify` as one line; with `folder`, that of the comparison of its files."""
    articles, revisions = plural(checked.articles, "article"), plural(checked.revisions, "older version")
    if folder:
        differing = f"{checked.damage:,} differ" if checked.damage else "all as in the database"
        others = f", {plural(checked.notes, 'other file')}" if checked.notes else ""
        print(printable(f"{folder}: {plural(checked.articles, 'file')} compared: {differing}{others}"))
        return
    damage = f"{checked.damage} damaged" if checked.damage else "no damage"
    notes = plural(checked.notes, "note") if checked.notes else "no notes"
    print(f"{articles} and {revisions} checked: {damage}, {notes}")


def minute(when: datetime | None) -> str:
    """A time to the minute, or a dash in as many characters if there is none."""
    return time_text(when) if when else "-               "
