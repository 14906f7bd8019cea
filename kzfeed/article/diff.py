"""Differences between versions of an article, for people to read, paragraph by paragraph.

Within a changed paragraph they are marked word by word, or character by character in scripts without spaces.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
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

MAX_MERGED_MATCH = 3
"""The longest match, in characters, that is marked as changed when it lies between two longer changes."""

_TOKEN = re.compile(rf"[{CJK}]|[^\W{CJK}]+|\s+|.", re.DOTALL)
_CLAUSE = re.compile(r"[^。！？；，.!?;,]*[。！？；，.!?;,]+\s*|[^。！？；，.!?;,]+")


@dataclass(frozen=True, slots=True)
class MarkedPiece:
    """A piece of text that is in both versions, or only in the older (`gone`) or the newer one (`new`)."""

    mark: Mark
    text: str


MarkedText = tuple[MarkedPiece, ...]
"""One changed paragraph, piece by piece."""


@dataclass(frozen=True, slots=True)
class RevisionDiff:
    """The differences between two versions. `title` is None if it did not change.

    `paragraphs` lists the changed paragraphs, in order, and for each run of unchanged ones their number.
    """

    older: StoredVersion
    newer: StoredVersion
    title: MarkedText | None
    paragraphs: tuple[MarkedText | int, ...]

    @property
    def is_visible(self) -> bool:
        """Whether a reader of the page would see any difference."""
        return self.title is not None or any(not isinstance(each, int) for each in self.paragraphs)


def revision_diffs(versions: Iterable[StoredVersion]) -> list[RevisionDiff]:
    """The differences from each version to the next.

    Texts are derived from the contents again, so that an older kzfeed's derivation does not look like a change.
    """
    return [
        RevisionDiff(
            older,
            newer,
            title=None if older.title == newer.title else diff_texts(older.title, newer.title),
            paragraphs=tuple(_paragraphs(_lines(older), _lines(newer))),
        )
        for older, newer in pairwise(versions)
    ]


def diff_texts(older: str, newer: str) -> MarkedText:
    """Both texts merged into one, with the pieces marked that only one of them has.

    If they have little in common, only a common beginning and end are kept: scattered matches would be hard to read.
    """
    head, middle, tail = _trimmed(older, newer)
    segments = [head, *_merge_short_matches(_differing(middle.older, middle.newer)), tail]
    if sum(len(each) for each in segments if each.is_same) < MIN_SIMILARITY * min(len(older), len(newer)):
        segments = [head, middle, tail]
    return tuple(piece for each in segments for piece in each.pieces())


def _lines(version: StoredVersion) -> list[str]:
    text = plain_text(version.content)
    return text.split("\n") if text else []


# --- paragraphs ------------------------------------------------------------------------------------------------------


def _paragraphs(older: Sequence[str], newer: Sequence[str]) -> Iterator[MarkedText | int]:
    # The matcher's autojunk keeps it fast on a text that repeats one line a thousand times.
    for kind, i, i_end, j, j_end in SequenceMatcher(None, older, newer).get_opcodes():
        if kind == "equal":
            yield i_end - i
        else:
            yield from _changed(older[i:i_end], newer[j:j_end])


def _changed(older: Sequence[str], newer: Sequence[str]) -> Iterator[MarkedText]:
    i = j = 0
    for next_i, next_j in [*_similar_pairs(older, newer), (len(older), len(newer))]:
        yield from ((MarkedPiece("gone", text),) for text in older[i:next_i])
        yield from ((MarkedPiece("new", text),) for text in newer[j:next_j])
        if next_i < len(older) and next_j < len(newer):
            yield diff_texts(older[next_i], newer[next_j])
        i, j = next_i + 1, next_j + 1


def _similar_pairs(older: Sequence[str], newer: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of an older paragraph and the newer one it became, in order, with the greatest total similarity."""
    if len(older) * len(newer) > MAX_PARAGRAPH_PAIRS:
        return []
    bags = [_word_counts(text) for text in older], [_word_counts(text) for text in newer]
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
    return Counter(token for token in _TOKEN.findall(text) if not token.isspace())


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
    tokens = _TOKEN.findall(older), _TOKEN.findall(newer)
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


def _differing(older: str, newer: str, cut: re.Pattern[str] = _TOKEN) -> Iterator[_Segment]:
    """Both texts, split into equal and differing segments; long texts clause by clause first."""
    parts = cut.findall(older), cut.findall(newer)
    if cut is _TOKEN and max(map(len, parts)) > MAX_TOKENS:
        for segment in _differing(older, newer, _CLAUSE):
            short = max(len(_TOKEN.findall(text)) for text in (segment.older, segment.newer)) <= MAX_TOKENS
            yield from _differing(segment.older, segment.newer) if short and not segment.is_same else [segment]
        return
    # autojunk would ignore frequent characters; frequent clauses may be ignored.
    matcher = SequenceMatcher(None, *parts, autojunk=cut is _CLAUSE)
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
