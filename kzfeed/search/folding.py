"""Folding: text in the form in which it is compared, the same for queries and for articles.

Case, full and half width, accents of Latin and Greek letters, traditional, simplified and regional forms of Chinese
characters, and invisible characters make no difference to a search.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from kzfeed.search.folding_table import FOLDED, LONGER, REMOVED, SINGLE, VERSION

__all__ = [
    "VERSION",
    "VOICING",
    "composed",
    "fold",
    "fold_with_origins",
    "folded_characters",
    "keeps_length",
    "raw_characters",
]

VOICING = "\u3099\u309a\uff9e\uff9f"
"""Marks that join the kana before them, the last two only when folded."""


_TABLE: dict[int, str] = {
    **dict(zip(map(ord, SINGLE), FOLDED, strict=True)),
    **dict.fromkeys(map(ord, REMOVED), ""),
    **{ord(character): folded for character, folded in LONGER.items()},
}


def folded_characters() -> Iterator[tuple[str, str]]:
    """Each character that folding changes, with the string that it becomes; for folding in SQL."""
    return ((chr(code), folded) for code, folded in _TABLE.items())


def composed(text: str) -> str:
    """The text in Unicode's normalization form C: letters joined with their marks."""
    return unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """The folded text. Folding it again changes nothing.

    A table gives a string for each character of the composed text; its marks are joined to their letters again.
    """
    return composed(composed(text).translate(_TABLE))


def fold_with_origins(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters, and for its end, the index in `text` at which it begins."""
    folded: list[str] = []
    origins: list[int] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or not _joins_the_one_before(text[end]):
            part = fold(text[start:end])
            folded.append(part)
            origins += [start] * len(part)
            start = end
    return "".join(folded), [*origins, len(text)]


def _joins_the_one_before(character: str) -> bool:
    """Whether folding may join the character with the one before it, or remove it, so that its neighbours may join."""
    is_inside_hangul_syllable = "\u1161" <= character < "\u1200"
    is_mark = unicodedata.category(character)[0] == "M" or character in VOICING
    return is_mark or is_inside_hangul_syllable or character in REMOVED


_CHANGING_LENGTH = frozenset(REMOVED) | LONGER.keys() | set(VOICING)


def keeps_length(text: str) -> bool:
    """Whether each character of the composed text folds to one character, at the same index."""
    return _CHANGING_LENGTH.isdisjoint(text)


@cache
def _raw_by_folded() -> dict[str, str]:
    raw: dict[str, list[str]] = defaultdict(list)
    for character, folded in zip(SINGLE, FOLDED, strict=True):
        raw[folded].append(character)
    return {folded: folded + "".join(characters) for folded, characters in raw.items()}


def raw_characters(folded: str) -> str:
    """All single characters that fold to this one; itself is the first."""
    return _raw_by_folded().get(folded, folded)
