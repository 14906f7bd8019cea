"""The body rule, titles, plain text as a body, and input that means harm."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzfeed.article.html.content import derive, from_plain, plain_text, title_text
from kzfeed.article.html.line_breaks import trim_lines
from kzfeed.article.strings import WHITE_SPACE, one_line, trim
from kzfeed.article.url import href

SHARED = Path(__file__).parents[3] / "shared"
ANY_TEXT = st.text(st.characters())  # surrogates too
NO_MARKUP = st.text(st.sampled_from("a文\n\r \t\u3000\xa0\x85&>"))

# --- trimmed, one line ------------------------------------------------------------------------------------------------


def test_exactly_the_white_space_of_the_format_is_trimmed() -> None:
    ranges = [(9, 13), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)]
    ranges += [(each, each) for each in (0x202F, 0x205F, 0x3000, 0xFEFF)]
    expected = {chr(number) for first, last in ranges for number in range(first, last + 1)}
    assert {chr(number) for number in range(0x110000) if not trim(chr(number))} == expected
    assert len(WHITE_SPACE) == len(expected)
    assert trim(f"{WHITE_SPACE}a b\x85{WHITE_SPACE}") == "a b\x85"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (" 标题 \n", "标题"),
        ("a\nb", "a b"),
        ("a \r\n\t b", "a b"),
        ("a\u3000\nb", "a b"),
        ("a\x0bb\x0cc\rd\u2028e\u2029f", "a b c d e f"),
        ("a  b", "a  b"),
        ("甲\u3000乙", "甲\u3000乙"),
        ("a\u3000 b\nc", "a\u3000 b c"),
        ("a\x85b", "a\x85b"),
        ("\ufeff\n", ""),
    ],
)
def test_a_title_keeps_its_spaces_and_loses_its_line_breaks(title: str, expected: str) -> None:
    assert one_line(title) == expected


# --- the body rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", ""),
        (" \n\n ", ""),
        ("<p>\n  甲\u3000\n</p>\n", "<p>甲</p>"),
        ("<p>a</p>\r\n\r\n<p>b</p>\r\n", "<p>a</p><p>b</p>"),
        ("a\rb", "a\rb"),
        ("\ufeff<p>a</p>", "<p>a</p>"),
        ("<p\nclass=a>b</p>", "<pclass=a>b</p>"),
        # kept
        ("a\n<pre>  b\n\n  c\r\n</pre>\nd", "a<pre>  b\n\n  c\r\n</pre>d"),
        ("  <PRE class='x'>\n b</Pre>  ", "<PRE class='x'>\n b</Pre>"),
        ("a  <pre>\n</pre>  b", "a  <pre>\n</pre>  b"),
        ("a \n <pre>\n</pre> \n b", "a<pre>\n</pre>b"),
        ("a <pre> b ", "a <pre> b "),
        ("<pre>\n</pre>\n<pre>\n</pre>", "<pre>\n</pre><pre>\n</pre>"),
        ("<pre>\n</pre> a <pre>\n</pre>", "<pre>\n</pre> a <pre>\n</pre>"),
        ("<textarea>\n a\n</textarea>\n b", "<textarea>\n a\n</textarea>b"),
        ("<pre title='a>\n'>\n</pre>\n", "<pre title='a>\n'>\n</pre>"),
        ("<pre>\n<pre>\n</pre>\n</pre>\n a", "<pre>\n<pre>\n</pre>\n</pre>a"),
        ("<pre><textarea>\n</pre>\n</textarea>\n</pre>\n", "<pre><textarea>\n</pre>\n</textarea>\n</pre>"),
        ("<textarea><pre>\n</textarea>\n a", "<textarea><pre>\n</textarea>a"),
        ("a\n <pre>\n b\n ", "a<pre>\n b\n "),
        ("a\n <textarea>\n b\n ", "a<textarea>\n b\n "),
        # no <pre>
        ("<prelude>\n a\n</prelude>", "<prelude>a</prelude>"),
        ("</pre>\n a", "</pre>a"),
        ("<pre/>\n a", "<pre/>a"),
        ("<!-- <pre> -->\n a", "<!-- <pre> -->a"),
        ("<!-- <pre>\n a", "<!-- <pre>a"),
        ('<img alt="<pre>">\n a', '<img alt="<pre>">a'),
        ("<script>'<pre>'</script>\n a", "<script>'<pre>'</script>a"),
        ("<textarea>'<pre>'</textarea>\n a", "<textarea>'<pre>'</textarea>a"),
        ("&lt;pre>\n a", "&lt;pre> a"),
        ("< pre>\n a", "< pre> a"),
    ],
)
def test_lines_are_trimmed_and_joined_except_where_they_mean_something(html: str, expected: str) -> None:
    assert trim_lines(html) == expected


JOINED = [
    # words stay apart
    ("in the way\nof Apple", "in the way of Apple"),
    ("way \r\n\t of", "way of"),
    ("one\n\n\ntwo", "one two"),
    ("<b>New</b>\n<i>York</i>", "<b>New</b> <i>York</i>"),
    ("<b>New\n</b>\n<i>\nYork</i>", "<b>New </b><i>York</i>"),
    ("<p>see <a\nhref='x'>this</a>", "<p>see <a href='x'>this</a>"),
    ("a<!-- b\n -->c", "a<!-- b -->c"),
    ("caf&eacute;\n&amp; bar", "caf&eacute; &amp; bar"),
    ("우리\n나라", "우리 나라"),
    ("a\u200b\n\u200bb", "a\u200b \u200bb"),
    ("a<img\nsrc=b>\nc", "a<img src=b>c"),
    ("one,\n“two”", "one, “two”"),
    # a reader sees no space there anyway
    ("one<br>\ntwo<br\n/>three\n<hr>four", "one<br>two<br/>three<hr>four"),
    ("<p>one</p>\n<p>two</p>", "<p>one</p><p>two</p>"),
    ("<p>one <b>\n</b></p>\ntwo", "<p>one <b></b></p>two"),
    ("<table>\n<tr>\n<td>1</td>\n<td>2</td>", "<table><tr><td>1</td><td>2</td>"),
    ("\n<i>\none</i>\n", "<i>one</i>"),
    ("one\n<!-- two -->\n", "one<!-- two -->"),
    ("&nbsp;\none\n&#32;", "&nbsp;one&#32;"),
    # scripts without spaces between words
    ("中文\n中文", "中文中文"),
    ("用\niPhone\n的", "用iPhone的"),
    ("<b>カナ</b>\n<i>かな</i>", "<b>カナ</b><i>かな</i>"),
    ("one\n（two）\nthree", "one（two）three"),
    ("&#20013;\none", "&#20013;one"),
    ("葛\U000e0100\none", "葛\U000e0100one"),
    ("one\nＡ", "oneＡ"),
    # kept
    ("one\n<textarea>\n</textarea>\ntwo", "one <textarea>\n</textarea>two"),
    ("one</pre\n>two", "one</pre>two"),
]


@pytest.mark.parametrize(("html", "expected"), JOINED)
def test_joined_lines_keep_words_apart_where_a_reader_sees_them_apart(html: str, expected: str) -> None:
    assert trim_lines(html) == expected
    assert trim_lines(expected) == expected


@given(NO_MARKUP)
def test_lines_of_text_are_joined_with_a_space_except_beside_chinese(text: str) -> None:
    expected = ""
    for line in filter(None, map(trim, text.split("\n"))):
        is_glued = not expected or expected.endswith("文") or line.startswith("文")
        expected += line if is_glued else f" {line}"
    assert trim_lines(text) == expected


@given(NO_MARKUP, NO_MARKUP, NO_MARKUP)
def test_what_stands_before_and_after_a_pre_never_touches_its_inside(before: str, inside: str, after: str) -> None:
    body = trim_lines(f"{before}\n<pre>{inside}</pre>\n{after}")
    assert body == f"{trim_lines(before)}<pre>{inside}</pre>{trim_lines(after)}"


@given(ANY_TEXT)
def test_nothing_but_white_space_is_ever_taken_from_a_body(html: str) -> None:
    def without_space(text: str) -> str:
        return "".join(character for character in text if character not in WHITE_SPACE)

    assert without_space(trim_lines(html)) == without_space(html)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared stands beside the project, not in it")
@pytest.mark.parametrize("number", range(5))
def test_the_feeds_of_a_mirror_give_the_bodies_of_real_archive_files(number: int) -> None:
    [seed] = (SHARED / "seeds").glob(f"{number:03}_*.txt")
    header, body = seed.read_bytes().decode().removesuffix("\n").split("\n------\n\n", 1)
    link = header.rpartition("](")[2].removesuffix(")")
    assert body in {trim_lines(content) for address, content in _items() if href(address) == link}


def _items() -> list[tuple[str, str]]:
    pattern = re.compile(r"<link>([^<]*)</link>\s*<description><!\[CDATA\[(.*?)\]\]>", re.DOTALL)
    feeds = [path.read_bytes().decode() for path in sorted((SHARED / "feeds").glob("*.xml"))]
    return [item for feed in feeds for item in pattern.findall(feed)]


# --- titles and plain text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("标题", "标题"),
        ("<b>a</b>b", "ab"),
        ("a<br>b", "a b"),
        ("<p>a</p>\n<p>b</p>", "a b"),
        ("Q&amp;A &#20013;&nbsp;", "Q&A 中"),
        ("&lt;b&gt;", "<b>"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("I <3 you", "I <3 you"),
        ("a<!-- b -->c<script>d</script>e", "ace"),
        ("[a](b) ](c", "[a](b) ](c"),
        ("a\ud800b", "a\ufffdb"),
        ("&#xD800;&#x110000;&#" + "9" * 5000 + ";", "\ufffd\ufffd\ufffd"),
    ],
)
def test_a_title_of_html_is_read_as_a_reader_would(markup: str, expected: str) -> None:
    assert title_text(markup, is_html=True) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [("<b>a</b> &amp;", "<b>a</b> &amp;"), (" a\n b ", "a b"), ("\udc00", "\ufffd")],
)
def test_a_title_of_plain_text_has_no_markup_to_read(title: str, expected: str) -> None:
    assert title_text(title, is_html=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n ", ""),
        ("一行", "一行"),
        ("a < b & \"c\" > 'd'", "a &lt; b &amp; \"c\" &gt; 'd'"),
        ("&lt;", "&amp;lt;"),
        ("\n a \n b\r\nc\rd\u2028e\n", "a<br>b<br>c<br>d<br>e"),
        ("a\n\nb", "a<br><br>b"),
        ("a\n \n\u3000\n\r\nb", "a<br><br>b"),
        ("a\ud800", "a\ufffd"),
    ],
)
def test_plain_text_becomes_a_body(text: str, expected: str) -> None:
    assert from_plain(text) == expected


@given(ANY_TEXT)
def test_a_body_made_of_plain_text_reads_as_that_text_and_stays_as_it_is(text: str) -> None:
    body = from_plain(text)
    assert trim_lines(body) == body
    assert _letters(plain_text(body)) == _letters(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _letters(text: str) -> str:
    return "".join(re.sub("[\x00\xad\u200b\u2060\ufeff]", "", text).split())


# --- whatever comes in ------------------------------------------------------------------------------------------------

HOSTILE = {
    "deep": "<div>" * 100_000 + "x",
    "deep and hidden": "<b hidden>" * 100_000 + "x",
    "unclosed formatting": "<p>" + "".join(f"<font size={n}>" for n in range(10_000)) + "</p><p>x" * 10_000,
    "unclosed pre": "<pre>\n " * 100_000,
    "unclosed textarea": "<textarea>\n" * 100_000,
    "comments": "<!--" * 200_000,
    "tags without end": "<p " * 300_000,
    "quotes without end": '<p a="' * 200_000,
    "angle brackets": "<" * 1_000_000,
    "ampersands": "&" * 1_000_000,
    "attributes": "<p " + " ".join(f"a{n}=1" for n in range(100_000)) + " hidden>x",
    "scripts": "<script></scrip" * 100_000,
    "srcset": '<img srcset="' + ", " * 500_000 + '">',
    "long srcset": '<img srcset="' + "a" * 500_000 + ' junk junk">',
    "one word": "获取更多RSS：" + "a." * 500_000,
    "white space": " \n" * 500_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup_takes_no_longer_than_its_length_allows(name: str) -> None:
    """Each takes a second at the most; whatever reads a part of it again and again takes minutes."""
    html = HOSTILE[name]
    start = time.process_time()
    derive(html, "https://example.org/")
    trim_lines(html)
    title_text(html, is_html=True)
    one_line(html)
    from_plain(html)
    assert time.process_time() - start < 30


@pytest.mark.slow
def test_a_body_of_two_megabytes_is_read_whole() -> None:
    html = "<p>一个<b>段落</b> of text</p>\n" * 70_000
    assert derive(html, None).text == "\n".join(["一个段落 of text"] * 70_000)
    assert trim_lines(html) == html.replace("\n", "")
