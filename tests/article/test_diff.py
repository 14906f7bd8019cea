"""What changed between two versions, as a reader sees it: `[-gone-]{+new+}` where one has what the other lacks."""

import random
import time
from datetime import UTC, datetime

import pytest

from kzfeed.article.diff import MarkedText, RevisionDiff, Unchanged, diff_texts, revision_diffs
from kzfeed.model.articles import StoredVersion
from tests.slow import slow

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
MARKS = {"same": ("", ""), "gone": ("[-", "-]"), "new": ("{+", "+}")}


def shown(marked: MarkedText) -> str:
    return "".join(piece.text.join(MARKS[piece.mark]) for piece in marked)


def version(revision: int, *paragraphs: str, title: str = "标题") -> StoredVersion:
    content = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return StoredVersion(revision, title, content, "as it was read then", NOW, "voa")


def step(older: list[str], newer: list[str]) -> RevisionDiff:
    return revision_diffs([version(1, *older), version(2, *newer)])[0]


def paragraphs(older: list[str], newer: list[str]) -> list[str | int]:
    return [
        len(each.paragraphs) if isinstance(each, Unchanged) else shown(each) for each in step(older, newer).paragraphs
    ]


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ("局势已经得到控制。", "局势已经完全得到控制。", "局势已经{+完全+}得到控制。"),
        ("造成164人死亡", "造成至少225人死亡", "造成[-164-]{+至少225+}人死亡"),
        ("2月5日", "3月8日", "[-2-]{+3+}月[-5-]{+8+}日"),
        ("中国外交部", "中國外交部", "中[-国-]{+國+}外交部"),
        ("カザフの騒乱", "カザフスタンの騒乱", "カザフ{+スタン+}の騒乱"),
        (
            "The quick brown fox jumps.",
            "The quick red fox jumped.",
            "The quick [-brown-]{+red+} fox [-jumps-]{+jumped+}.",
        ),
        ("Президент Токаев прибыл", "Президент Токаев убыл", "Президент Токаев [-прибыл-]{+убыл+}"),
        ("Nur-Sultan 市", "Astana 市", "[-Nur-Sultan-]{+Astana+} 市"),
        ("哈萨克斯坦局势", "哈萨克斯坦局势（更新）", "哈萨克斯坦局势{+（更新）+}"),
        ("一", "二", "[-一-]{+二+}"),
        ("", "新", "{+新+}"),
        ("旧", "", "[-旧-]"),
    ],
)
def test_changed_words_and_characters_are_marked_within_the_sentence(older: str, newer: str, expected: str) -> None:
    assert shown(diff_texts(older, newer)) == expected


def test_a_text_that_was_written_anew_is_shown_whole() -> None:
    assert shown(diff_texts("完全不同的标题", "别的文字在此处")) == "[-完全不同的标题-]{+别的文字在此处+}"


def test_what_two_longer_changes_happen_to_share_is_part_of_one_change() -> None:
    older = "会谈之后双方的代表都表示很满意，会议结束。"
    newer = "会谈之后有关的各方均未发表声明，会议结束。"

    assert shown(diff_texts(older, newer)) == "会谈之后[-双方的代表都表示很满意-]{+有关的各方均未发表声明+}，会议结束。"


def test_paragraphs_without_change_are_only_counted() -> None:
    older = ["一段", "二段", "三段说的是天气很好", "四段", "五段"]
    newer = ["一段", "二段", "三段说的是天气不好", "四段", "五段"]

    assert paragraphs(older, newer) == [2, "三段说的是天气[-很-]{+不+}好", 2]


def test_paragraphs_that_came_and_went_are_shown_whole() -> None:
    assert paragraphs(["甲", "乙", "丙"], ["甲", "丙", "丁"]) == [1, "[-乙-]", 1, "{+丁+}"]


def test_a_changed_paragraph_is_set_beside_what_it_was_among_new_ones() -> None:
    older = ["总统周一发表讲话，呼吁冷静。", "抗议仍在继续。"]
    newer = ["此前未有的一段。", "总统周二发表讲话，呼吁各方冷静。", "机场已经重新开放。"]

    assert paragraphs(older, newer) == [
        "{+此前未有的一段。+}",
        "总统周[-一-]{+二+}发表讲话，呼吁{+各方+}冷静。",
        "[-抗议仍在继续。-]",
        "{+机场已经重新开放。+}",
    ]


def test_both_texts_can_be_read_out_of_the_result() -> None:
    rng = random.Random(7)
    for _ in range(300):
        older, newer = ("".join(rng.choices("的一是ab 。，\n", k=rng.randint(0, 40))) for _ in range(2))
        marked = diff_texts(older, newer)
        assert "".join(piece.text for piece in marked if piece.mark != "new") == older
        assert "".join(piece.text for piece in marked if piece.mark != "gone") == newer


def test_there_is_a_step_from_each_version_to_the_next() -> None:
    three = [version(1, "一"), version(2, "二", title="新标题"), version(3, "二", title="新标题")]

    first, second = revision_diffs(three)

    assert (first.older.revision, first.newer.revision, first.is_visible) == (1, 2, True)
    assert first.title
    assert shown(first.title) == "{+新+}标题"
    assert (second.title, second.paragraphs, second.is_visible) == (None, (Unchanged(("二",)),), False)
    assert revision_diffs(three[:1]) == []


def test_what_only_an_older_kzfeed_read_otherwise_is_no_change() -> None:
    older = StoredVersion(1, "t", "<p>正文</p>", "正文<script>", NOW, "voa")
    newer = StoredVersion(2, "t", "<p>正文</p><p></p>", "正文", NOW, "voa")

    assert revision_diffs([older, newer])[0].is_visible is False


def test_an_article_without_text_has_no_paragraphs() -> None:
    assert paragraphs([], []) == []
    assert paragraphs([], ["一"]) == ["{+一+}"]


@pytest.mark.parametrize("alphabet", ["ab", slow("的一是不了在人 "), slow("，。")])
def test_a_long_text_takes_no_longer_than_a_reader_waits(alphabet: str) -> None:
    rng = random.Random(3)
    older, newer = ("".join(rng.choices(alphabet, k=100_000)) for _ in range(2))
    many = [[f"{rng.choice(alphabet)}{rng.randrange(300)}" for _ in range(5000)] for _ in range(2)]
    started = time.process_time()

    diff_texts(older, newer)
    paragraphs(*many)

    assert time.process_time() - started < 30


def test_a_small_change_in_a_long_paragraph_is_found_in_it() -> None:
    rng = random.Random(5)
    long = ["".join(rng.choices("哈萨克斯坦总统讲话内容", k=20)) for _ in range(500)]
    older = "。".join([*long[:250], "死亡人数为十人", *long[250:]])
    newer = "。".join(["改写过的第一句", *long[1:250], "死亡人数为二十人", *long[250:-1], "改写过的末句"])

    marked = diff_texts(older, newer)

    assert RevisionDiff(version(1), version(2), None, (marked,)).is_visible
    assert [piece.text for piece in marked if piece.mark == "new"][1:-1] == ["二"]


def test_a_comparison_of_hostile_texts_marks_their_later_paragraphs_whole() -> None:
    rng = random.Random(9)
    characters = [chr(ord("一") + number) for number in range(100)]
    hostile = [rng.choices(characters, k=300) for _ in range(45)]
    # Each tenth character of every paragraph is another one.
    changed = ["".join("新" if i % 10 == 5 else each for i, each in enumerate(paragraph)) for paragraph in hostile]

    shown_first, *between = paragraphs(
        ["今天的第一段", "无变化的", *map("".join, hostile)], ["今天的第二段", "无变化的", *changed]
    )

    assert shown_first == "今天的第[-一-]{+二+}段"
    assert between[0] == 1
    assert str(between[1]).count("[-") > 20
    assert str(between[-1]).count("[-") == 1
