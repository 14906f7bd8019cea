"""Tests of the query language."""

import re
from datetime import UTC, datetime

import pytest

from kzfeed.errors import UsageError
from kzfeed.search.query import Query, Term, check_sources, parse


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("中亚", [Term("中亚")]),
        ("  哈薩克　Kazakh ", [Term("哈萨克"), Term("kazakh")]),
        ('"New  York"', [Term("new york")]),
        ("“一带一路”", [Term("一带一路")]),
        ("「中亚 五国」", [Term("中亚 五国")]),
        ("Kazakh*", [Term("kazakh", is_prefix=True)]),
        ('"new yor*"', [Term("new yor", is_prefix=True)]),
        ('"new yor"*', [Term("new yor", is_prefix=True)]),
        ("哈萨*", [Term("哈萨")]),
        ("title:普京", [Term("普京", in_title=True)]),
        ("Title：“普京”", [Term("普京", in_title=True)]),
        ("COVID疫情", [Term("covid疫情")]),
        ("rock-and-roll", [Term("rock-and-roll")]),
        ("https://example.com", [Term("https://example.com")]),
        ("中亚 中亞", [Term("中亚")]),
        ("说：“好", [Term("说:“好")]),
        ('"--since"', [Term("--since")]),
        ('"sorce:voa"', [Term("sorce:voa")]),
        (
            "science:ai 12:30 目标:中亚 http://e.example",
            [Term(each) for each in ("science:ai", "12:30", "目标:中亚", "http://e.example")],
        ),
    ],
)
def test_what_is_typed_becomes_terms(typed: str, terms: list[Term]) -> None:
    assert parse(typed) == Query(tuple(terms))


def test_items_may_be_excluded() -> None:
    query = parse('中亚 -普京 -"New York" -title:习近平 -source:bbc')

    assert query.terms == (Term("中亚"),)
    assert query.excluded == (Term("普京"), Term("new york"), Term("习近平", in_title=True))
    assert query.excluded_sources == ("bbc",)


def test_sources_and_times_restrict_the_articles() -> None:
    query = parse("中亚 source:bbc source:“voa 中文” since:2024-05 until:2024-05-31T18:00 until:2025")

    assert query.sources == ("bbc", "voa 中文")
    assert query.since == datetime(2024, 5, 1, tzinfo=UTC)
    assert query.until == datetime(2024, 5, 31, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "nothing to search for"),
        ("-普京", "nothing to search for"),
        ("source:bbc", "nothing to search for"),
        ("——", "neither letters nor digits"),
        ("title:", "'title:' cannot be searched for: it has neither letters nor digits"),
        ("*", "neither letters nor digits"),
        ("wor*d", "may stand only at the end"),
        ('中亚 "New York', "the quotation mark in '\"New York' has no counterpart"),
        ('"', "the quotation mark in '\"' has no counterpart"),
        ("中亚 since:yesterday", "expected a date in UTC such as since:2024"),
        ("中亚 until:2024-13", "expected a date in UTC"),
        ("中亚 -since:2024", "-since:2024: expected a date"),
        ("since:2024-13", "since:2024-13: expected a date"),
        ("中亚 --since 2024", "--since: a query has no options, and one hyphen excludes a word: -since"),
        ("sorce:voa", 'sorce:voa: no field is called sorce: write source:…, or "sorce:voa" for the text'),
        ("中亚 -Titel：选举", "no field is called Titel: write title:…"),
        ("中亚 sicne:2024", "no field is called sicne: write since:…"),
        ("中亚 untill:2024", "no field is called untill: write until:…"),
        ("中亚 since:2024-07 until:2024-05", "no time is since 2024-07-01 and before 2024-05-01"),
        ("中亚 since:2024 until:2024", "give an until that is later than since"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(typed: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        parse(typed)


def test_an_unknown_source_is_refused_with_the_nearest_one() -> None:
    check_sources(parse("中亚 source:bbc").sources, ["bbc", "voa"])

    with pytest.raises(UsageError, match="no source 'bcc' in this database: the nearest is bbc"):
        check_sources(parse("中亚 -source:bcc").excluded_sources, ["bbc", "voa"])
