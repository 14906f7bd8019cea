"""Matching: whether an article matches a query, and where its title or text holds the terms."""

import re
from collections.abc import Iterator
from functools import lru_cache

from kzfeed.search.folding import VOICING, composed, fold, fold_with_origins, keeps_length, raw_characters
from kzfeed.search.query import Query, Term
from kzfeed.search.terms import WORD, WORD_LETTER, WORD_MARK

Span = tuple[int, int]
"""Where a string begins and ends."""


def matches(query: Query, title: str, text: str) -> bool:
    """Whether title and text have all terms of the query and none of the excluded ones."""
    title, text = composed(title), composed(text)
    return all(_holds(term, title, text) for term in query.terms) and not any(
        _holds(term, title, text) for term in query.excluded
    )


def _holds(term: Term, title: str, text: str) -> bool:
    return _is_in(term, title) or (not term.in_title and _is_in(term, text))


def _is_in(term: Term, text: str) -> bool:
    return next(spans(term, text), None) is not None


def spans(term: Term, text: str) -> Iterator[Span]:
    """Where the term is found in a composed text, from left to right.

    A string is searched for in the text itself, by an expression of all characters that fold to the searched ones,
    because folding the text takes far longer.
    """
    raw, folded = _patterns(term)
    has_raw_match = False
    if raw and not any(mark in text for mark in VOICING):
        for match in raw.finditer(text):
            has_raw_match = True
            yield match.span()
    if has_raw_match or (raw and keeps_length(text)):
        return
    if keeps_length(text):
        yield from (match.span() for match in folded.finditer(fold(text)))
        return
    searched, origins = fold_with_origins(text)
    for match in folded.finditer(searched):
        end = match.end()
        # One character of the text may have become several, of which only the first ones are found.
        while end < len(searched) and origins[end] == origins[match.end() - 1]:
            end += 1
        yield origins[match.start()], origins[end]


@lru_cache(maxsize=1000)
def _patterns(term: Term) -> tuple[re.Pattern[str] | None, re.Pattern[str]]:
    """Expressions that find the term in a text, if it is a string, and in a folded text."""
    if term.is_string:
        raw = "".join(r"\s+" if each == " " else _class(raw_characters(each)) for each in term.text)
        folded = "".join(r"\s+" if each == " " else re.escape(each) for each in term.text)
        return re.compile(raw), re.compile(folded)
    words = r"[\W_]+".join(map(re.escape, WORD.findall(term.text)))
    end = "" if term.is_prefix else f"(?!{WORD_LETTER}|{WORD_MARK})"
    return None, re.compile(f"(?<!{WORD_LETTER})(?<!{WORD_MARK}){words}{end}")


def _class(characters: str) -> str:
    return re.escape(characters) if len(characters) == 1 else f"[{re.escape(characters)}]"
