"""How much two versions of an article differ: the characters that one has and the other lacks.

Characters are counted in words, or one by one in scripts without spaces, whatever their order: text that only moved is
no difference. The time is in proportion to the length.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kzfeed.article.diff import TOKEN

MAX_COMPARED = 20_000
"""The most characters of changed paragraphs that are compared word by word. Longer ones count whole."""


@dataclass(frozen=True, slots=True)
class ChangeSize:
    """The numbers of removed characters (`gone`) and of added ones (`new`)."""

    gone: int
    new: int

    @property
    def total(self) -> int:
        return self.gone + self.new


def change_size(older: str, newer: str) -> ChangeSize:
    """The size of the change from one text to another, each with one paragraph a line."""
    paragraphs = Counter(older.split("\n")), Counter(newer.split("\n"))
    gone, new = paragraphs[0] - paragraphs[1], paragraphs[1] - paragraphs[0]
    if _characters(gone) + _characters(new) <= MAX_COMPARED:
        tokens = _tokens(gone.elements()), _tokens(new.elements())
        gone, new = tokens[0] - tokens[1], tokens[1] - tokens[0]
    return ChangeSize(_characters(gone), _characters(new))


def _tokens(paragraphs: Iterable[str]) -> Counter[str]:
    return Counter(token for paragraph in paragraphs for token in TOKEN.findall(paragraph) if not token.isspace())


def _characters(texts: Counter[str]) -> int:
    return sum(len(text) * number for text, number in texts.items())
