"""Bodies of articles as harmless HTML: what stays, what becomes a link, and what is too large."""

import pytest

from kzfeed.web.body import LINK_REL, MAX_CHARACTERS, clean_body

BASE = "https://news.example/2022/article"


def shown(html: str) -> str | None:
    cleaned = clean_body(html, BASE, lambda kind: kind.upper())
    return cleaned and cleaned.replace(f' rel="{LINK_REL}"', "")


def medium(kind: str, address: str, said: str, where: str) -> str:
    return f'<a class="medium {kind}" href="{address}">{said} <span class="where">{where}</span></a>'


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p lang=zh>字<br>词 <em>&amp;</em></p>", '<p lang="zh">字<br>词 <em>&amp;</em></p>'),
        ("<h1>大</h1><h3 class=x>小</h3>", "<h2>大</h2><h3>小</h3>"),
        ("<a href='../x?a=1&b=2#c'>link</a>", '<a href="https://news.example/x?a=1&amp;b=2#c">link</a>'),
        ("<a href='javascript:x()'>a</a><a href='mailto:a@b'>b</a>", "<a>a</a><a>b</a>"),
        ("<table><tr><td colspan=2 rowspan=99999>x</table>",
         '<table><tbody><tr><td colspan="2">x</td></tr></tbody></table>'),
        ("a<script>b</script><style>c</style><svg><text>d</text></svg><noscript>e</noscript>f", "af"),
        ("<img src=//img.example/a/b.jpg alt='a &quot;b&quot;'>",
         medium("image", "https://img.example/a/b.jpg", "IMAGE: a &quot;b&quot;", "img.example/…/b.jpg")),
        ("<img src=data:image/gif;base64,R0 data-src=/lazy.png>",
         medium("image", "https://news.example/lazy.png", "IMAGE", "news.example/…/lazy.png")),
        ("<img src='https://images.weserv.nl/?url=img.example/p.jpg'>",
         medium("image", "https://img.example/p.jpg", "IMAGE", "img.example/…/p.jpg")),
        ("<img src=/pixel.gif width=1 height=1>x<img alt='only words'>", "xonly words"),
        ("<picture><source srcset=/a.webp><img src=/a.png></picture>",
         medium("image", "https://news.example/a.png", "IMAGE", "news.example/…/a.png")),
        ("<a href=/big><img src=/small.png alt=船></a>",
         '<a href="https://news.example/big"><span class="medium image">IMAGE: 船 '
         '<span class="where">news.example/…/small.png</span></span></a>'),
        ("<video poster=/p.png><source src=/v.mp4><source src=/v.webm>no video</video>",
         medium("video", "https://news.example/v.mp4", "VIDEO", "news.example/…/v.mp4") + "no video"),
        ("<audio src=/a.mp3></audio>", medium("audio", "https://news.example/a.mp3", "AUDIO", "news.example/…/a.mp3")),
        ("<iframe src=https://video.example/embed/x></iframe>after",
         medium("embed", "https://video.example/embed/x", "EMBED", "video.example/…/x") + "after"),
    ],
)  # fmt: skip
def test_a_body_keeps_its_words_and_loads_nothing(html: str, expected: str) -> None:
    assert shown(html) == expected


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 300,
        "<p>" + "".join(f"<b a{number}=1>" for number in range(90)) + "</p>" + "<p>x</p>" * 20_000,
        "&" * 60_000,
        "字" * (MAX_CHARACTERS + 1),
    ],
    ids=["deep", "formatting", "ampersands", "long"],
)
def test_a_body_that_a_parser_would_be_slow_on_is_not_shown_as_html(html: str) -> None:
    assert shown(html) is None


def test_images_within_a_body_do_not_make_it_too_long() -> None:
    assert shown(f"<img src='data:image/png;base64,{'A' * 2 * MAX_CHARACTERS}'>text") == "text"
