"""How much two versions differ, in characters."""

import random

import pytest

from kzfeed.article.change_size import MAX_COMPARED, ChangeSize, change_size


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ("局势已经得到控制。", "局势已经完全得到控制。", ChangeSize(0, 2)),
        ("造成164人死亡", "造成225人死亡", ChangeSize(3, 3)),
        ("The quick fox", "The brown fox", ChangeSize(5, 5)),
        ("一段\n二段", "二段\n一段", ChangeSize(0, 0)),
        ("同样的\n旧的一段", "同样的", ChangeSize(4, 0)),
        ("", "新", ChangeSize(0, 1)),
        ("", "", ChangeSize(0, 0)),
    ],
)
def test_the_size_counts_the_characters_that_went_and_came(older: str, newer: str, expected: ChangeSize) -> None:
    assert change_size(older, newer) == expected


def test_of_very_long_changes_whole_paragraphs_are_counted() -> None:
    rng = random.Random(1)
    older = "".join(rng.choices("的一是", k=MAX_COMPARED))

    assert change_size(f"同\n{older}", f"同\n{older}。") == ChangeSize(MAX_COMPARED, MAX_COMPARED + 1)
