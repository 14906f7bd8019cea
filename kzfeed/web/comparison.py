"""The page that compares two versions of an article, side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, zip_longest
from typing import Any

from kzfeed.article.diff import MarkedPiece, MarkedText, RevisionDiff, Unchanged, revision_diffs
from kzfeed.errors import UsageError
from kzfeed.model.articles import StoredVersion
from kzfeed.web.article import article_of, version_of, versions_of
from kzfeed.web.page import Moved, Page, PageRequest, PageRoute
from kzfeed.web.templates import HASH_DIGITS, article_address

SURROUNDINGS = 2
"""How many unchanged paragraphs are shown before and after a changed one."""
MAX_LENGTH = 200_000
"""The most characters that both versions may have together: longer ones take too long to compare."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Unchanged paragraphs that are shown on demand."""

    paragraphs: Sequence[str]


@dataclass(frozen=True, slots=True)
class ComparedParagraph:
    """A paragraph as the older and as the newer version has it; None where one has no such paragraph."""

    older: MarkedText | None
    newer: MarkedText | None
    is_changed: bool = True


def comparison(request: PageRequest) -> Page | Moved:
    """The page of two versions, with the changed paragraphs and those around them."""
    found = article_of(request)
    numbers = [request.path[name] for name in ("older", "newer")]
    held = versions_of(request, found)
    older, newer = (version_of(request, found, number) for number in numbers)
    if older.revision >= newer.revision:
        raise UsageError(f"{numbers[0]}..{numbers[1]} compares no older version with a newer one")
    address = article_address(found.url_hash)
    if len(request.path["hash"]) != HASH_DIGITS:
        return Moved(f"{address}/diff/{'..'.join(numbers)}")
    diff = _diff(older, newer)
    return Page(
        title=request.translate("diff.title", older=numbers[0], newer=numbers[1]),
        values={
            "article": found,
            "address": address,
            "older": older,
            "newer": newer,
            "diff": diff,
            "steps": _steps([version.revision for version in held], older.revision, newer.revision),
            "rows": None if diff is None else list(rows(diff)),
            "title_row": diff and diff.title and _row(diff.title),
        },
        data={
            "url_hash": found.url_hash,
            "url": found.url,
            "older": _version_json(older),
            "newer": _version_json(newer),
            **_diff_json(diff),
        },
        # The date of the newest version may still be corrected.
        is_immutable=newer.revision < found.revision,
    )


def _steps(revisions: Sequence[int], older: int, newer: int) -> list[tuple[int, int]]:
    """The pairs of versions that the page offers: the neighbours of these two, and the first with the last."""
    pairs = list(pairwise(revisions))
    near = [pair for pair in pairs if older in pair or newer in pair]
    return list(dict.fromkeys([*near, (older, newer), (revisions[0], revisions[-1])]))


def _diff(older: StoredVersion, newer: StoredVersion) -> RevisionDiff | None:
    """The differences, or None if the versions are too long."""
    if len(older.content) + len(newer.content) > MAX_LENGTH:
        return None
    return revision_diffs([older, newer])[0]


def rows(diff: RevisionDiff) -> Iterator[ComparedParagraph | Folded]:
    """The rows of the table: changed paragraphs with the unchanged ones around them, and folded ones."""
    changed: list[ComparedParagraph] = []
    last = len(diff.paragraphs) - 1
    for place, part in enumerate(diff.paragraphs):
        if isinstance(part, Unchanged):
            yield from _side_by_side(changed)
            changed = []
            yield from _unchanged(part.paragraphs, after=place > 0, before=place < last)
        else:
            changed.append(_row(part))
    yield from _side_by_side(changed)


def _side_by_side(changed: Sequence[ComparedParagraph]) -> Iterator[ComparedParagraph]:
    """The rows, with deleted paragraphs beside those that replaced them."""
    for is_in_both, group in groupby(changed, lambda row: row.older is not None and row.newer is not None):
        together = list(group)
        if is_in_both:
            yield from together
            continue
        older = [row.older for row in together if row.older]
        newer = [row.newer for row in together if row.newer]
        yield from (ComparedParagraph(*pair) for pair in zip_longest(older, newer))


def _unchanged(paragraphs: Sequence[str], *, after: bool, before: bool) -> Iterator[ComparedParagraph | Folded]:
    """Unchanged paragraphs after or before changed ones: the nearest are shown, the others folded."""
    shown_first = SURROUNDINGS if after else 0
    shown_last = SURROUNDINGS if before else 0
    end = max(len(paragraphs) - shown_last, shown_first)
    folded = paragraphs[shown_first:end]
    if len(folded) == 1:  # the line that unfolds it would be as long
        shown_first, folded = shown_first + 1, ()
    yield from map(_same, paragraphs[:shown_first])
    if folded:
        yield Folded(folded)
    yield from map(_same, paragraphs[end:])


def _same(paragraph: str) -> ComparedParagraph:
    text = (MarkedPiece("same", paragraph),)
    return ComparedParagraph(text, text, is_changed=False)


def _row(marked: MarkedText) -> ComparedParagraph:
    older = tuple(piece for piece in marked if piece.mark != "new")
    newer = tuple(piece for piece in marked if piece.mark != "gone")
    return ComparedParagraph(older or None, newer or None)


# --- JSON ------------------------------------------------------------------------------------------------------------


def _version_json(version: StoredVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in ("revision", "title", "seen_at", "source", "published_at")}


def _diff_json(diff: RevisionDiff | None) -> dict[str, Any]:
    """The differences piece by piece; null where the versions are too long."""
    if diff is None:
        return {"title": None, "paragraphs": None}
    return {"title": diff.title and _pieces(diff.title), "paragraphs": list(map(_paragraph_json, diff.paragraphs))}


def _paragraph_json(part: MarkedText | Unchanged) -> dict[str, Any]:
    return {"unchanged": len(part.paragraphs)} if isinstance(part, Unchanged) else {"pieces": _pieces(part)}


def _pieces(marked: MarkedText) -> list[dict[str, str]]:
    return [{"mark": piece.mark, "text": piece.text} for piece in marked]


PAGES = (PageRoute("/a/{hash}/diff/{older}..{newer}", comparison, "comparison.html"),)
