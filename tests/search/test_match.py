"""Tests of matching and of snippets, against the reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzfeed.errors import UsageError
from kzfeed.search.folding import composed, fold
from kzfeed.search.match import matches, spans
from kzfeed.search.query import parse
from kzfeed.search.snippet import marked, snippet
from kzfeed.search.terms import terms
from tests.search.reference import Text, found

TEXTS = st.text("中亚亞哈薩萨㍿株式会ｶﾞカガかが\u3099한국ㅋ Aaáb0５,，。\n*\u200b_é\u093e", max_size=20)


def typed_queries() -> st.SearchStrategy[str]:
    item = TEXTS.map(lambda text: text.strip())
    return st.lists(item | item.map(lambda text: f'"{text}"') | item.map(lambda text: f"title:{text}*")).map(" ".join)


@given(typed_queries(), TEXTS, TEXTS)
def test_matching_is_what_the_reference_says(typed: str, title: str, text: str) -> None:
    try:
        query = parse(typed)
    except UsageError:
        return

    assert matches(query, title, text) == bool(found(query, [Text(1, title, text)]))


@given(TEXTS, TEXTS, st.integers(0, 19), st.integers(1, 6))
def test_every_part_of_a_text_is_found_through_its_keys(title: str, text: str, start: int, size: int) -> None:
    part = text[start : start + size].strip().lstrip("-*")
    try:
        query = parse(f'"{part}"')
    except UsageError:
        return
    if not query.terms[0].is_string or not fold(composed(text)).count(query.terms[0].text):
        return

    assert matches(query, title, text)
    assert set(query.terms[0].index_terms.whole) <= terms(title, text, 1)


@pytest.mark.parametrize(
    ("typed", "text", "hit"),
    [
        ("哈薩克", "他去哈萨克斯坦", "哈萨克"),
        ("株式", "㍿山田", "㍿"),
        ("ガス", "天然ｶﾞｽ田", "ｶﾞｽ"),
        ("covid", "…… COVID…", "COVID"),
        ("5G网络", "用５Ｇ網絡", "５Ｇ網絡"),
        ('"new york"', "in New-York now", "New-York"),
        ("kazakh*", "the Kazakhs", "Kazakh"),
    ],
)
def test_the_place_of_a_term_is_found_in_the_text_as_it_is(typed: str, text: str, hit: str) -> None:
    (span, *_) = spans(parse(typed).terms[0], text)

    assert text[slice(*span)] == hit


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("中亚", "中 亚"),
        ("kazakh", "kazakhs"),
        ('"new york"', "york new"),
        ('"new york"', "new 中 york"),
        ("AI", "OpenAI"),
        ("か", "が"),
        ("カ", "ｶﾞ"),
    ],
)
def test_what_does_not_hold_the_term_does_not_match(typed: str, text: str) -> None:
    assert not matches(parse(typed), text, text)


def test_a_string_is_in_the_title_or_in_the_text_and_not_across() -> None:
    assert matches(parse("中亚"), "中亚", "")
    assert matches(parse("中亚"), "", "中亚")
    assert not matches(parse("中亚"), "中", "亚")
    assert not matches(parse("title:中亚"), "中", "中亚")


def test_a_snippet_is_the_text_around_the_first_hit() -> None:
    text = "开头。" * 60 + "他说，哈薩克斯坦很大。" + "后来\n" * 60

    shown = snippet(parse("哈萨克 很大"), text, cells=40)

    assert shown.text == "…他说，哈薩克斯坦很大。后来 后来 后来 后…"
    assert [shown.text[slice(*hit)] for hit in shown.hits] == ["哈薩克", "很大"]


def test_a_snippet_without_a_hit_is_the_beginning_of_the_text() -> None:
    shown = snippet(parse("title:中亚"), "一二三四五六七八九十", cells=8)

    assert (shown.text, shown.hits) == ("一二三四…", ())


def test_a_snippet_may_be_shorter_than_a_long_hit() -> None:
    shown = snippet(parse("一二三四五六七八九十"), "一二三四五六七八九十", cells=8)

    assert [shown.text[slice(*hit)] for hit in shown.hits] == ["一二三四"]


def test_hits_in_a_title_are_marked() -> None:
    shown = marked(parse("title:普京 京都 中亚"), "普京都中亞")

    assert [shown.text[slice(*hit)] for hit in shown.hits] == ["普京都中亞"]


@given(typed_queries(), TEXTS, st.integers(1, 30))
def test_hits_are_within_the_snippet(typed: str, text: str, cells: int) -> None:
    try:
        shown = snippet(parse(typed), text, cells=cells)
    except UsageError:
        return

    assert all(0 <= low < high <= len(shown.text) for low, high in shown.hits)
    assert list(shown.hits) == sorted(shown.hits)
