"""Differences between versions of an article, for people to read, paragraph by paragraph.

Within a changed paragraph they are marked word by word, or character by character in scripts without spaces. A
comparison is bounded: of texts that would take too long, longer parts are marked as changed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import pairwise
from typing import Literal

from kzfeed.article.html.content import plain_text
from kzfeed.article.strings import CJK
from kzfeed.model.articles import StoredVersion

Mark = Literal["same", "gone", "new"]

MIN_SIMILARITY = 0.5
"""The share of words or characters in common from which a paragraph counts as a changed form of another."""

MAX_PARAGRAPH_PAIRS = 2_500
MAX_TOKENS = 1_500
"""Limits (pairs of paragraphs, tokens of one text) above which nothing similar is searched: the search is quadratic."""

MAX_STEPS = 400_000
"""How many pairs of equal tokens or paragraphs one comparison looks at: about a tenth of a second."""

MAX_MERGED_MATCH = 3
"""The longest match, in characters, that is marked as changed when it lies between two longer changes."""

TOKEN = re.compile(rf"[{CJK}]|[^\W{CJK}]+|\s+|.", re.DOTALL)
"""A word, a character of a script without spaces, white space, or any other character."""
_CLAUSE = re.compile(r"[^。！？；，.!?;,]*[。！？；，.!?;,]+\s*|[^。！？；，.!?;,]+")


@dataclass(frozen=True, slots=True)
class MarkedPiece:
    """A piece of text that is in both versions, or only in the older (`gone`) or the newer one (`new`)."""

    mark: Mark
    text: str


MarkedText = tuple[MarkedPiece, ...]
"""One changed paragraph, piece by piece."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A run of paragraphs that both versions have."""

    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RevisionDiff:
    """The differences between two versions. `title` is None if it did not change.

    `paragraphs` lists the changed paragraphs and the runs of unchanged ones, in order.
    """

    older: StoredVersion
    newer: StoredVersion
    title: MarkedText | None
    paragraphs: tuple[MarkedText | Unchanged, ...]

    @property
    def is_visible(self) -> bool:
        """Whether a reader of the page would see any difference."""
        return self.title is not None or any(not isinstance(each, Unchanged) for each in self.paragraphs)


def revision_diffs(versions: Iterable[StoredVersion]) -> list[RevisionDiff]:
    """The differences from each version to the next.

    Texts are derived from the contents again, so that an older kzfeed's derivation does not look like a change.
    """
    return [_revision_diff(older, newer, _Steps()) for older, newer in pairwise(versions)]


def _revision_diff(older: StoredVersion, newer: StoredVersion, steps: "_Steps") -> RevisionDiff:
    # The title first, because it is short and matters most.
    title = None if older.title == newer.title else _diff_texts(older.title, newer.title, steps)
    return RevisionDiff(older, newer, title, tuple(_paragraphs(_lines(older), _lines(newer), steps)))


def diff_texts(older: str, newer: str) -> MarkedText:
    """Both texts merged into one, with the pieces marked that only one of them has.

    If they have little in common, only a common beginning and end are kept: scattered matches would be hard to read.
    """
    return _diff_texts(older, newer, _Steps())


def _diff_texts(older: str, newer: str, steps: "_Steps") -> MarkedText:
    head, middle, tail = _trimmed(older, newer)
    segments = [head, *_merge_short_matches(_differing(middle.older, middle.newer, steps)), tail]
    if sum(len(each) for each in segments if each.is_same) < MIN_SIMILARITY * min(len(older), len(newer)):
        segments = [head, middle, tail]
    return tuple(piece for each in segments for piece in each.pieces())


def _lines(version: StoredVersion) -> list[str]:
    text = plain_text(version.content)
    return text.split("\n") if text else []


# --- bounded work ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Steps:
    """The steps that are left to one comparison."""

    left: int = MAX_STEPS

    def take(self, number: int) -> bool:
        """Use this number of steps, and return whether as many were left."""
        if number > self.left:
            return False
        self.left -= number
        return True


class _Matcher(SequenceMatcher[str]):
    """Matcher of two sequences that finds no more matches when the steps are used up."""

    b2j: dict[str, list[int]]  # documented, but not in the stubs of mypy

    def __init__(self, older: Sequence[str], newer: Sequence[str], steps: _Steps, *, autojunk: bool) -> None:
        super().__init__(None, older, newer, autojunk)
        self._older, self._steps = older, steps

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        searched = self._older[alo:ahi]
        pairs = sum(len(self.b2j.get(element, ())) for element in searched)
        # An element takes about as long as three pairs.
        if not self._steps.take(3 * len(searched) + pairs):
            return Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)


# --- paragraphs ------------------------------------------------------------------------------------------------------


def _paragraphs(older: Sequence[str], newer: Sequence[str], steps: _Steps) -> Iterator[MarkedText | Unchanged]:
    # The matcher's autojunk keeps it fast on a text that repeats one line a thousand times.
    for kind, i, i_end, j, j_end in _Matcher(older, newer, steps, autojunk=True).get_opcodes():
        if kind == "equal":
            yield Unchanged(tuple(older[i:i_end]))
        else:
            yield from _changed(older[i:i_end], newer[j:j_end], steps)


def _changed(older: Sequence[str], newer: Sequence[str], steps: _Steps) -> Iterator[MarkedText]:
    i = j = 0
    for next_i, next_j in [*_similar_pairs(older, newer, steps), (len(older), len(newer))]:
        yield from ((MarkedPiece("gone", text),) for text in older[i:next_i])
        yield from ((MarkedPiece("new", text),) for text in newer[j:next_j])
        if next_i < len(older) and next_j < len(newer):
            yield _diff_texts(older[next_i], newer[next_j], steps)
        i, j = next_i + 1, next_j + 1


def _similar_pairs(older: Sequence[str], newer: Sequence[str], steps: _Steps) -> list[tuple[int, int]]:
    """Pairs of an older paragraph and the newer one it became, in order, with the greatest total similarity."""
    if len(older) * len(newer) > MAX_PARAGRAPH_PAIRS:
        return []
    bags = [_word_counts(text) for text in older], [_word_counts(text) for text in newer]
    if not steps.take(len(newer) * sum(map(len, bags[0]))):
        return []
    # best[i][j]: total similarity and pairs of the paragraphs from i and j on
    best: list[list[tuple[float, list[tuple[int, int]]]]] = [
        [(0.0, [])] * (len(newer) + 1) for _ in range(len(older) + 1)
    ]
    for i in reversed(range(len(older))):
        for j in reversed(range(len(newer))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], key=lambda each: each[0])
            similarity = _similarity(bags[0][i], bags[1][j])
            rest, pairs = best[i + 1][j + 1]
            if similarity >= MIN_SIMILARITY and similarity + rest > best[i][j][0]:
                best[i][j] = similarity + rest, [(i, j), *pairs]
    return best[0][0][1]


def _word_counts(text: str) -> Counter[str]:
    return Counter(token for token in TOKEN.findall(text) if not token.isspace())


def _similarity(older: Counter[str], newer: Counter[str]) -> float:
    size = older.total() + newer.total()
    return 2 * (older & newer).total() / size if size else 1.0


# --- words and characters --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Segment:
    """A pair of texts that correspond to each other, equal or not."""

    older: str
    newer: str

    @property
    def is_same(self) -> bool:
        return self.older == self.newer

    def pieces(self) -> list[MarkedPiece]:
        marked = (
            [MarkedPiece("same", self.older)]
            if self.is_same
            else [MarkedPiece("gone", self.older), MarkedPiece("new", self.newer)]
        )
        return [piece for piece in marked if piece.text]

    def __add__(self, other: "_Segment") -> "_Segment":
        return _Segment(self.older + other.older, self.newer + other.newer)

    def __len__(self) -> int:
        return max(len(self.older), len(self.newer))


def _trimmed(older: str, newer: str) -> tuple[_Segment, _Segment, _Segment]:
    """The common beginning of both texts, what differs, and their common end."""
    tokens = TOKEN.findall(older), TOKEN.findall(newer)
    start = _shared(*tokens)
    end = _shared(*(each[start:][::-1] for each in tokens))
    head = "".join(tokens[0][:start])
    gone, new = ("".join(each[start : len(each) - end]) for each in tokens)
    tail = older[len(head) + len(gone) :]
    return _Segment(head, head), _Segment(gone, new), _Segment(tail, tail)


def _shared(older: Sequence[str], newer: Sequence[str]) -> int:
    """How many tokens at the beginning are equal."""
    return next(
        (number for number, (one, other) in enumerate(zip(older, newer, strict=False)) if one != other),
        min(len(older), len(newer)),
    )


def _differing(older: str, newer: str, steps: _Steps, cut: re.Pattern[str] = TOKEN) -> Iterator[_Segment]:
    """Both texts, split into equal and differing segments; long texts clause by clause first."""
    parts = cut.findall(older), cut.findall(newer)
    if cut is TOKEN and max(map(len, parts)) > MAX_TOKENS:
        for segment in _differing(older, newer, steps, _CLAUSE):
            short = max(len(TOKEN.findall(text)) for text in (segment.older, segment.newer)) <= MAX_TOKENS
            yield from _differing(segment.older, segment.newer, steps) if short and not segment.is_same else [segment]
        return
    # autojunk would ignore frequent characters; frequent clauses may be ignored.
    matcher = _Matcher(*parts, steps, autojunk=cut is _CLAUSE)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        yield _Segment("".join(parts[0][i:i_end]), "".join(parts[1][j:j_end]))


def _merge_short_matches(segments: Iterable[_Segment]) -> list[_Segment]:
    """Merge a short match into the longer changes on both sides of it: it is mostly chance."""
    smooth: list[_Segment] = []
    for segment in segments:
        if smooth and not segment.is_same and not smooth[-1].is_same:
            smooth[-1] += segment
            continue
        if len(smooth) > 1 and not segment.is_same:
            before, between = smooth[-2:]
            if len(between) <= MAX_MERGED_MATCH and len(between) < min(len(before), len(segment)):
                smooth[-2:] = [before + between + segment]
                continue
        smooth.append(segment)
    return smooth
