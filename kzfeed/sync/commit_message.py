"""Messages of commits: the first line counts what came from each source, the body names titles. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from kzfeed.sync.folder import FileChange
from kzfeed.text import plural, printable, shortened

MAX_SOURCES = 3
"""The most sources that the first line names."""
MAX_TITLES = 50
_COUNTED = ("new", "revised", "moved", "removed")
_WIDEST_TITLE = 120


def message_of(changes: Iterable[FileChange]) -> str:
    """The message for these changes: `voa: 3 new, 1 revised; bbc: 2 new`, an empty line, and the titles."""
    counted = [change for change in dict.fromkeys(changes) if change.kind in _COUNTED]
    if not counted:
        return "Update lists"
    by_source: dict[str, Counter[str]] = {}
    for change in counted:
        by_source.setdefault(change.source, Counter())[change.kind] += 1
    largest = sorted(by_source, key=lambda source: (-by_source[source].total(), source))
    parts = [f"{source}: {_counts(by_source[source])}" for source in largest[:MAX_SOURCES]]
    if others := largest[MAX_SOURCES:]:
        parts.append(
            f"{plural(len(others), 'other source')}: {_counts(sum((by_source[each] for each in others), Counter()))}"
        )
    return "\n".join([printable("; ".join(parts)), "", *_titles(counted)])


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in _COUNTED if counts[kind])


def _titles(changes: Sequence[FileChange]) -> list[str]:
    lines = [f"{change.kind}: {_shown(change)}" for change in changes[:MAX_TITLES]]
    if (more := len(changes) - MAX_TITLES) > 0:
        lines.append(f"and {more:,} more")
    return lines


def _shown(change: FileChange) -> str:
    title = printable(" ".join(change.title.split())) or change.path or change.removed[0]
    return shortened(title, _WIDEST_TITLE)
