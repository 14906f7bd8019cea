"""What a body and its enclosures show beside their words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzfeed.article.html.content import media
from kzfeed.article.html.media import enclosure_media
from kzfeed.model.articles import Enclosure, Media, MediaKind

BASE = "https://example.org/news/1.html"

SHOWN: list[tuple[str, list[tuple[MediaKind, str]]]] = [
    ("<p>a</p>", []),
    # images
    ("<img src=https://example.org/a.jpg>", [("image", "https://example.org/a.jpg")]),
    ("<IMG SRC='/a.jpg'/>", [("image", "https://example.org/a.jpg")]),
    (
        "<img src=a.jpg><img src=//cdn.example/b.png>",
        [("image", "https://example.org/news/a.jpg"), ("image", "https://cdn.example/b.png")],
    ),
    ("<img src=' 图.jpg\n'>", [("image", "https://example.org/news/%E5%9B%BE.jpg")]),
    ("<img src='a?b=1&amp;c=2&copy=3&lt=4'>", [("image", "https://example.org/news/a?b=1&c=2&copy=3&lt=4")]),
    (
        "<img src=a><img src=b><img src=./a#>",
        [
            ("image", "https://example.org/news/a"),
            ("image", "https://example.org/news/b"),
            ("image", "https://example.org/news/a#"),
        ],
    ),
    ("<img src='a?&copyright;&#98;'>", [("image", "https://example.org/news/a?&copyright;b")]),
    ("<img src=a><img src=./a>", [("image", "https://example.org/news/a")]),
    ("<img alt=a><img src><img src=''>", []),
    ("<img src=data:image/gif;base64,R0><img src=blob:x><img src=javascript:x><img src='http://'>", []),
    # images that a script loads
    ("<img data-src=a.jpg>", [("image", "https://example.org/news/a.jpg")]),
    ("<img src=data:, data-original=a.jpg>", [("image", "https://example.org/news/a.jpg")]),
    ("<img src=small.jpg data-src=a.jpg>", [("image", "https://example.org/news/small.jpg")]),
    ("<img src=data:, srcset='a.jpg 320w, b.jpg 1024w, c.jpg 640w'>", [("image", "https://example.org/news/b.jpg")]),
    # pixels that only count readers
    ("<img src=a width=1 height=1><img src=b width=0 height='1px'>", []),
    (
        "<img src=a width=1><img src=b width=1 height=100>",
        [("image", "https://example.org/news/a"), ("image", "https://example.org/news/b")],
    ),
    # pictures
    ("<picture><source srcset='a.webp 2x'><img src=a.jpg></picture>", [("image", "https://example.org/news/a.jpg")]),
    ("<picture><img src=a.jpg><source srcset='a.webp'></picture>", [("image", "https://example.org/news/a.jpg")]),
    (
        "<picture><source srcset='a,b.webp, c.webp 1.5x'><source srcset=d></picture>",
        [("image", "https://example.org/news/c.webp")],
    ),
    ("<picture><source media=x><source srcset=d><p>e", [("image", "https://example.org/news/d")]),
    ("<picture><source srcset=a><img src=data:,></picture>", [("image", "https://example.org/news/a")]),
    (
        "<picture><source srcset=a></picture><picture><img src=b></picture>",
        [("image", "https://example.org/news/a"), ("image", "https://example.org/news/b")],
    ),
    ("<source srcset=a><picture></picture><source srcset=b>", []),
    # the only image may be for readers without scripts, and the same image once more
    ("<div></div><noscript><picture><img src=a></picture></noscript>", [("image", "https://example.org/news/a")]),
    ("<img src=data:, data-src=a><noscript><img src=a></noscript>", [("image", "https://example.org/news/a")]),
    # sounds and films
    ("<audio src=a.mp3 controls></audio>", [("audio", "https://example.org/news/a.mp3")]),
    ("<video src=a.mp4><source src=b.webm></video>", [("video", "https://example.org/news/a.mp4")]),
    (
        "<video><source src=data:,><source src=a.mp4><source src=b.webm></video>",
        [("video", "https://example.org/news/a.mp4")],
    ),
    ("<audio><p><source src=a.mp3></p></audio><source src=b.mp3>", [("audio", "https://example.org/news/a.mp3")]),
    (
        "<audio src=a></audio><video src=a></video>",
        [("audio", "https://example.org/news/a"), ("video", "https://example.org/news/a")],
    ),
    ("<audio/><source src=a>", []),
    # none of these
    ("<template><template></template><img src=a></template>", []),
    ("<iframe src=https://example.org/a></iframe><embed src=b><a href=c.jpg>d</a>", []),
    ("<!-- <img src=a> --><script>'<img src=b>'</script><template><img src=c></template><p title='<img src=d>'>", []),
]

PROXIED = [
    "https://images.weserv.nl?url=gdb.example/a_w900.jpg",
    "https://images.weserv.nl/?url=gdb.example/a_w900.jpg",
    "http://images.weserv.nl/?url=gdb.example%2Fa_w900.jpg&w=640",
    "//wsrv.nl/?w=640&url=https%3A%2F%2Fgdb.example%2Fa_w900.jpg",
    "https://wsrv.nl/?url=https://gdb.example/a_w900.jpg",
    "https://wsrv.nl/?url=//gdb.example/a_w900.jpg",
    "https://images.weserv.nl/?url=ssl:gdb.example/a_w900.jpg",
    "https://i0.wp.com/gdb.example/a_w900.jpg?resize=300%2C200&ssl=1",
    "https://i3.wp.com/gdb.example/a_w900.jpg",
    "https://wsrv.nl/?url=i1.wp.com%2Fgdb.example%2Fa_w900.jpg",
]

NOT_PROXIED = [
    "https://images.weserv.nl/?w=1",
    "https://wsrv.nl/?url=",
    "https://wsrv.nl/?url=data%3Aimage/png",
    "https://i0.wp.com/latest/a.jpg",
    "https://i4.wp.com/gdb.example/a.jpg",
    "https://example.org/?url=gdb.example/a.jpg",
    "https://wsrv.nl.example.org/?url=gdb.example/a.jpg",
    "https://example.org/wsrv.nl/?url=gdb.example/a.jpg",
]


@pytest.mark.parametrize(("html", "expected"), SHOWN)
def test_a_body_shows_images_sounds_and_films(html: str, expected: list[tuple[MediaKind, str]]) -> None:
    assert [(each.kind, each.url) for each in media(html, BASE)] == expected


def test_without_a_base_only_absolute_addresses_count() -> None:
    assert media("<img src=a><img src=https://example.org/b>", None) == (Media("image", "https://example.org/b"),)


def test_the_type_of_a_source_is_kept() -> None:
    [film] = media('<video><source src="https://example.org/a" type=" video/mp4; codecs=avc1 "></video>', None)
    [picture] = media("<picture><source srcset=https://example.org/b type=image/webp></picture>", None)
    assert (film.mime_type, picture.mime_type) == ("video/mp4; codecs=avc1", "image/webp")


@pytest.mark.parametrize("written", PROXIED)
def test_a_proxied_image_has_its_publishers_address_and_the_mirrors_as_written(written: str) -> None:
    html = f'<img src=" {written.replace("&", "&amp;")}">'
    assert [(each.url.replace("http:", "https:"), each.proxy_url) for each in media(html, BASE)] == [
        ("https://gdb.example/a_w900.jpg", written)
    ]


@pytest.mark.parametrize("written", NOT_PROXIED)
def test_an_address_that_hides_no_other_stays_as_it_is(written: str) -> None:
    assert media(f'<img src="{written}">', BASE) == (Media("image", written),)


def test_an_image_with_and_without_proxy_is_one_image() -> None:
    direct, proxied = "https://gdb.example/a.jpg", "https://wsrv.nl/?url=gdb.example/a.jpg"
    assert media(f"<img src={proxied}><img src={direct}>", None) == (Media("image", direct, proxied),)


def test_a_publisher_that_says_http_is_quoted_so() -> None:
    [image] = media("<img src='https://wsrv.nl/?url=http%3A%2F%2Fgdb.example%2Fa.jpg'>", None)
    assert image.url == "http://gdb.example/a.jpg"


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [
        ("audio/mpeg", "audio"),
        (" Video/MP4", "video"),
        ("image/jpeg", "image"),
        ("application/pdf", "enclosure"),
        ("imagery", "enclosure"),
        ("", "enclosure"),
        (None, "enclosure"),
    ],
)
def test_the_type_of_an_enclosure_says_what_it_is(mime_type: str | None, kind: MediaKind) -> None:
    enclosed = enclosure_media(Enclosure("a.bin", mime_type, 12), BASE)
    assert enclosed == Media(kind, "https://example.org/news/a.bin", None, (mime_type or "").strip() or None, 12)


@pytest.mark.parametrize(("size", "expected"), [(None, None), (0, None), (-1, None), (1, 1)])
def test_an_enclosure_without_a_size_has_none(size: int | None, expected: int | None) -> None:
    enclosed = enclosure_media(Enclosure("https://example.org/a", None, size), None)
    assert enclosed == Media("enclosure", "https://example.org/a", size_bytes=expected)


def test_an_enclosure_behind_a_proxy_has_its_publishers_address() -> None:
    written = "https://images.weserv.nl?url=gdb.example/a.jpg"
    assert enclosure_media(Enclosure(written, "image/jpeg"), None) == Media(
        "image", "https://gdb.example/a.jpg", written, "image/jpeg"
    )


@pytest.mark.parametrize("url", ["", " ", "javascript:x", "data:,x", "http://", "magnet:?xt=a"])
def test_an_enclosure_without_a_web_address_is_none(url: str) -> None:
    assert enclosure_media(Enclosure(url, "audio/mpeg"), BASE) is None


ADDRESSES = st.lists(
    st.sampled_from(
        ["https://", "wsrv.nl", "i0.wp.com", "/", "?url=", "&", "%", "%2", "%3A", "ssl:", "a.b", "\ud800", ":"]
    )
).map("".join)


@given(ADDRESSES)
def test_every_address_found_can_be_stored(address: str) -> None:
    film = f"<video><source src='{address}' type='\ud800'></video>"
    html = f"<img src='{address}'>{film}<picture><source srcset='{address}'>"
    for each in [*media(html, address), *filter(None, [enclosure_media(Enclosure(address, "\ud800", 1), address)])]:
        assert each.url.startswith(("http://", "https://"))
        assert f"{each.url}{each.proxy_url}{each.mime_type}".encode()


def test_what_an_enclosure_says_can_be_stored() -> None:
    enclosed = enclosure_media(Enclosure("https://example.org/a", "audio/\x00\ud800"), None)
    assert enclosed is not None
    assert enclosed.mime_type == "audio/\ufffd\ufffd"
