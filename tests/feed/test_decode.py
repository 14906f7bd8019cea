"""Every encoding that a feed may come in gives the same text, whatever is claimed about it."""

import codecs
import time
from pathlib import Path

import pytest

from kzfeed.feed.decode import clean, decode

SIMPLIFIED = "图书馆延长开放时间，夜读区周末不打烊。馆长说：“有灯的地方，就有人读书。”"
TRADITIONAL = "圖書館延長開放時間，夜讀區週末不打烊。館長說：「有燈的地方，就有人讀書。」"
BEYOND_GB2312 = "朱镕基与陶喆在深圳堃园饮茶，㐂气洋洋。"


def feed(text: str, declared: str | None = None) -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    return f'{declaration}<rss version="2.0"><channel><title>{text}</title></channel></rss>'


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)
@pytest.mark.parametrize("declared", [None, "utf-16", "gbk"])
def test_a_byte_order_mark_decides(encoding: str, mark: bytes, declared: str | None) -> None:
    decoded = decode(mark + feed(SIMPLIFIED, declared).encode(encoding), "text/xml; charset=big5")
    assert decoded.text == feed(SIMPLIFIED)
    assert not decoded.flawed


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_wide_encoding_is_known_without_its_mark(encoding: str) -> None:
    decoded = decode(feed(SIMPLIFIED, "utf-16").encode(encoding))
    assert (decoded.text, decoded.encoding) == (feed(SIMPLIFIED), encoding)


@pytest.mark.parametrize(
    ("text", "encoding", "declared", "content_type"),
    [
        (SIMPLIFIED, "utf-8", None, None),
        (SIMPLIFIED, "utf-8", "gbk", "text/xml; charset=iso-8859-1"),
        (SIMPLIFIED, "utf-8", "gb2312", 'application/xml; charset="GBK"'),
        (BEYOND_GB2312, "gb18030", "gb2312", None),
        (BEYOND_GB2312, "gb18030", "GBK", None),
        (BEYOND_GB2312, "gb18030", None, "text/xml; charset=gb2312"),
        (TRADITIONAL, "big5hkscs", "big5", None),
        (TRADITIONAL, "big5", None, "application/rss+xml;charset=Big5"),
        ("Zażółć gęślą jaźń", "iso8859-2", "iso-8859-2", "text/xml"),
        ("東京で雪が降りました", "euc_jp", "euc-jp", None),
        ("東京で雪が降りました", "iso2022_jp", "ISO-2022-JP", None),
        ("東京で雪が降りました", "iso2022_jp", None, None),
        ("图书馆", "hz", "hz-gb-2312", None),
        # The header and the declaration contradict each other.
        (SIMPLIFIED, "gb18030", "gb2312", "text/xml; charset=utf-8"),
        (SIMPLIFIED, "gb18030", "gbk", "text/xml; charset=iso-8859-1"),
        (SIMPLIFIED, "gb18030", "utf-8", "text/xml; charset=gbk"),
        (SIMPLIFIED, "gb18030", "gbk", "text/xml; charset=big5"),
        (TRADITIONAL, "big5", "big5", "text/xml; charset=gb2312"),
        (TRADITIONAL, "big5", "gb2312", "text/xml; charset=big5"),
        (SIMPLIFIED, "gb18030", "gbk", "text/xml; charset=utf-16"),
        (SIMPLIFIED, "gb18030", "gbk", "text/xml; charset=no-such-thing"),
        (SIMPLIFIED, "gb18030", "gbk", "text/xml; charset="),
        ("Grüße aus München", "cp1252", "windows-1252", "text/xml; charset=us-ascii"),
        ("L'été à Genève", "latin-1", "gb2312", "text/xml; charset=iso-8859-1"),
    ],
)
def test_a_declared_encoding_is_used_where_it_fits(
    text: str, encoding: str, declared: str | None, content_type: str | None
) -> None:
    decoded = decode(feed(text, declared).encode(encoding), content_type)
    assert decoded.text == feed(text)


@pytest.mark.parametrize("declared", [None, "utf-8"])
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", SIMPLIFIED),
        ("gb18030", "中文新闻"),
        ("gb18030", "台风逼近广东，气象台发布预警"),
        ("gb18030", "股市大跌三百点"),
        ("gb18030", TRADITIONAL),
        ("big5", TRADITIONAL),
        ("big5", "中文新聞"),
        ("big5", "國軍演習"),
        ("big5", "颱風逼近台灣，氣象局發布海上警報"),
        ("big5hkscs", "香港特區政府公布最新財政預算案"),
        ("euc_jp", "東京で雪が降りました"),
        ("cp932", "東京で雪が降りました"),
        ("cp949", "서울에 눈이 많이 내렸다"),
        ("cp1251", "В Москве прошёл сильный дождь, затопило улицы и метро."),
        ("koi8_r", "В Москве прошёл сильный дождь, затопило улицы и метро."),
        ("cp1252", "Café crème"),
    ],
)
def test_an_undeclared_or_misdeclared_encoding_is_detected_and_flagged(
    encoding: str, text: str, declared: str | None
) -> None:
    decoded = decode(feed(text, declared).encode(encoding))
    assert decoded.text == feed(text)
    assert decoded.flawed


def test_one_bad_byte_costs_one_character_and_not_the_whole_feed() -> None:
    body = feed(SIMPLIFIED * 3, "utf-8").encode()
    for position in range(60, len(body) - 40):
        decoded = decode(body[:position] + b"\xff" + body[position:], "text/xml; charset=iso-8859-1")
        assert decoded.flawed
        assert decoded.text.count("\ufffd") == 1
        rest = decoded.text.replace("\ufffd", "")
        assert len(feed(SIMPLIFIED * 3)) - len(rest) <= 1


def test_a_damaged_character_becomes_one_mark() -> None:
    decoded = decode(feed("一二三四五").encode().replace("三".encode(), b"\xe4\xff\x89"))
    assert decoded.text == feed("一二\ufffd四五")


def test_one_bad_byte_in_gbk_costs_no_more_than_its_line() -> None:
    body = feed("\n".join([SIMPLIFIED] * 8), "gbk").encode("gb18030")
    decoded = decode(body.replace(b"\n", b"\n\xff", 2))
    assert decoded.flawed
    assert decoded.text.count(SIMPLIFIED) >= 7


def test_a_body_cut_inside_a_character_stays_utf8() -> None:
    decoded = decode("<title>Three “quotes” and one more “".encode()[:-1])
    assert decoded.text == "<title>Three “quotes” and one more "
    assert decoded.flawed


def test_a_mark_of_utf8_before_another_encoding_does_no_harm() -> None:
    decoded = decode(codecs.BOM_UTF8 + feed(SIMPLIFIED, "gbk").encode("gbk"))
    assert (decoded.text, decoded.encoding) == (feed(SIMPLIFIED), "gb18030")


def test_what_nothing_fits_is_utf8_with_marks() -> None:
    decoded = decode(b"<title>a\x81b</title>")
    assert (decoded.text, decoded.encoding, decoded.flawed) == ("<title>a\ufffdb</title>", "utf-8", True)


@pytest.mark.parametrize("before", ["", "\n\n", " \r\n\t", "\ufeff", "\n\ufeff\n", "\x00\n"])
def test_nothing_stands_before_the_document(before: str) -> None:
    assert decode((before + feed(SIMPLIFIED, "utf-8")).encode()).text == feed(SIMPLIFIED)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a\x00b\x08c\x0bd\x1fe", "abcde"),
        ("tab\tline\nreturn\r", "tab\tline\nreturn\r"),
        ("\ufffe\uffff\ud800", "\ufffd"),
        ("&#0;&#x1F;&#11;&#x0000B;", ""),
        ("&#xD800;&#57343;&#x110000;&#99999999999;", "\ufffd\ufffd\ufffd\ufffd"),
        ("&#xFFFE;&#65535;", ""),
        ("&#9;&#10;&#xD;&#x4E2D;&#x10FFFF;&#38;", "&#9;&#10;&#xD;&#x4E2D;&#x10FFFF;&#38;"),
        ("&#; &#x; &#0 &amp;#0;", "&#; &#x; &#0 &amp;#0;"),
        ("\x80\x9f\u2028\U0001f600", "\x80\x9f\u2028\U0001f600"),
    ],
)
def test_what_xml_forbids_is_stripped_or_marked(given: str, expected: str) -> None:
    assert clean(given) == expected


@pytest.mark.parametrize("codec", ["punycode", "idna", "unicode_escape", "hex", "zlib", "rot13", "../x", "a" * 200])
def test_a_codec_that_is_no_charset_is_never_used(codec: str) -> None:
    body = feed(SIMPLIFIED, codec).encode("gb18030")
    assert decode(body, f"text/xml; charset={codec}").text.endswith(f"{SIMPLIFIED}</title></channel></rss>")


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [SIMPLIFIED.encode(), SIMPLIFIED.encode("gb18030"), b"&#0;", b"\xff", b"\xe9<", b"\x1b$", b"<?xml", b"<\0", b"&#0"],
    ids=repr,
)
def test_a_large_body_takes_linear_time(unit: bytes) -> None:
    body = unit * (1_000_000 // len(unit))
    started = time.process_time()
    decode(body, "text/xml; charset=iso-8859-1")
    # In quadratic time it would be many minutes.
    assert time.process_time() - started < 30


# --- transcodings of texts in many languages -------------------------------------------------------------------------

LANGUAGES = [
    line.split("\t")
    for line in (Path(__file__).parents[1] / "data" / "languages.tsv").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
TRANSCODINGS = [(language, codec, text) for language, codecs_, text in LANGUAGES for codec in codecs_.split()]
LABELS = sorted({codec for _, codec, _ in TRANSCODINGS})


def transcoded(text: str, codec: str, declared: str | None) -> tuple[bytes, str]:
    """The document in the encoding, without what it cannot express, and the text that it should be read as."""
    text = text.encode(codec, "ignore").decode(codec)
    return feed(text, declared).encode(codec), feed(text)


@pytest.mark.parametrize(("language", "codec", "text"), TRANSCODINGS)
def test_a_right_declaration_is_believed_without_a_flag(language: str, codec: str, text: str) -> None:
    for declared, content_type in (
        (codec, None),
        (None, f"text/xml; charset={codec}"),
        (codec, f"a/b;charset={codec}"),
    ):
        body, expected = transcoded(text, codec, declared)
        decoded = decode(body, content_type)
        assert (decoded.text, decoded.flawed) == (expected, False), language


@pytest.mark.slow
@pytest.mark.parametrize(("language", "codec", "text"), TRANSCODINGS)
def test_a_text_is_never_wrong_without_a_flag(language: str, codec: str, text: str) -> None:
    # A third of the labels for each text, and all of them together.
    for declared in (None, "utf-8", *LABELS[len(text) % 3 :: 3]):
        body, expected = transcoded(text, codec, declared)
        decoded = decode(body, "text/xml")
        assert decoded.flawed or decoded.text == expected, (language, declared, decoded.encoding)


@pytest.mark.parametrize(("language", "codec", "text"), TRANSCODINGS)
def test_a_wrong_header_does_not_win_over_a_right_declaration(language: str, codec: str, text: str) -> None:
    body, expected = transcoded(text, codec, codec)
    decoded = decode(body, "text/xml; charset=iso-8859-1")
    assert decoded.text == expected, language


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, _, text in LANGUAGES])
def test_a_stray_byte_in_utf8_costs_one_character(language: str, text: str) -> None:
    for header in (None, "text/xml; charset=iso-8859-1", "text/xml; charset=utf-8"):
        body = feed(text, "utf-8").encode()
        decoded = decode(body.replace(b" ", b" \xe9 ", 3).replace(b" \xe9 ", b" ", 2), header)
        assert (decoded.text.count("\ufffd"), decoded.flawed) == (1, True), language
        assert decoded.text.replace("\ufffd ", "", 1) == feed(text), language
