"""Characters in two bytes: none of them may take the place of two, or be lost."""

import pytest

from kzfeed.search.folding import fold
from kzfeed.search.short_characters import FREQUENT, RARE, shortened
from kzfeed.search.terms import RUN


@pytest.mark.slow
def test_every_character_has_one_of_its_own() -> None:
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    short = shortened(every)

    assert len(set(short)) == len(every)
    assert shortened(short) == every


def test_frequent_characters_are_folded_ones_of_three_bytes_and_become_two() -> None:
    assert fold(FREQUENT) == FREQUENT
    assert RUN.fullmatch(FREQUENT)
    assert {len(each.encode()) for each in FREQUENT} == {3}
    assert {len(each.encode()) for each in shortened(FREQUENT)} == {2}


def test_letters_of_russian_kazakh_greek_hebrew_and_arabic_stay() -> None:
    text = "Қазақстан и Россия, Ελλάδα ישראל العربية ئۇيغۇر"

    assert shortened(fold(text)) == fold(text)
    assert set(RARE).isdisjoint("абвгдежзийклмнопрстуфхцчшщъыьэюяәғқңөұүһі")
