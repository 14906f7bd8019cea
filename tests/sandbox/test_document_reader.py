"""The same articles in every dress a feed may wear, read from bytes, are the same archive files, byte for byte."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzfeed.article.archive_file import ArchiveFile, parse, render
from kzfeed.article.build import file_of_article
from kzfeed.feed.decode import clean
from kzfeed.instants import EPOCH
from kzfeed.model.articles import Document
from kzfeed.sandbox.document_reader import read_document, read_if_harmless

ALL_SAMPLES = [parse(file.read_bytes(), file) for file in sorted((Path(__file__).parents[2] / "seeds").iterdir())]
# What a feed can carry: RSS dates have no milliseconds, and bodies lose their line ends outside <pre>.
SAMPLES = [
    file for file in ALL_SAMPLES if (file.stamp or 0) % 1000 == 0 and ("\n" not in file.body or "<pre" in file.body)
]
NOW = datetime(2026, 11, 20, tzinfo=UTC)

XML = '<?xml version="1.0" encoding="{encoding}"?>\n'
CONTENT = 'xmlns:content="http://purl.org/rss/1.0/modules/content/"'


def published(file: ArchiveFile) -> datetime | None:
    return None if file.stamp is None else EPOCH + timedelta(milliseconds=file.stamp)


def dated(file: ArchiveFile, element: str, form: Callable[[datetime], str] = datetime.isoformat) -> str:
    when = published(file)
    return f"<{element}>{form(when)}</{element}>" if when else ""


def cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def indented(body: str) -> str:
    """As a mirror might break the lines of the body: between elements, with any white space at the breaks."""
    if "<pre" in body:
        return body
    return re.sub(r"><(?=p|div|figure|h2)", ">  \r\n\t\u3000<", body)


def rss(files: list[ArchiveFile], body: Callable[[str], str], version: str = "2.0", encoding: str = "utf-8") -> str:
    items = "\n".join(
        f"<item>\n  <title>{escape(file.title)}</title><link>\n{escape(file.url)} </link>"
        f'{dated(file, "pubDate", format_datetime)}<guid isPermaLink="false">{number}</guid>{body(file.body)}</item>'
        for number, file in enumerate(files)
    )
    head = "<title>源</title><link>https://mirror.example/</link><description>镜像</description>"
    return XML.format(encoding=encoding) + f'<rss version="{version}" {CONTENT}><channel>{head}{items}</channel></rss>'


def described(body: str) -> str:
    return f"<description>{cdata(body)}</description>"


def described_escaped(body: str) -> str:
    return f"\n\t<description>\n   {escape(indented(body))}\n </description>\n"


def encoded(body: str) -> str:
    return f"<description>摘要</description><content:encoded>{cdata(indented(body))}</content:encoded>"


def atom(files: list[ArchiveFile]) -> str:
    entries = "".join(
        f'<entry><title type="text">{escape(file.title)}</title><id>tag:mirror.example,2022:{number}</id>'
        f'<link rel="alternate" href="{escape(file.url)}"/>{dated(file, "published")}'
        f'<summary>摘要</summary><content type="html">\n{escape(indented(file.body))}</content></entry>'
        for number, file in enumerate(files)
    )
    return XML.format(encoding="utf-8") + f'<feed xmlns="http://www.w3.org/2005/Atom"><title>源</title>{entries}</feed>'


def rdf(files: list[ArchiveFile]) -> str:
    items = "".join(
        f'<item rdf:about="{escape(file.url)}"><title>{escape(file.title)}</title><link>{escape(file.url)}</link>'
        f"{dated(file, 'dc:date')}{encoded(file.body)}</item>"
        for file in files
    )
    namespaces = (
        'xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" {CONTENT}'
    )
    return XML.format(encoding="utf-8") + f"<rdf:RDF {namespaces}><channel><title>源</title></channel>{items}</rdf:RDF>"


def json_feed(files: list[ArchiveFile]) -> str:
    items = [
        {"id": str(number), "url": file.url, "title": file.title, "content_html": indented(file.body)}
        | ({"date_published": published(file).isoformat()} if file.stamp is not None else {})  # type: ignore[union-attr]
        for number, file in enumerate(files)
    ]
    return json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "源", "items": items}, ensure_ascii=False
    )


VARIANTS: dict[str, tuple[str | None, bytes]] = {
    "rss cdata": ("application/rss+xml", rss(SAMPLES, described).encode()),
    "rss escaped, odd indentation": ("text/xml", rss(SAMPLES, described_escaped).encode()),
    "rss content:encoded beside a summary": ("application/xml", rss(SAMPLES, encoded).encode()),
    "rss 0.91": (None, rss(SAMPLES, described, version="0.91").encode()),
    "atom 1.0": ("application/atom+xml", atom(SAMPLES).encode()),
    "rdf": ("application/rdf+xml", rdf(SAMPLES).encode()),
    "json feed": ("application/feed+json", json_feed(SAMPLES).encode()),
    "gb18030 labelled gb2312": ("text/xml", rss(SAMPLES, described, encoding="gb2312").encode("gb18030")),
    "gb18030 labelled gbk by the server": ("text/xml; charset=gbk", rss(SAMPLES, described).encode("gb18030")),
    "utf-16": ("text/xml", rss(SAMPLES, described, encoding="utf-16").encode("utf-16")),
    "utf-16 big end first": ("text/xml", b"\xfe\xff" + rss(SAMPLES, encoded, encoding="utf-16").encode("utf-16-be")),
    "utf-8 labelled gbk": ("text/xml; charset=gbk", rss(SAMPLES, described, encoding="gbk").encode()),
    "utf-8 labelled latin-1": ("text/xml; charset=iso-8859-1", rss(SAMPLES, described).encode()),
    "a mark and blank lines before the declaration": (
        "text/xml",
        b"\xef\xbb\xbf\r\n\n  \n" + rss(SAMPLES, described_escaped).encode(),
    ),
    "served as plain text": ("text/plain", rss(SAMPLES, described).encode()),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_dress_of_a_feed_gives_the_same_archive_files(variant: str) -> None:
    content_type, body = VARIANTS[variant]
    document = Document(body, content_type, "https://mirror.example/rss", timezone=None, now=NOW)

    feed, articles = read_document(document)

    files = [render(file_of_article(article)) for article in articles]
    assert feed.flaw is None
    assert len(SAMPLES) >= 6
    assert files == [render(file) for file in SAMPLES]


def test_entries_that_share_one_link_have_hashes_of_their_own() -> None:
    items = "".join(f"<item><title>{n}</title><link>https://e.example/</link><guid>{n}</guid></item>" for n in range(3))
    twice = "<item><title>0</title><link>https://e.example/#a</link><guid>0</guid></item>"
    body = f'<rss version="2.0"><channel><title>t</title>{items}{twice}</channel></rss>'.encode()

    _, articles = read_document(Document(body, None, "https://e.example/rss", timezone=None, now=NOW))

    assert [article.title for article in articles] == ["0", "1", "2", "0"]
    assert len({article.link_hash for article in articles}) == 1
    assert len({article.own_hashes for article in articles}) == 3


def test_an_entry_is_named_by_its_link_else_its_guid_else_its_content() -> None:
    body = b"""<rss version="2.0"><channel><title>t</title>
    <item><link>/a</link><guid>x</guid></item>
    <item><guid>https://e.example/b</guid></item>
    <item><title>c</title><guid isPermaLink="false">c-1</guid></item>
    <item><title>d</title><description>body</description></item>
    <item><title>e</title><link>javascript:alert(1)</link></item>
    </channel></rss>"""

    def names() -> list[tuple[str | None, str]]:
        _, articles = read_document(Document(body, None, "https://e.example/rss", timezone=None, now=NOW))
        return [(article.url, article.url_hash) for article in articles]

    assert [address for address, _ in names()] == ["https://e.example/a", "https://e.example/b", None, None, None]
    assert len({url_hash for _, url_hash in names()}) == 5
    assert names() == names()


@pytest.mark.parametrize(
    ("timezone", "stamp"), [("Asia/Shanghai", "2022-01-11T09:12:00+00:00"), (None, "2022-01-11T17:12:00+00:00")]
)
def test_a_date_without_a_zone_is_in_the_sources_zone(timezone: str | None, stamp: str) -> None:
    item = "<item><title>t</title><link>https://e.example/1</link><pubDate>2022-01-11 17:12</pubDate></item>"
    body = f'<rss version="2.0"><channel><title>t</title>{item}</channel></rss>'.encode()

    _, (article,) = read_document(Document(body, None, "https://e.example/rss", timezone=timezone, now=NOW))

    assert article.published_at == datetime.fromisoformat(stamp)
    assert article.published_raw == "2022-01-11 17:12"


# --- forbidden characters ---------------------------------------------------------------------------------------------

CHARACTERS = st.text(
    st.sampled_from("a&#;x08文\x00\x01\x0b\x1f\x7f\x85\ufffd\ufffe\uffff\ud800\udfff😀<>\n\r\t ")
) | st.text(st.characters())


@given(CHARACTERS)
def test_no_forbidden_character_is_overlooked(text: str) -> None:
    forbidden = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
    kept = clean(text.replace("&", ""))
    assert not forbidden.search(kept)
    assert kept == forbidden.sub(lambda found: "\ufffd" * ("\ud800" <= found[0] < "\ue000"), text.replace("&", ""))


def test_a_control_may_hide_an_impossible_reference() -> None:
    assert clean("a&\x01#0;b&\x00#xD800;c") == "ab\ufffdc"


def test_dates_that_are_left_out_are_a_flaw_and_stay_as_they_were_written() -> None:
    written = ["2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z", "2027-11-20T00:00:00Z", "46 分钟前", None]
    items = [
        f"<item><guid>{number}</guid>{f'<pubDate>{date}</pubDate>' if date else ''}</item>"
        for number, date in enumerate(written)
    ]
    body = f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()
    document = Document(body=body, content_type=None, url="https://e.example/", timezone=None, now=NOW, max_entries=9)

    for reader in (read_document, read_if_harmless):
        parsed = reader(document)
        assert parsed
        assert parsed.feed.flaw == (
            "the date of 2 of 5 articles lies more than 48 hours ahead and is left out; "
            "the date of 1 of 5 articles cannot be read and is left out"
        )
        assert [article.published_raw for article in parsed.articles] == written
        assert [article.published_at for article in parsed.articles] == [NOW, None, None, None, None]
