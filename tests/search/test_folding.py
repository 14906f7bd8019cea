"""Tests of folding: the table is what its sources give, and what folds together is found together."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kzfeed.search.folding import (
    VERSION,
    composed,
    fold,
    fold_with_origins,
    folded_characters,
    keeps_length,
    raw_characters,
)
from tests.search import make_folding_table


@pytest.mark.slow
def test_the_committed_table_is_what_unicode_and_opencc_give() -> None:
    if unicodedata.unidata_version != "14.0.0":
        pytest.skip("the table is made with Unicode 14, that of Python 3.11")

    assert make_folding_table.written(make_folding_table.folding()) == make_folding_table.TABLE_FILE.read_text("utf-8")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("哈薩克", "哈萨克"),
        ("習近平", "习近平"),
        ("意味著", "意味着"),  # 著 is 着 and 著: OpenCC's first candidate alone misses it
        ("瞭解", "了解"),
        ("回覆", "回复"),
        ("裏面", "里面"),
        ("裡面", "里面"),
        ("台灣", "臺灣"),
        ("ＣＯＶＩＤ－１９", "covid-19"),
        ("ｶｻﾞﾌｽﾀﾝ", "カザフスタン"),
        ("か\u3099", "が"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("Café", "CAFE"),
        ("Straße", "STRASSE"),
        ("Ἀθῆναι", "αθηναι"),
        ("Қазақстан", "қАЗАҚСТАН"),
        ("Şymkent", "symkent"),
        ("㈱", "(株)"),
        ("中\u200b亚", "中亚"),
        ("Kasach\u00adstan", "kasachstan"),
        ("中\u3000亚", "中 亚"),
    ],
)
def test_forms_of_the_same_word_fold_to_the_same_string(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("か", "が"), ("и", "й"), ("қ", "к"), ("중", "종"), ("…", "..."), ("大", "太")]
)
def test_different_letters_stay_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


# What makes folding hard: marks, parts of syllables, characters that vanish or become several.
HARD = st.text("中亚亞哈薩萨㍿㈱ｶﾞﾟカかがa\u0301é\u3099ß…\u200bㅎㅏ하\u1112\u1161\u11a8й\u0306 \n,，xX①½")


@given(HARD | st.text())
@example("カ\u200b\u3099")
def test_each_folded_character_comes_from_a_place_in_the_text(text: str) -> None:
    text = composed(text)

    folded, origins = fold_with_origins(text)

    assert folded == fold(text)
    assert len(origins) == len(folded) + 1
    assert origins == sorted(origins)
    assert not keeps_length(text) or len(folded) == len(text)


def test_the_characters_that_fold_to_one_are_known() -> None:
    assert set(raw_characters("萨")) == {"萨", "薩"}
    assert raw_characters("囧") == "囧"
    assert all(fold(character) == "a" for character in raw_characters("a"))


def test_the_version_is_that_of_the_table() -> None:
    assert make_folding_table.version(dict(folded_characters())) == VERSION
