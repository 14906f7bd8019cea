"""Filters: which articles a rule matches, and that a slow or wrong expression costs no article."""

from collections.abc import Iterator
from itertools import count
from time import thread_time

import pytest

from kzfeed.article.filters import TIME_LIMIT, apply_filters
from kzfeed.model.articles import Article
from kzfeed.model.filters import FilterRule, Filters

SLOW = "^(a|aa|b?a)+$"
ENDLESS = "a" * 60 + "c"


def article(title: str, text: str = "", *, tags: tuple[str, ...] = (), author: str | None = None) -> Article:
    return Article(
        url_hash=title, url=None, title=title, content=text, text=text, fingerprint=title, tags=tags, author=author
    )


KAZAKH = article("哈薩克總統講話", "阿斯塔纳。", tags=("中亚", "政治"), author="王明")
LIVE = article("直播：大会", "广告", tags=("广告",))
PLAIN = article("天气", "晴。\n哈萨克斯坦有雪。")
ALL = [KAZAKH, LIVE, PLAIN]


def kept(include: list[FilterRule], exclude: list[FilterRule], articles: list[Article] = ALL) -> list[Article]:
    result = apply_filters(articles, Filters(tuple(include), tuple(exclude)), lambda: 0.0)
    assert result.shown == tuple(articles)
    assert set(result.kept).isdisjoint(result.filtered)
    assert len(result.kept) + len(result.filtered) == len(articles)
    return list(result.kept)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], [], ALL),
        ([], [FilterRule(tag="广告")], [KAZAKH, PLAIN]),
        ([], [FilterRule(title="^直播")], [KAZAKH, PLAIN]),
        ([], [FilterRule(title="直播$")], ALL),
        ([], [FilterRule(text="^哈萨克")], ALL),
        ([], [FilterRule(text="(?m)^哈萨克")], [KAZAKH, LIVE]),
        ([], [FilterRule(author="王")], [LIVE, PLAIN]),
        ([FilterRule(any="哈萨克|哈薩克")], [], [KAZAKH, PLAIN]),
        ([FilterRule(any="政治")], [], [KAZAKH]),
        ([FilterRule(any="王明")], [], [KAZAKH]),
        # Several keys of a rule must all match, of several rules one.
        ([FilterRule(tag="中亚", author="李")], [], []),
        ([FilterRule(tag="中亚", author="王")], [], [KAZAKH]),
        ([FilterRule(tag="中亚"), FilterRule(title="^直播")], [], [KAZAKH, LIVE]),
        # An article is kept if it is included and not excluded.
        ([FilterRule(any="哈萨克|哈薩克")], [FilterRule(title="講話")], [PLAIN]),
    ],
)
def test_rules_choose_articles(include: list[FilterRule], exclude: list[FilterRule], expected: list[Article]) -> None:
    assert kept(include, exclude) == expected


def test_an_expression_that_takes_too_long_costs_no_article_and_is_a_flaw() -> None:
    articles = [article("1", "b"), article("2", ENDLESS), article("3", "aaa")]

    result = apply_filters(articles, Filters(exclude=(FilterRule(text=SLOW),)), lambda: 0.0)

    # The third would be left out, but the time is over by then.
    assert result.kept == tuple(articles)
    assert result.filtered == ()
    assert result.flaw == "its filters did not decide on 2 of 3 articles, which were kept: they took longer than 100 ms"


def test_all_searches_of_a_document_share_one_time_limit() -> None:
    ticks: Iterator[int] = count()
    articles = [article(str(number), "x") for number in range(100)]

    result = apply_filters(articles, Filters(exclude=(FilterRule(text="x"),)), lambda: next(ticks) * TIME_LIMIT / 10)

    assert len(result.filtered) == 9
    assert "91 of 100 articles" in (result.flaw or "")


def test_the_time_to_compile_an_expression_is_not_that_of_its_searches() -> None:
    patterns = ["|".join(f"name {number}" for number in range(first, first + 900)) for first in range(0, 3600, 900)]
    rules = [FilterRule(any=pattern) for pattern in (*patterns, "哈萨克")]

    began = thread_time()
    result = apply_filters(ALL, Filters(exclude=tuple(rules)), thread_time)

    assert thread_time() - began > TIME_LIMIT
    assert (result.filtered, result.flaw) == ((PLAIN,), None)


def test_an_expression_that_is_not_valid_costs_no_article_and_is_a_flaw() -> None:
    result = apply_filters(ALL, Filters(include=(FilterRule(title="("),)), lambda: 0.0)

    assert result.kept == tuple(ALL)
    assert "an expression is not valid: missing )" in (result.flaw or "")
