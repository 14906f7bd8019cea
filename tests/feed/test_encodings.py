"""No text is stored wrong without a flag, whatever encoding is declared; what is declared rightly is not flagged.

`python -m tests.torture.encodings` tries many more pairs of texts and encodings.
"""

import re
from pathlib import Path
from random import Random

import pytest

from kzfeed.feed.decode import decode
from tests.feed.transcoding import DATA, KINDS, SHARED, own_texts, real_texts, stretch, trials

FEEDS = sorted(path for path in (SHARED / "corpus").rglob("*.xml")) if SHARED.exists() else []
DECLARED_WRONGLY = {"bozo_encoding_mismatch_crash.xml", "bozo_linenoise.xml", "http_text_xml_charset_2.xml"}
"""Documents of feedparser's tests whose encoding is wrong or not declared."""


def wrong_and_unflagged(texts: list[str], encodings: int, wrong: int) -> list[str]:
    random = Random(1)
    tried = [trial for text in texts for trial in trials(text, random, encodings, wrong)]
    assert {trial.kind for trial in tried} == set(KINDS)
    return [str(trial) for trial in tried if trial.result() == (False, False)]


def test_no_transcoded_text_of_our_own_is_wrong_without_a_flag() -> None:
    assert wrong_and_unflagged(own_texts()[::2], 3, 2) == []


@pytest.mark.slow
def test_no_transcoded_real_text_is_wrong_without_a_flag(shared: Path) -> None:
    assert wrong_and_unflagged([stretch(text, 800) for text in real_texts(shared)[::8]], 2, 2) == []


@pytest.mark.parametrize("text", (DATA / "few_above_ascii.txt").read_text("utf-8").splitlines())
def test_one_character_above_ascii_that_is_declared_rightly_is_not_flagged(text: str) -> None:
    codec = "cp1250" if "listí" in text else "cp1252"
    body = f'<?xml version="1.0" encoding="{codec}"?><rss><channel><title>{text}</title></channel></rss>'
    decoded = decode(body.encode(codec), "text/xml")
    assert (decoded.text.count(text), decoded.flaw) == (1, "")


@pytest.mark.skipif(not FEEDS, reason="the corpus is not here")
def test_no_feed_of_the_corpus_that_is_declared_rightly_is_flagged() -> None:
    flagged = {}
    for path in FEEDS:
        body = path.read_bytes()
        content_type = re.search(rb"(?im)^\s*Content-type:\s*(.*)$", body[:600])
        decoded = decode(body, content_type[1].decode("latin-1").strip() if content_type else None)
        if decoded.flawed and "chardet" not in path.parts and path.name not in DECLARED_WRONGLY:
            flagged[path.name] = decoded.flaw
    assert flagged == {}


@pytest.mark.parametrize(
    ("body", "content_type", "flaw"),
    [
        ("Zürich", "text/xml", "its encoding was guessed: windows-1252"),
        ("дом у реки", "text/xml; charset=iso-8859-1", "its encoding was guessed: windows-1251"),
        ("števila", "text/xml; charset=iso-8859-2", "its encoding is in doubt: iso-8859-2 was used, but "),
    ],
)
def test_a_flag_says_in_plain_words_what_is_in_doubt(body: str, content_type: str, flaw: str) -> None:
    codec = {"Z": "cp1252", "д": "cp1251", "š": "iso8859_2"}[body[0]]
    assert flaw in decode(f"<rss><title>{body}</title></rss>".encode(codec), content_type).flaw


def test_header_and_declaration_that_differ_are_named() -> None:
    body = '<?xml version="1.0" encoding="windows-1251"?><rss><title>Мост через реку снова открыт</title></rss>'
    decoded = decode(body.encode("cp1251"), "text/xml; charset=iso-8859-1")
    assert "Мост через реку снова открыт" in decoded.text
    assert decoded.flaw == "its header and its declaration name different encodings: windows-1251 was used"


@pytest.mark.parametrize("label", ["iso-8859-1", "gbk", None])
def test_two_bytes_of_chinese_that_are_utf8_by_accident_are_flagged(label: str | None) -> None:
    declaration = f'<?xml version="1.0" encoding="{label}"?>' if label else ""
    decoded = decode(f"{declaration}<rss><title>The sign says 一 and nothing else</title></rss>".encode("gbk"))
    assert decoded.flawed


def test_the_same_text_in_utf8_is_never_flagged() -> None:
    for text in (*own_texts(), "一", "и", "é", "Ã©"):
        for label in ("", '<?xml version="1.0" encoding="utf-8"?>', '<?xml version="1.0" encoding="iso-8859-1"?>'):
            decoded = decode(f"{label}<rss><title>{text}</title></rss>".encode())
            assert decoded.text == f"<rss><title>{text}</title></rss>"
            assert (text == "Ã©" and "8859" in label) or not decoded.flawed, (text, label, decoded.flaw)


@pytest.mark.parametrize("label", ["gbk", "big5", "euc-kr", "johab", "shift_jis", "euc-jp", "iso-8859-1", "utf-16"])
@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("gb18030", "国务院总理在记者会上表示，今年的"),
        ("gb18030", "梁鸿：生活中的细微之事，恰恰能展"),
        ("big5", "島嶼筆記：一場姐妹聚會，蘭嶼女人"),
        ("big5", "圖書館延長開放時間，夜讀區週末不"),
    ],
)
def test_sixteen_characters_of_chinese_are_read_whatever_is_declared(codec: str, text: str, label: str) -> None:
    document = f"<rss><title>{text}</title></rss>"
    decoded = decode(document.encode(codec), f"text/xml; charset={label}")
    assert decoded.text == document
    assert decoded.flawed or (codec, label) in {("gb18030", "gbk"), ("big5", "big5")}


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("euc_jp", "東京都知事選挙の結果"),
        ("cp932", "国会議事堂の周辺"),
        ("cp949", "봤습니다 꿈꿨던 뚝섬"),
    ],
)
def test_a_few_characters_of_japanese_or_korean_are_not_taken_for_chinese(codec: str, text: str) -> None:
    document = f"<rss><title>{text}</title></rss>"
    assert decode(document.encode(codec), f"text/xml; charset={codec}").text == document


@pytest.mark.parametrize("label", ["utf-16", "utf-16le", "cp037"])
def test_a_document_that_begins_with_a_tag_is_not_read_in_an_encoding_without_ascii(label: str) -> None:
    document = b"<rss><title>\xe6\xba\x90\xe6\xba\x90 \x81\xc3\xfe</title></rss> "
    for body in (document, document[:-1]):
        decoded = decode(body, f"text/xml; charset={label}")
        assert decoded.text.startswith("<rss><title>源源 ")
        assert decoded.flawed
