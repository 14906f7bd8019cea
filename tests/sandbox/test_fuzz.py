"""Fuzz tests: any bytes become sound articles or an error of our own family, and nothing else.

`python -m tests.torture.documents` runs the same checks on as many documents as you like.
"""

import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kzfeed.article import archive_file as file
from kzfeed.article import url
from kzfeed.article.build import article_of_file, file_of_article, keeps_every_character
from kzfeed.article.html import content as html
from kzfeed.article.html.line_breaks import trim_lines
from kzfeed.errors import ArchiveFileError, DocumentError, KzfeedError
from kzfeed.feed.dates.parse import AHEAD, EARLIEST
from kzfeed.model.articles import Article, Document
from kzfeed.sandbox.document_reader import read_document, read_if_harmless
from tests.conftest import examples

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MAX_ENTRIES = 50
MAX_SECONDS = 10.0
"""The limits for reading one document."""

FAILURES = {"parse", "not-a-feed", "empty"}

TOKENS = [
    *("<item>", "</item>", "<entry>", "</entry>", "<rss>", "</rss>", "<channel>", "<link>", "<guid>", "<description>"),
    *("<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE rss [", "<!ENTITY a 'b'>", "&a;", "<?xml version='1.0'?>", "<?x"),
    *(
        "&",
        "&amp;",
        "&lt;",
        "&nbsp;",
        "&#0;",
        "&#xD800;",
        "&#99999999999;",
        "&#x10FFFF;",
        "<",
        ">",
        '"',
        "'",
        "=",
        "/>",
    ),
    *(" xmlns='urn:x'", " xml:base='http://[::1'", " xml:base='//x/y/'", "<a:b>", "<x y=z y=z z>", "<pre>\n \n"),
    *(
        "](https://x.example/",
        ")\n------\n\n",
        "<!--NaN-->",
        "<!--1-->",
        "\n",
        "\r\n",
        "\r",
        "\0",
        "\ufeff",
        "\u2028",
        "\u202e",
    ),
    *("https://e.example/](http://x", "javascript:", "data:,x", "http://", "//", "?utm_source=a&b", "#!/", "%zz%41"),
    *("2024-01-02T03:04:05Z", "Tue, 11 Jan 2022 17:39:03 CST", "46 分钟前", "9" * 20, "-1", "1e999", "NaN", "null"),
    *(
        "<script>",
        "</script>",
        "<textarea>",
        "<template>",
        "<svg>",
        "<p hidden>",
        "<img src=a srcset='b 2x'>",
        "<time>",
    ),
    *(
        '{"items": [',
        '"id": 1,',
        '"content_html": "',
        "\\ud83d",
        "\\u0000",
        "type='html'",
        "type='xhtml'",
        "中文",
        "😀",
    ),
]
BYTES = [
    *(token.encode() for token in TOKENS),
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xb0\xa1",
    b"\x81\x30",
    b"\xff\xfe",
]


@cache
def feeds() -> tuple[bytes, ...]:
    """Real documents: our own samples, and what lies beside the project."""
    files = sorted((ROOT / "tests" / "data" / "feeds").glob("*.xml")) + sorted(
        (ROOT / "tests" / "data" / "feeds").glob("feed*.json")
    )
    if SHARED.is_dir():
        files += sorted((SHARED / "feeds").iterdir()) + sorted((SHARED / "corpus" / "feedparser").glob("*/*.*"))
    return tuple(body for path in files if len(body := path.read_bytes()) < 50_000)


@cache
def archive_files() -> tuple[bytes, ...]:
    files = sorted((ROOT / "seeds").iterdir())
    if SHARED.is_dir():
        files += sorted((SHARED / "seeds").iterdir()) + sorted((SHARED / "corpus" / "family").iterdir())
    return tuple(path.read_bytes() for path in files)


def mutated(samples: Sequence[bytes], chance: Random) -> bytes:
    """One of the samples, damaged in a few places: bytes changed, cut, doubled, moved, or brought from elsewhere."""
    body = bytearray(chance.choice(samples))
    for _ in range(chance.randint(1, 6)):
        start, end = sorted((chance.randint(0, len(body)), chance.randint(0, len(body))))
        match chance.randint(0, 7):
            case 0 if body:
                body[min(start, len(body) - 1)] = chance.randint(0, 255)
            case 1:
                del body[start:]
            case 2:
                del body[start : min(end, start + chance.choice((1, 10, 1000)))]
            case 3:
                chunk = body[start : min(end, start + chance.choice((10, 100, 2000)))]
                body[start:start] = chunk * chance.choice((1, 2, 30))
            case 4:
                other = chance.choice(samples)
                at = chance.randint(0, len(other))
                body[start:end] = other[at : at + chance.choice((10, 100, 2000))]
            case 5:
                token = chance.choice(BYTES)
                body[start:start] = token * chance.choice((1, 1, 1, 2, 100))
            case 6:
                # Inside a tag, a text, an attribute: there tokens mean the most.
                marks = [match.end() for match in re.finditer(rb"[<>\"'=\[:]", body)]
                at = chance.choice(marks) if marks else 0
                body[at:at] = chance.choice(BYTES)
            case _:
                body = bytearray(body.replace(chance.choice(BYTES), chance.choice(BYTES), 3))
    return bytes(body[:200_000])


ELEMENTS = [
    *(
        "title",
        "link",
        "guid",
        "description",
        "content:encoded",
        "pubDate",
        "dc:date",
        "dc:creator",
        "author",
        "category",
    ),
    *("id", "summary", "content", "published", "updated", "media:description", "itunes:summary", "body", "div", "x:y"),
    *(
        "enclosure",
        "media:content",
        "media:thumbnail",
        "source",
        "name",
        "email",
        "item",
        "entry",
        "image",
        "items",
        "p",
    ),
]
ATTRIBUTES = [
    "type",
    "href",
    "rel",
    "url",
    "length",
    "isPermaLink",
    "xml:base",
    "xml:lang",
    "mode",
    "src",
    "term",
    "x:y",
]
VALUES = ["html", "xhtml", "text/html", "text/plain", "image/png", "base64", "escaped", "xml", "alternate", "enclosure"]
ROOTS = [
    '<rss version="2.0"{0}><channel>{1}</channel></rss>',
    '<rss version="0.91"{0}><channel>{1}',
    '<feed xmlns="http://www.w3.org/2005/Atom"{0}>{1}</feed>',
    '<feed version="0.3" xmlns="http://purl.org/atom/ns#"{0}>{1}</feed>',
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"{0}>{1}</rdf:RDF>',
    "<channel{0}>{1}</channel>",
]
SPACES = (
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
)
CODECS = [
    "utf-8",
    "gb18030",
    "big5",
    "utf-16",
    "cp1252",
    "shift_jis",
    "utf-7",
    "zlib",
    "rot13",
    "idna",
    "hex",
    "\0",
    "x" * 99,
]


def made(chance: Random) -> bytes:
    """A feed made of what feeds are made of, in any order."""

    def text() -> str:
        words = [chance.choice((*TOKENS, *VALUES, "正文", "a b", "\n")) for _ in range(chance.randint(0, 4))]
        written = "".join(words)
        match chance.randint(0, 3):
            case 0:
                return written.replace("&", "&amp;").replace("<", "&lt;")
            case 1:
                return f"<![CDATA[{written}]]>"
        return written

    def element(name: str, depth: int) -> str:
        pairs = chance.sample(ATTRIBUTES, chance.choice((0, 0, 1, 3)))
        attributes = "".join(f' {each}="{chance.choice((*VALUES, *TOKENS))}"' for each in pairs)
        inside = text() + "".join(
            element(chance.choice(ELEMENTS), depth + 1) for _ in range(chance.randint(0, 6 - depth))
        )
        return f"<{name}{attributes}>{inside}" + f"</{name}>" * (chance.random() > 0.02)

    entries = "".join(element(chance.choice(("item", "entry")), 1) for _ in range(chance.randint(0, 4)))
    feed = chance.choice(ROOTS).format(chance.choice((SPACES, SPACES, "")), entries)
    return feed.encode(chance.choice(("utf-8", "utf-8", "utf-8", "gb18030", "utf-16")), "replace")


# --- what has to be true ---------------------------------------------------------------------------------------------


def check_document(body: bytes, content_type: str | None = None) -> str:
    """Read a document; what came of it, in a word."""
    document = Document(body, content_type, "https://e.example/feed.xml", "Asia/Shanghai", NOW, MAX_ENTRIES)
    check_harmless(document)
    start = time.process_time()
    try:
        feed, articles = read_document(document)
    except DocumentError as error:
        return said(error, error.kind, FAILURES)
    finally:
        assert time.process_time() - start < MAX_SECONDS
    assert len(articles) <= len(feed.entries) <= MAX_ENTRIES
    assert len(set(articles)) == len(articles)
    check_texts([feed.title, feed.site_url, feed.language, feed.flaw], len(body))
    for article in articles:
        check_article(article, len(body))
    return "flawed" if feed.flaw else "read"


def check_harmless(document: Document) -> None:
    """What is read in the daemon's own process is what the sandbox reads."""
    harmless = read_if_harmless(document)
    assert harmless is None or harmless == read_document(document)


def said(error: KzfeedError, kind: str, expected: set[str]) -> str:
    """An error is of a kind that is expected, and in words that can be shown and stored."""
    assert kind in expected, error
    assert 0 < len(str(error)) <= 1000
    assert "\0" not in str(error)
    str(error).encode()
    return kind


def check_texts(texts: Iterable[str | None], length: int) -> None:
    """Both engines can store them, and they are not much longer than the document."""
    for text in texts:
        assert "\0" not in (text or "")
        (text or "").encode()
        # No byte becomes more than a character reference in a plain text, or three escapes in an address.
        assert len(text or "") <= 9 * length + 200


def check_article(article: Article, length: int) -> None:
    """An article can be stored on both engines, and survives the way into an archive file and back."""
    texts = [article.title, article.content, article.text, article.url, article.guid, article.author, article.language]
    texts += [article.published_raw, *article.tags, *(medium.url for medium in article.media)]
    texts += [text for medium in article.media for text in (medium.proxy_url, medium.mime_type)]
    check_texts(texts, length)
    assert article.url is None or article.url.startswith(("http://", "https://"))
    assert article.published_at is None or EARLIEST <= article.published_at <= NOW + AHEAD
    assert all(medium.url.startswith(("http://", "https://")) for medium in article.media)
    assert re.fullmatch("[0-9a-f]{64}", article.url_hash)

    written = file_of_article(article)
    data = file.render(written)
    parsed = file.parse(data)
    assert parsed == written
    assert file.render(parsed) == data
    again = article_of_file(parsed)
    assert (again.title, again.content, again.text, again.url) == (
        article.title,
        article.content,
        article.text,
        article.url,
    )
    assert (again.fingerprint, again.published_at) == (article.fingerprint, article.published_at)
    assert again.url_hash == (article.url_hash if article.url is None else article.link_hash)


def check_archive_file(data: bytes) -> str:
    try:
        parsed = file.parse(data, "some/file.txt")
    except ArchiveFileError as error:
        return said(error, "refused" if error.line >= 1 else "nowhere", {"refused"})
    written = file.render(parsed)
    assert parsed.warnings or written == data
    again = file.parse(written)
    assert (again.stamp, again.title, again.url, again.body) == (parsed.stamp, parsed.title, parsed.url, parsed.body)
    assert again.warnings == ()
    article = article_of_file(parsed)
    if keeps_every_character(parsed):
        assert file.render(file_of_article(article)) == written
    return "lenient" if parsed.warnings else "strict"


def check_html(markup: str) -> str:
    derived = html.derive(markup, "https://e.example/a/b")
    body = trim_lines(markup)
    assert len(body) <= len(markup)
    assert trim_lines(body) == body
    assert len(derived.text) <= len(markup)
    assert all(line and line == " ".join(line.split()) for line in derived.text.split("\n")) or not derived.text
    assert "\n" not in html.title_text(markup, is_html=True)
    html.plain_text(html.from_plain(markup)).encode()
    return "text"


def check_url(link: str) -> None:
    for base in (None, "https://e.example/a/b?c#d", "nonsense"):
        address = url.href(link, base)
        if address is not None:
            assert url.href(address) == address
            assert address.isascii()
            canonical = url.canonical(address)
            assert url.canonical(canonical) == canonical
            assert url.url_hash(canonical) == url.url_hash(address)


# --- tests -----------------------------------------------------------------------------------------------------------

many = partial(settings, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
chances = st.integers(0, 2**32).map(Random)


@pytest.mark.slow
@many(max_examples=examples(150))
@given(chances, st.sampled_from(["text/xml", *(f"text/xml; charset={codec}" for codec in CODECS)]))
def test_a_damaged_feed_is_read_or_refused(chance: Random, content_type: str) -> None:
    check_document(mutated(feeds(), chance), content_type)


@pytest.mark.slow
@many(max_examples=examples(150))
@given(chances)
def test_a_feed_of_any_elements_is_read_or_refused(chance: Random) -> None:
    body = made(chance)
    check_document(body)
    check_document(mutated([body], chance))


@many(max_examples=examples(80))
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    check_document(body)
    check_document(
        b"<rss><channel><item><title>t</title><description>" + body + b"</description></item></channel></rss>"
    )


@pytest.mark.slow
@many(max_examples=examples(80))
@given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=5), max_size=12).map("".join))
def test_any_entry_is_read_or_refused(inside: str) -> None:
    body = f"<rss version='2.0'><channel><item>{inside}</item></channel></rss>"
    check_document(body.encode("utf-8", "replace"))


@many(max_examples=examples(120))
@given(chances)
def test_a_damaged_archive_file_is_read_or_refused(chance: Random) -> None:
    check_archive_file(mutated(archive_files(), chance))


@many(max_examples=examples(80))
@given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=5), max_size=12).map("".join))
def test_any_markup_becomes_text(markup: str) -> None:
    check_html(markup)


@many(max_examples=examples(120))
@given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=5), max_size=6).map("".join), st.booleans())
def test_any_link_has_one_address_or_none(link: str, absolute: bool) -> None:
    check_url(f"https://e.example/{link}" if absolute else link)


@many(max_examples=examples(60))
@given(chances)
def test_the_markup_of_damaged_files_becomes_text(chance: Random) -> None:
    check_html(mutated(archive_files(), chance).decode("utf-8", "replace"))
