"""Two versions of an article in, what changed between them out: for reading, paragraph by paragraph.

Within a changed paragraph the changes are marked word by word, and character by character where the script has no
spaces.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal

from kzfeed.article.html.content import plain_text
from kzfeed.model import StoredVersion

Mark = Literal["same", "gone", "new"]

ALIKE = 0.5
"""The share of words or characters that two paragraphs have in common when one is taken for the other, changed."""

MOST_PAIRS = 2_500
MOST_TOKENS = 1_500
"""Beyond these (paragraphs against paragraphs, tokens of one text) no likeness is looked for: the work is quadratic."""

LONGEST_CRUMB = 3
"""How many characters between two changes may be marked along with them."""

# Han, kana, Hangul, and their punctuation: a character is a token. Else a word, white space, or a character.
_CJK = "\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|\s+|.", re.DOTALL)
_CLAUSE = re.compile(r"[^。！？；，.!?;,]*[。！？；，.!?;,]+\s*|[^。！？；，.!?;,]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that both versions have, or only the older (`gone`) or only the newer one (`new`)."""

    mark: Mark
    text: str


Marked = tuple[Piece, ...]
"""One changed paragraph, piece by piece."""


@dataclass(frozen=True, slots=True)
class Step:
    """What changed between two versions. `title` is None where it did not change.

    `paragraphs` has in their order the changed paragraphs, and for each stretch without change the number of its
    paragraphs.
    """

    older: StoredVersion
    newer: StoredVersion
    title: Marked | None
    paragraphs: tuple[Marked | int, ...]

    @property
    def is_visible(self) -> bool:
        """Whether a reader of the page would see any difference."""
        return self.title is not None or any(not isinstance(each, int) for each in self.paragraphs)


def steps(versions: Iterable[StoredVersion]) -> list[Step]:
    """What changed from each version to the next.

    The text is read out of the content anew, so that what an older kzfeed read otherwise does not look like a change.
    """
    return [
        Step(
            older,
            newer,
            title=None if older.title == newer.title else mark(older.title, newer.title),
            paragraphs=tuple(_paragraphs(_lines(older), _lines(newer))),
        )
        for older, newer in pairwise(versions)
    ]


def mark(older: str, newer: str) -> Marked:
    """Both texts as one, with what only one of them has marked.

    Where they have little in common, that is what they share at both ends: shared characters strewn over another text
    help nobody.
    """
    head, middle, tail = _trimmed(older, newer)
    segments = [head, *_smooth(_differing(middle.older, middle.newer)), tail]
    if sum(len(each) for each in segments if each.is_same) < ALIKE * min(len(older), len(newer)):
        segments = [head, middle, tail]
    return tuple(piece for each in segments for piece in each.pieces())


def _lines(version: StoredVersion) -> list[str]:
    text = plain_text(version.content)
    return text.split("\n") if text else []


# --- paragraphs ------------------------------------------------------------------------------------------------------


def _paragraphs(older: Sequence[str], newer: Sequence[str]) -> Iterator[Marked | int]:
    # With its rule about popular lines the matcher stays fast where one line stands there a thousand times.
    for kind, i, i_end, j, j_end in SequenceMatcher(None, older, newer).get_opcodes():
        if kind == "equal":
            yield i_end - i
        else:
            yield from _changed(older[i:i_end], newer[j:j_end])


def _changed(older: Sequence[str], newer: Sequence[str]) -> Iterator[Marked]:
    i = j = 0
    for next_i, next_j in [*_alike(older, newer), (len(older), len(newer))]:
        yield from ((Piece("gone", text),) for text in older[i:next_i])
        yield from ((Piece("new", text),) for text in newer[j:next_j])
        if next_i < len(older) and next_j < len(newer):
            yield mark(older[next_i], newer[next_j])
        i, j = next_i + 1, next_j + 1


def _alike(older: Sequence[str], newer: Sequence[str]) -> list[tuple[int, int]]:
    """Which of the newer paragraphs each older one became: pairs in order, as much likeness in all as there can be."""
    if len(older) * len(newer) > MOST_PAIRS:
        return []
    bags = [_bag(text) for text in older], [_bag(text) for text in newer]
    # best[i][j]: the likeness in all, and the pairs, of the paragraphs from i and j on
    best: list[list[tuple[float, list[tuple[int, int]]]]] = [
        [(0.0, [])] * (len(newer) + 1) for _ in range(len(older) + 1)
    ]
    for i in reversed(range(len(older))):
        for j in reversed(range(len(newer))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], key=lambda each: each[0])
            likeness = _likeness(bags[0][i], bags[1][j])
            rest, pairs = best[i + 1][j + 1]
            if likeness >= ALIKE and likeness + rest > best[i][j][0]:
                best[i][j] = likeness + rest, [(i, j), *pairs]
    return best[0][0][1]


def _bag(text: str) -> Counter[str]:
    return Counter(token for token in _TOKEN.findall(text) if not token.isspace())


def _likeness(older: Counter[str], newer: Counter[str]) -> float:
    size = older.total() + newer.total()
    return 2 * (older & newer).total() / size if size else 1.0


# --- words and characters --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Segment:
    """A stretch of both texts that is the same in both, or not."""

    older: str
    newer: str

    @property
    def is_same(self) -> bool:
        return self.older == self.newer

    def pieces(self) -> list[Piece]:
        marked = [Piece("same", self.older)] if self.is_same else [Piece("gone", self.older), Piece("new", self.newer)]
        return [piece for piece in marked if piece.text]

    def __add__(self, other: "_Segment") -> "_Segment":
        return _Segment(self.older + other.older, self.newer + other.newer)

    def __len__(self) -> int:
        return max(len(self.older), len(self.newer))


def _trimmed(older: str, newer: str) -> tuple[_Segment, _Segment, _Segment]:
    """What the texts have in common at their beginnings, what differs, and what they have in common at their ends."""
    tokens = _TOKEN.findall(older), _TOKEN.findall(newer)
    start = _shared(*tokens)
    end = _shared(*(each[start:][::-1] for each in tokens))
    head = "".join(tokens[0][:start])
    gone, new = ("".join(each[start : len(each) - end]) for each in tokens)
    tail = older[len(head) + len(gone) :]
    return _Segment(head, head), _Segment(gone, new), _Segment(tail, tail)


def _shared(older: Sequence[str], newer: Sequence[str]) -> int:
    """How many tokens both begin with."""
    return next(
        (number for number, (one, other) in enumerate(zip(older, newer, strict=False)) if one != other),
        min(len(older), len(newer)),
    )


def _differing(older: str, newer: str, cut: re.Pattern[str] = _TOKEN) -> Iterator[_Segment]:
    """The texts cut wherever they begin or end to differ; by clauses first, where they are long."""
    parts = cut.findall(older), cut.findall(newer)
    if cut is _TOKEN and max(map(len, parts)) > MOST_TOKENS:
        for segment in _differing(older, newer, _CLAUSE):
            short = max(len(_TOKEN.findall(text)) for text in (segment.older, segment.newer)) <= MOST_TOKENS
            yield from _differing(segment.older, segment.newer) if short and not segment.is_same else [segment]
        return
    # Popular characters count, popular clauses need not: see _paragraphs.
    matcher = SequenceMatcher(None, *parts, autojunk=cut is _CLAUSE)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        yield _Segment("".join(parts[0][i:i_end]), "".join(parts[1][j:j_end]))


def _smooth(segments: Iterable[_Segment]) -> list[_Segment]:
    """Without crumbs: a character or two that longer changes on both sides happen to share belong to one change."""
    smooth: list[_Segment] = []
    for segment in segments:
        if smooth and not segment.is_same and not smooth[-1].is_same:
            smooth[-1] += segment
            continue
        if len(smooth) > 1 and not segment.is_same:
            before, between = smooth[-2:]
            if len(between) <= LONGEST_CRUMB and len(between) < min(len(before), len(segment)):
                smooth[-2:] = [before + between + segment]
                continue
        smooth.append(segment)
    return smooth
