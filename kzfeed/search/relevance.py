"""Relevance: how well an article matches a query, from how often and where it has the terms."""

from itertools import islice

from kzfeed.search.folding import composed
from kzfeed.search.match import spans
from kzfeed.search.query import Query

_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75
"""The two parameters of BM25, at their usual values."""
_USUAL_LENGTH = 1_000
"""Characters of a usual article."""
_TITLE_WEIGHT = 5
"""How many occurrences in the text count as much as one in the title."""
_ENOUGH = 50
"""The most occurrences of one term that are counted in the title, and in the text."""


def relevance(query: Query, title: str, text: str) -> float:
    """A number that is higher for articles that match better.

    It is that of BM25 with the same weight for each term, because every article that matches has all terms.
    """
    title, text = composed(title), composed(text)
    length = 1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * (len(text) + len(title)) / _USUAL_LENGTH
    score = 0.0
    for term in query.terms:
        in_title = sum(1 for _ in islice(spans(term, title), _ENOUGH))
        in_text = 0 if term.in_title else sum(1 for _ in islice(spans(term, text), _ENOUGH))
        count = _TITLE_WEIGHT * in_title + in_text
        score += count / (count + _SATURATION * length)
    return score
