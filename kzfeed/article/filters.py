"""Filters applied to the articles of a document: which are archived, and which are filtered out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import lru_cache
from typing import Any

import regex

from kzfeed.model.articles import Article
from kzfeed.model.filters import FilterResult, FilterRule, Filters
from kzfeed.text import plural

TIME_LIMIT = 0.1
"""The seconds that the filters of a source may take for one document. A search takes about 1 ns for each character of
the text, so that even 50 expressions for 2 MB of text are done by then."""

MAX_PATTERN_LENGTH = 10_000
"""The most characters of an expression. To compile one takes the longer the longer it is, by its square."""

_KEYS = tuple(field.name for field in fields(FilterRule))


def apply_filters(articles: Sequence[Article], filters: Filters, clock: Callable[[], float]) -> FilterResult:
    """Decide which articles are kept. `clock` gives seconds.

    After TIME_LIMIT, all articles without a decision are kept; so are those of which an expression cannot be used.
    """
    _compile_all(filters)  # before the time begins: it is done once, and on a slow machine takes most of the limit
    search = _Search(clock)
    filtered = []
    undecided = 0
    why = ""
    for article in articles:
        try:
            if not _is_kept(article, filters, search):
                filtered.append(article)
        except TimeoutError:
            undecided += 1
            why = f"they took longer than {TIME_LIMIT * 1000:g} ms"
        except regex.error as error:
            undecided += 1
            why = f"an expression is not valid: {error}"
    shown = tuple(articles)
    # By identity: comparing articles compares their texts.
    out = set(map(id, filtered))
    kept = tuple(article for article in shown if id(article) not in out)
    return FilterResult(shown, kept, tuple(filtered), _flaw(undecided, len(shown), why) if undecided else None)


def problem_of(pattern: str) -> str | None:
    """What is wrong with a regular expression; None if nothing is."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"longer than {MAX_PATTERN_LENGTH:,} characters"
    try:
        _compiled(pattern)
    except regex.error as error:
        return str(error)
    return None


def _flaw(undecided: int, total: int, why: str) -> str:
    return f"its filters did not decide on {undecided} of {plural(total, 'article')}, which were kept: {why}"


class _Search:
    """Searches that share one time limit. They raise TimeoutError after it, and regex.error."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + TIME_LIMIT

    def __call__(self, pattern: str, text: str) -> bool:
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError
        try:
            # Not concurrent: most searches take less time than to release Python's lock and to wait for it again. So a
            # slow search holds up the other threads, but not for longer than the time limit.
            return _compiled(pattern).search(text, timeout=left, concurrent=False) is not None
        except TimeoutError:
            self._end = self._clock()
            raise


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> Any:
    """The compiled expression. Raises regex.error for whatever is wrong with it."""
    try:
        return regex.compile(pattern)
    except RecursionError:
        raise regex.error("nested too deeply") from None
    except ValueError as error:  # flags that exclude each other
        raise regex.error(str(error)) from None


def _compile_all(filters: Filters) -> None:
    for rule in (*filters.include, *filters.exclude):
        for pattern in filter(None, (getattr(rule, key) for key in _KEYS)):
            with suppress(regex.error):  # the search says so for each article
                _compiled(pattern)


def _is_kept(article: Article, filters: Filters, search: _Search) -> bool:
    if any(_matches(article, rule, search) for rule in filters.exclude):
        return False
    return not filters.include or any(_matches(article, rule, search) for rule in filters.include)


def _matches(article: Article, rule: FilterRule, search: _Search) -> bool:
    patterns = ((key, getattr(rule, key)) for key in _KEYS)
    return all(any(search(pattern, text) for text in _texts(article, key)) for key, pattern in patterns if pattern)


def _texts(article: Article, key: str) -> Iterator[str]:
    if key in ("title", "any"):
        yield article.title
    if key in ("author", "any") and article.author:
        yield article.author
    if key in ("tag", "any"):
        yield from article.tags
    if key in ("text", "any"):
        yield article.text
