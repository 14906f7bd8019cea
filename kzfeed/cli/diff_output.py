"""Differences between versions of an article on standard output.

They are coloured on a terminal and marked as `[-gone-]{+new+}` elsewhere. No line is wrapped.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kzfeed.cli.output import minute
from kzfeed.text import plural, printable

if TYPE_CHECKING:
    from kzfeed.article.diff import MarkedText, RevisionDiff
    from kzfeed.model.articles import StoredVersion


def print_only_version(version: "StoredVersion") -> None:
    """Say that the article has one version and nothing to compare it with."""
    seen = f"seen {minute(version.seen_at)} by {version.source}"
    print(printable(f"revision {version.revision}, {seen}: the archive holds no other version"))


def print_diffs(revision_diffs: Sequence["RevisionDiff"]) -> None:
    """Print each step as a header line and its changed paragraphs."""
    from kzfeed.article.diff import Unchanged

    print_changed = _coloured() or _print_marked
    for number, step in enumerate(revision_diffs):
        newer = step.newer
        if number:
            print()
        print(
            printable(
                f"revision {step.older.revision} → {newer.revision}, seen {minute(newer.seen_at)} by {newer.source}"
            )
        )
        if not step.is_visible:
            print("… nothing that a reader sees")
            continue
        if step.title is not None:
            print_changed("title: ", step.title)
        for paragraph in step.paragraphs:
            if isinstance(paragraph, Unchanged):
                print(f"… {plural(len(paragraph.paragraphs), 'paragraph')} unchanged")
            else:
                print_changed("", paragraph)


def _coloured() -> Callable[[str, "MarkedText"], None] | None:
    """A function that prints a changed paragraph in colours; None where standard output has none (NO_COLOR)."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True)
    if console.no_color or not console.color_system:
        return None
    styles = {"same": "", "gone": "red strike", "new": "green"}

    def print_changed(prefix: str, marked: "MarkedText") -> None:
        console.print(Text.assemble(prefix, *((printable(piece.text), styles[piece.mark]) for piece in marked)))

    return print_changed


def _print_marked(prefix: str, marked: "MarkedText") -> None:
    marks = {"same": ("", ""), "gone": ("[-", "-]"), "new": ("{+", "+}")}
    print(prefix + "".join(printable(piece.text).join(marks[piece.mark]) for piece in marked))
