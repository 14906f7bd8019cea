"""Snippets: the part of an article's text around the first place where a query is found."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from kzfeed.search.folding import composed
from kzfeed.search.match import Span, spans
from kzfeed.search.query import Query

CELLS = 150
"""Width of a snippet in columns of a terminal: about two lines."""
_BEFORE = 50
"""The most columns before the first hit."""
_SENTENCE_END = re.compile(r"[。！？!?\n]+\s*|\. +")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a text on one line. `hits` says where the terms of the query are in it, in order, without overlaps."""

    text: str
    hits: tuple[Span, ...] = ()


def snippet(query: Query, text: str, *, cells: int = CELLS) -> Snippet:
    """The part of the text around the first hit, or its beginning if there is none; `…` stands for what is left out."""
    text = composed(text)
    found = _merged(sorted(span for term in query.terms if not term.in_title for span in spans(term, text)))
    first = found[0][0] if found else 0
    start = _start(text, first)
    end = _end(text, start, cells)
    inside = [(max(low, start), min(high, end)) for low, high in found if low < end and high > start]
    opening, closing = "…" if start else "", "…" if end < len(text) else ""
    shift = len(opening) - start
    shown = opening + re.sub(r"\s", " ", text[start:end]) + closing
    return Snippet(shown, tuple((low + shift, high + shift) for low, high in inside))


def marked(query: Query, text: str) -> Snippet:
    """The whole text, for instance a title, with its hits."""
    text = composed(text)
    return Snippet(text, tuple(_merged(sorted(span for term in query.terms for span in spans(term, text)))))


def _merged(found: list[Span]) -> list[Span]:
    """The spans, those that overlap or touch as one."""
    merged: list[Span] = []
    for low, high in found:
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _start(text: str, first: int) -> int:
    """Where the snippet begins: with the sentence of the hit, or `_BEFORE` columns before it."""
    start, width = first, 0
    # No character is wider than two columns.
    while part := text[max(start - (_BEFORE - width) // 2, 0) : start]:
        start, width = start - len(part), width + _width(part)
    if start == 0:
        return 0
    ends = [match.end() for match in _SENTENCE_END.finditer(text, start, first)]
    if ends:
        return ends[-1] if text[ends[-1] : first].strip() or ends[-1] == first else start
    space = text.find(" ", start, first)
    return start if space < 0 else space + 1


def _end(text: str, start: int, cells: int) -> int:
    end, width = start, 0
    while part := text[end : end + max((cells - width) // 2, 0)]:
        end, width = end + len(part), width + _width(part)
    return end


def _width(text: str) -> int:
    return sum(map(_cells, text))


@lru_cache(maxsize=10_000)
def _cells(character: str) -> int:
    if unicodedata.category(character)[0] == "M":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
