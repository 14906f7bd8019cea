"""Terms: the strings under which an index holds an article, and those that an article must have to match a query.

Scripts that are written without spaces between words, and Hangul, are indexed by character and by pair of adjacent
characters, everything else by word. Scripts of the first kind are called *unspaced* here.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from operator import add

from kzfeed.search import folding

MAX_WORD_LENGTH = 64
"""Words are cut at this many characters in the index."""

MARK = "§"
"""A character of terms that stand for more than their text, such as a source. No word has it, and FTS5 keeps it."""

VERSION = f"1.{folding.VERSION}"
"""Version of the terms. An index with another one must be built again."""

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf"  # Thai, Lao
    "\u0f40-\u0fbc\u1000-\u103f\u1780-\u17d3"  # Tibetan, Burmese, Khmer
    "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"  # Hangul
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u3105-\u312f\u31a0-\u31bf\ua000-\ua48c"  # Bopomofo, Yi
    "\U0001b000-\U0001b16f\U00020000-\U000323af"  # more kana and Han
)
"""The characters of unspaced scripts, as the inside of a character class of a regular expression."""

RUN = re.compile(f"[{UNSPACED}]+")
"""Adjacent characters of unspaced scripts."""

# For Python, the vowel signs of Indic scripts and the points of Arabic and Hebrew are not word characters.
_MARKS = "".join(
    mark for mark in map(chr, range(0x0483, 0x1D00)) if unicodedata.category(mark)[0] == "M" and not RUN.match(mark)
)
WORD_LETTER = f"[^\\W_{UNSPACED}]"
WORD_MARK = f"[{_MARKS}]"
WORD = re.compile(f"(?:{WORD_LETTER}+{WORD_MARK}*)+")
"""A word of a script with spaces, or a number."""

_OTHERS = re.compile(f"[^{UNSPACED}]+")


def terms(title: str, text: str, source_id: int) -> set[str]:
    """The terms of an article.

    They are each word, each character of unspaced scripts, each pair of such characters that are adjacent, each pair
    of such a character and an adjacent letter of a word, and one term for the source.
    """
    folded = f"{folding.fold(title)}\n{folding.fold(text)}"
    runs = _OTHERS.sub(" ", folded)
    pairs = set(map(add, runs, runs[1:]))
    found = set(runs)
    found.update([pair for pair in pairs if " " not in pair])
    found.update([word[:MAX_WORD_LENGTH] for word in WORD.findall(folded)])
    found |= mixed_pairs(folded)
    found.discard(" ")
    found.add(source_term(source_id))
    return found


def mixed_pairs(folded: str) -> set[str]:
    """The terms of each letter of a word that stands beside a character of an unspaced script."""
    found = set()
    for word, before, after in _words(folded):
        if before:
            found.add(before + word[0])
        if after:
            found.add(_letter_before(word[-1], after))
    return found


def source_term(source_id: int) -> str:
    """The term of all articles of a source."""
    return f"{MARK}{source_id}"


def _letter_before(letter: str, character: str) -> str:
    """The term of a word's last letter directly before a character of an unspaced script.

    It does not begin with the letter: otherwise it would be found as the beginning of a word.
    """
    return f"{character}{MARK}{letter}"


def _words(folded: str) -> Iterator[tuple[str, str, str]]:
    """Each word with the characters of unspaced scripts directly before and after it; empty where there is none."""
    for match in WORD.finditer(folded):
        start, end = match.span()
        before, after = folded[start - 1 : start], folded[end : end + 1]
        # A cheap test first: most words are between spaces.
        yield (
            match[0],
            before if before > "\u0e00" and RUN.match(before) else "",
            after if after > "\u0e00" and RUN.match(after) else "",
        )


@dataclass(frozen=True, slots=True)
class IndexTerms:
    """The terms that every article with a searched string has in the index."""

    whole: tuple[str, ...]
    prefix: str | None = None
    """The beginning of one more term, if the string ends with the beginning of a word."""
    suffice: bool = False
    """Whether the string occurs in every article that has the terms."""


def index_terms(searched: str, *, is_prefix: bool = False) -> IndexTerms:
    """The index terms of a folded string: of words if it has only words, of a string of characters otherwise.

    Words are whole; with `is_prefix` the last one is the beginning of a word. The ends of a string of characters may
    be parts of words.
    """
    if has_unspaced(searched):
        whole = tuple(dict.fromkeys(_terms_of_string(searched)))
        return IndexTerms(whole, suffice=whole in ((searched,), (_letter_before(searched[0], searched[1:]),)))
    words = WORD.findall(searched)
    cut = [word[:MAX_WORD_LENGTH] for word in words]
    if not is_prefix:
        return IndexTerms(tuple(dict.fromkeys(cut)), suffice=len(words) == 1 and len(words[0]) < MAX_WORD_LENGTH)
    *whole_words, last = cut
    return IndexTerms(
        tuple(dict.fromkeys(whole_words)), last, suffice=len(words) == 1 and len(words[0]) <= MAX_WORD_LENGTH
    )


def has_unspaced(searched: str) -> bool:
    """Whether a searched string is found character by character, because a part of it has no spaces between words."""
    return RUN.search(searched) is not None


def _terms_of_string(searched: str) -> Iterator[str]:
    for match in RUN.finditer(searched):
        run, (start, end) = match[0], match.span()
        yield from map(add, run, run[1:])
        if len(run) == 1 and not (WORD.match(searched, end) or _ends_with_word(searched[:start])):
            yield run
    # Marks at the beginning belong to the word before, which may go on after them.
    first_marks = len(searched) - len(searched.lstrip(_MARKS))
    for match in WORD.finditer(searched):
        word, (start, end) = match[0], match.span()
        if start > first_marks and end < len(searched):
            yield word[:MAX_WORD_LENGTH]
        if start and RUN.match(searched, start - 1):
            yield searched[start - 1] + word[0]
        if RUN.match(searched, end):
            yield _letter_before(word[-1], searched[end])


def _ends_with_word(text: str) -> bool:
    return bool(text) and WORD.fullmatch(text[-1]) is not None
