"""Tests of the terms of articles and of the index terms of searched strings."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kzfeed.search.folding import fold
from kzfeed.search.terms import IndexTerms, has_unspaced, index_terms, source_term, terms


def test_the_terms_are_characters_pairs_words_and_the_source() -> None:
    assert terms("中亚A股", "五国 summit, in 2024年", 7) == {
        *("中", "亚", "股", "五", "国", "年"),
        *("中亚", "亚a", "股§a", "五国", "年§4"),
        *("a", "summit", "in", "2024"),
        "§7",
    }


def test_no_pair_joins_the_title_and_the_text_or_two_lines() -> None:
    assert not {"亚五", "国普"} & terms("中亚", "五国\n普京", 1)


def test_traditional_and_simplified_text_has_the_same_terms() -> None:
    assert terms("哈薩克", "", 1) == terms("哈萨克", "", 1)


def test_long_words_are_cut() -> None:
    assert max(map(len, terms("", "x" * 100_000, 1))) == 64


@pytest.mark.parametrize(
    ("searched", "expected"),
    [
        ("京", IndexTerms(("京",), suffice=True)),
        ("普京", IndexTerms(("普京",), suffice=True)),
        ("哈萨克", IndexTerms(("哈萨", "萨克"))),
        ("a股", IndexTerms(("股§a",), suffice=True)),
        ("covid疫情", IndexTerms(("疫情", "疫§d"))),
        ("中 亚", IndexTerms(("中", "亚"))),
        ("疫情covid爆发", IndexTerms(("疫情", "爆发", "covid", "情c", "爆§d"))),
        ("kazakh", IndexTerms(("kazakh",), suffice=True)),
        ("new york", IndexTerms(("new", "york"))),
        ("x" * 64, IndexTerms(("x" * 64,))),
    ],
)
def test_the_index_terms_of_a_searched_string(searched: str, expected: IndexTerms) -> None:
    assert index_terms(searched) == expected


def test_the_last_word_may_be_the_beginning_of_a_word() -> None:
    assert index_terms("new yor", is_prefix=True) == IndexTerms(("new",), "yor")
    assert index_terms("kaz", is_prefix=True) == IndexTerms((), "kaz", suffice=True)


MIXED = st.text("中亚五国한국カAbz059 ,，\n\u093e_", min_size=1, max_size=12)


@example("00\u093e0カ", 2, 3, "")
@given(MIXED, st.integers(0, 11), st.integers(1, 12), MIXED)
def test_an_article_has_the_index_terms_of_every_string_in_it(text: str, start: int, length: int, title: str) -> None:
    part = fold(text)[start : start + length].strip()
    if not part or not has_unspaced(part):
        return

    assert set(index_terms(part).whole) <= terms(title, text, 1)


@given(MIXED, MIXED)
def test_index_terms_that_suffice_are_only_in_articles_with_the_string(searched: str, text: str) -> None:
    searched = " ".join(fold(searched).split())
    if (
        has_unspaced(searched)
        and index_terms(searched).suffice
        and set(index_terms(searched).whole) <= terms("", text, 1)
    ):
        assert searched in fold(text)


def test_a_source_has_a_term_of_its_own() -> None:
    assert source_term(12) == "§12"
    assert "§12" not in terms("§12", "§12", 3)
