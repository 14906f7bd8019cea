"""Visible text of a body, and the text by which versions are compared."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from kzfeed.article.html.content import comparison_text, derive, plain_text, title_text
from kzfeed.article.html.line_breaks import trim_lines
from kzfeed.article.strings import storable, trim

SHARED = Path(__file__).parents[3] / "shared"
ANY_TEXT = st.text(st.characters())  # surrogates too
FOOTER = (
    "<br><hr><div>获取更多RSS：<br>"
    '<a href="https://feedx.net" style="color:orange" target="_blank">https://feedx.net</a> <br>'
    '<a href="https://feedx.top" style="color:orange" target="_blank">https://feedx.top</a><br></div>'
)

# --- what a reader sees -----------------------------------------------------------------------------------------------

READ = [
    ("", []),
    ("纯文本", ["纯文本"]),
    # paragraphs
    ("<p>a</p><p>b</p>", ["a", "b"]),
    ("a<div>b</div>c", ["a", "b", "c"]),
    ("<p>a<p>b", ["a", "b"]),
    ("a<br>b<br/><br>c<hr>d", ["a", "b", "c", "d"]),
    ("<h1>a</h1><ul><li>b<li>c</ul><dl><dt>d<dd>e</dl>", ["a", "b", "c", "d", "e"]),
    ("<figure><img src=x><figcaption>a</figcaption></figure>b", ["a", "b"]),
    ("<table><tr><th>a</th><th>b</th></tr><tr><td>c</td><td>d</td></tr></table>", ["a b", "c d"]),
    ("<BLOCKQUOTE>a</BLOCKQUOTE>b", ["a", "b"]),
    # inside a paragraph
    ("<b>a</b>b<i>c</i> <a href=d>e</a><span>f</span>", ["abc ef"]),
    ("<p> a \n\t b&nbsp;\u3000c&#10;d\u2028e </p>", ["a b c d e"]),
    ("漢<ruby>字<rt>じ</rt></ruby>", ["漢字じ"]),
    ("hy&shy;phen zero\u200bwidth<wbr>", ["hyphen zerowidth"]),
    ("<pre>\n  a\n\n   b  c\r\nd\re</pre>f\ng", ["a", "b c", "d", "e", "f g"]),
    ("<pre>a\n<pre>b\nc</pre>d\ne</pre>f\ng", ["a", "b", "c", "d", "e", "f g"]),
    # character references
    ("&lt;b&gt; &amp;amp; &copy &#20013;&#x4e2d; &bogus; &", ["<b> &amp; © 中中 &bogus; &"]),
    ("&am<b>p;</b>", ["&amp;"]),
    ("a\ud800b&#xDFFF;\x00c", ["a\ufffdb\ufffdc"]),
    ("&#" + "9" * 5000 + ";", ["\ufffd"]),
    ("&#0000000000020013;", ["中"]),
    # what no reader sees
    ("a<script>b<p></script>c<style>d</style>e<!-- f --><!g><?h>i", ["acei"]),
    ("a<SCRIPT>'</scripted>'</Script >b<textarea><p>c</textarea>d<title>e</title>", ["abd"]),
    ("a<template><p>b</p></template><noscript><img src=c>d</noscript>e", ["ae"]),
    ("a<iframe>b</iframe><video src=c><p>d</p></video><audio>e</audio><svg><text>f</text></svg>g", ["ag"]),
    ("a<p hidden>b</p><div style='color: red; DISPLAY : none'><div>c</div>d</div>e", ["a", "e"]),
    ("<p aria-hidden=true class=hidden style='overflow: hidden; visibility: hidden'>a</p>", ["a"]),
    ("<html><head><title>a</title><meta name=b></head><body>c</body></html>", ["c"]),
    ("<img alt=a><input value=b hidden>c", ["c"]),
    # broken markup
    ("a < b <3 <<i>c</i> a<b", ["a < b <3 <c a"]),
    ("<p title='a>b'>c<p title=a>b>d", ["c", "b>d"]),
    ("<p a='x>y", []),
    ("a<!-- b", ["a"]),
    ("a<!-->b<!--->c<!-- --!>d</>e</ f>g", ["abcdeg"]),
    ("</p></div>a</b>", ["a"]),
    ("<div><video>a</div>b", ["b"]),
    ("<div><noscript><br></br><i>a</i></div>b", ["b"]),
    ("<p hidden>a<p>b", ["b"]),
    ("<svg>a<p>b", ["b"]),
    ("<svg><svg/>a</svg>b", ["b"]),
    ("<video></source>a</video>b", ["b"]),
    ("a<ſcript>b", ["a<ſcript>b"]),
    ("<script/>a<iframe src='b'/>c<textarea name=d />e<svg/>f<video src='g' / >h</video>i", ["acefi"]),
    ("<script src=a/>b</script><video src=c/>d</video><p hidden/>e", ["e"]),
]


@pytest.mark.parametrize(("html", "paragraphs"), READ)
def test_the_text_is_what_a_reader_sees_one_paragraph_a_line(html: str, paragraphs: list[str]) -> None:
    assert plain_text(html).split("\n") == (paragraphs or [""])


# --- the mirror's footer ----------------------------------------------------------------------------------------------

FOOTERS = [
    FOOTER,
    FOOTER.removesuffix("</div>"),
    FOOTER.replace("：", ":"),
    FOOTER.replace("：", ""),
    FOOTER.replace("获", "獲"),
    FOOTER.replace("feedx.net", "feedx.best").replace("feedx.top", "rss.feedx.site"),
    FOOTER.replace("https://feedx.top", "https://mirror.example"),
    FOOTER.replace("<br>", "\n<br/>\n").replace("RSS", " RSS "),
    f"{FOOTER} \n<!-- served by a cache --><p>&nbsp;</p>",
    '<p>获取更多RSS：<a href="https://feedx.net">feedx.net</a></p>',
]

NO_FOOTERS = [
    "<p>获取更多RSS：请访问 https://feedx.net</p>",
    "<p>读者可到 https://feedx.net 获取更多RSS：https://feedx.net</p>",
    "<p>获取更多RSS：</p>",
    "<p>获取更多RSS：<br>https://example.org</p>",
    "<p>镜像：<br>https://feedx.net</p>",
    "<p>https://feedx.net</p>",
    f"{FOOTER}<p>完</p>",
]


@pytest.mark.parametrize("footer", FOOTERS)
def test_the_footer_of_the_mirror_is_no_text_of_the_article(footer: str) -> None:
    body = "<p>甲</p><p>乙</p>"
    assert plain_text(body + footer) == "甲\n乙"
    assert comparison_text(body + footer) == comparison_text(body)


@pytest.mark.parametrize("ending", NO_FOOTERS)
def test_what_an_article_says_of_the_mirror_stays(ending: str) -> None:
    text = plain_text(f"<p>甲</p>{ending}")
    assert _letters(text) == _letters(re.sub("<[^>]*>", "", f"甲{ending}"))


# --- what makes a version ---------------------------------------------------------------------------------------------

BBC = (
    '<main role="main"><div><time dateTime="2022-01-13">46 分钟前</time></div>'
    '<div><p class="a1">哈萨克斯坦骚乱</p></div></main>'
)

NOISE = [
    (BBC, BBC.replace("46 分钟前", "3 小时前")),
    (BBC, BBC.replace("46 分钟前", "2022年1月13日")),
    (BBC, BBC.replace("<time", "<TIME").replace("46", "<b>47</b>")),
    (BBC, BBC.replace("a1", "css-9x").replace("<p ", '<p data-e2e="text" ')),
    (BBC, BBC + FOOTER),
    (BBC + FOOTER, BBC + FOOTER.replace("feedx.top", "feedx.site")),
    ("<p>甲</p><p>乙</p>", "<div>甲</div>\n<div><span>乙</span></div>"),
    ("<p>one two</p><p>three</p>", "<p>one  two<br><b>th</b>ree"),
    ("<p>a&nbsp;b</p>", "<p>a b</p>"),
    ("<p>one\ntwo</p>", trim_lines("<p>one\ntwo</p>")),
    ("<p>中\u200b文&shy;</p>", "<p>中文</p>"),
    ("<p>Q&amp;A “甲”</p>", "<p>Q&#38;A &ldquo;甲&rdquo;</p>"),
    ("<p>甲</p>", "<p>甲</p><script>1</script><!-- 2 --><noscript>3</noscript>"),
    (
        '<img src="https://images.weserv.nl?url=gdb.example/a.jpg" width="100%"><p>甲</p>',
        '<img src="https://gdb.example/a.jpg"><p>甲</p>',
    ),
    ("<div>46 分钟前</div><p>甲</p>", "<div>1小時前</div><p>甲</p>"),
    ("<div>5 minutes ago</div><p>a</p>", "<span>an hour ago</span><p>a</p>"),
    ("<div>3分前</div><p>記事</p>", "<div>2時間前</div><p>記事</p>"),
    ("<p>甲</p><p>乙</p>", "<p>甲 乙</p>"),
    ("<p>用 iPhone 的人</p>", "<p>用iPhone的人</p>"),
    ("<p>one</p><p>two</p>", "<p>one\n\ntwo</p>"),
    ("<table><tr><td><p>article</p></td></tr></table>", "<p>article</p>"),
    ("<tr><td>1<td>2</tr>", "<tr> <td>1</td> <th> 2 </th> </tr>"),
    ("<p>a<del></del> b</p>", "<p>a b</p>"),
    ("<p>a</p><svg><title>x</title><desc>y</desc><path d=z></svg>", "<p>a</p><svg><title>w</title></svg>"),
    ("<p>a</p><td>46 分钟前</td>", "<p>a</p><td>47 分钟前</td>"),
    ("<p>a</p><table><tr><td>获取更多RSS：</td><td>https://feedx.net</td></table>", "<p>a</p>"),
]

CHANGES = [
    ("<p>甲乙</p>", "<p>甲丙</p>"),
    ("<p>甲</p>", "<p>甲</p><p>（更正）</p>"),
    ("<p>甲</p><p>乙</p>", "<p>乙</p><p>甲</p>"),
    ("<p>死亡 3 人</p>", "<p>死亡 13 人</p>"),
    ("<p>a</p>", "<p>A</p>"),
    ("<p>a.</p>", "<p>a!</p>"),
    ("<p>46 分钟前，总统抵达</p>", "<p>50 分钟前，总统抵达</p>"),
    ("<p>火灾发生在 3 天前</p>", "<p>火灾发生在 4 天前</p>"),
    ("<h2>10年前</h2>", "<h2>20年前</h2>"),
    ("<time>1</time>2", "<time>1</time>3"),
    ("<div><time>1</div>2", "<div><time>1</div>3"),
    (FOOTER + "<p>甲</p>", "<p>甲</p>"),
    # where words and table cells begin and end
    ("<tr><td>1</td><td>23</td></tr>", "<tr><td>12</td><td>3</td></tr>"),
    ("<tr><td>a b</td><td>c</td></tr>", "<tr><td>a</td><td>b c</td></tr>"),
    ("<tr><td>甲乙</td><td>丙</td></tr>", "<tr><td>甲</td><td>乙丙</td></tr>"),
    ("<p>now here</p>", "<p>nowhere</p>"),
    # deleted text, text of images
    ("<p>a b c</p>", "<p>a <del>b</del> c</p>"),
    ("<p>a <s>b c</s></p>", "<p>a <s>b</s> c</p>"),
    ("<svg><text>12</text></svg>", "<svg><text>13</text></svg>"),
    ("<p>a<svg><text>12<tspan>3</tspan></text></svg></p>", "<p>a<svg><text>12</text></svg></p>"),
]


@pytest.mark.parametrize(("before", "after"), NOISE)
def test_what_nobody_wrote_makes_no_new_version(before: str, after: str) -> None:
    assert comparison_text(before) == comparison_text(after) != ""


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_another_wording_makes_a_new_version(before: str, after: str) -> None:
    assert comparison_text(before) != comparison_text(after)


def test_the_hour_stays_in_the_text_that_people_read() -> None:
    assert plain_text(BBC) == "46 分钟前\n哈萨克斯坦骚乱"


# --- whatever comes in ------------------------------------------------------------------------------------------------

MARKUP = [
    *("<p>", "</p>", "<b>", "</b>", '<div class="a>b">', "</div>", "<br/>", "<img src=x alt='<p>'>", "<a href='x>y'>"),
    *("<!-- c -->", "<!-->", "<!--->", "<!-", "<!doctype>", "<?x?>", "</>", "</ x>", "< p>", "<3", "-->", "<!--x--!>"),
    *("<script>", "</script>", "</scriptx>", "<style>", "</style >", "<textarea>", "</textarea/>", "<x-y>", "</x-y>"),
    *('<p a=">', "<p a b = 'c' d>", "<p/>", '<p =">', '<p a==">"b>', "<b a=x/y>", "<i a='\"'>", "<p a", 'x="1"', ">"),
    *("a", "b ", "文", "&amp;", "&lt;", "&amp", "&nbsp;", "&#20013;", "&bogus;", "'", '"'),
]
UNSEEN_BY_THE_JUDGE = (
    "script, style, textarea, title, iframe, noembed, noframes, xmp, template, noscript, audio, video, svg"
)
ELEMENTS = [("section", ""), ("div", " hidden"), ("b", ""), ("noscript", ""), ("video", " controls"), ("span", "")]


def _judge(html: str) -> str:
    """The letters that a reader sees, as a tree builder finds them."""
    tree = LexborHTMLParser(html)
    for node in tree.css(f"{UNSEEN_BY_THE_JUDGE}, [hidden]"):
        node.decompose()
    return _letters(tree.root.text()) if tree.root else ""


@given(st.lists(st.sampled_from(MARKUP), max_size=12).map("".join))
def test_markup_is_cut_where_a_browser_cuts_it(html: str) -> None:
    assert _letters(plain_text(html)) == _judge(html)


@given(
    st.recursive(
        st.sampled_from(["a", "文", "<br>", "<img src=x>", "&lt;"]),
        lambda inside: st.tuples(st.sampled_from(ELEMENTS), st.lists(inside, max_size=3)).map(
            lambda drawn: f"<{drawn[0][0]}{drawn[0][1]}>{''.join(drawn[1])}</{drawn[0][0]}>"
        ),
    )
)
def test_nothing_is_seen_of_hidden_elements_and_everything_after_them(html: str) -> None:
    html = f"<div>{html}</div><p>end"
    assert _letters(plain_text(html)) == _judge(html)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared stands beside the project, not in it")
def test_no_word_of_real_articles_is_lost() -> None:
    paths = [path for path in (SHARED / "corpus" / "family").iterdir() if path.is_file()]
    bodies = [path.read_bytes().decode().split("------\n", 1)[-1] for path in paths]
    assert len(bodies) > 70
    assert [_letters(plain_text(body)) for body in bodies] == [_judge(body) for body in bodies]


@given(ANY_TEXT | st.lists(st.sampled_from([*MARKUP, "<pre>", "<time>", "\ud800", "\x00", "\r"])).map("".join))
def test_no_text_makes_the_reader_raise_and_what_it_gives_can_be_stored(html: str) -> None:
    derived = derive(storable(html), html)
    for text in (derived.text, derived.comparison_text, title_text(html, is_html=True)):
        text.encode()
    assert "\x00" not in derived.text + derived.comparison_text
    assert all(line == trim(line) != "" for line in derived.text.split("\n") if derived.text)


def _seconds_of(html: str) -> float:
    began = time.process_time()
    derive(html, None)
    return time.process_time() - began


@pytest.mark.slow
def test_long_bodies_of_times_and_of_what_nobody_sees_take_no_longer_than_their_length_asks_for() -> None:
    for markup in ("<time>", "<time>前</time>", "<svg>", "<svg></svg>", "<p hidden>", "<a></a>"):
        few, many = (min(_seconds_of(markup * count) for _ in range(3)) for count in (2_000, 16_000))
        assert many < 4 * 8 * few, markup


def _letters(text: str) -> str:
    return "".join(re.sub("[\x00\xad\u200b\u2060\ufeff]", "", text).split())
