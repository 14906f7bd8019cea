"""Reference of search: what it means, without an index and without regard to time."""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from kzfeed.search.folding import fold
from kzfeed.search.query import Query, Term
from kzfeed.search.terms import UNSPACED


class Text(NamedTuple):
    """An article as search sees it."""

    id: int
    title: str
    text: str
    source: str = "a"
    published_at: datetime | None = None


def found(query: Query, articles: Iterable[Text]) -> list[Text]:
    """The articles that match, the newest first, the undated last."""
    matching = [each for each in articles if _matches(query, each)]
    return sorted(matching, key=lambda each: (each.published_at is not None, each.published_at, each.id), reverse=True)


def _matches(query: Query, article: Text) -> bool:
    published = article.published_at
    return (
        all(_holds(term, article) for term in query.terms)
        and not any(_holds(term, article) for term in query.excluded)
        and (not query.sources or article.source in query.sources)
        and article.source not in query.excluded_sources
        and (query.since is None or (published is not None and published >= query.since))
        and (query.until is None or (published is not None and published < query.until))
    )


def _holds(term: Term, article: Text) -> bool:
    return _is_in(term, article.title) or (not term.in_title and _is_in(term, article.text))


def _is_in(term: Term, text: str) -> bool:
    folded = _folded(text)
    if term.is_string:
        return term.text in folded
    wanted, words = _words(term.text), _words(folded)
    return any(_are_words(wanted, words[start : start + len(wanted)], term) for start in range(len(words)))


@lru_cache(maxsize=10_000)
def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", fold(text))


@lru_cache(maxsize=10_000)
def _words(folded: str) -> list[str]:
    """The words, and `|` between two that characters of unspaced scripts part."""
    spaced = re.sub(f"[{UNSPACED}]+", " | ", folded)
    return "".join(each if each.isalnum() or each == "|" else " " for each in spaced).split()


def _are_words(wanted: list[str], words: list[str], term: Term) -> bool:
    if len(wanted) != len(words) or words[:-1] != wanted[:-1]:
        return False
    return words[-1].startswith(wanted[-1]) if term.is_prefix else words[-1] == wanted[-1]
