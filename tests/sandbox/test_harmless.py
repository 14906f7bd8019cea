"""Documents that are read in the daemon's own process: only the plainly harmless ones, and no differently."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kzfeed.model.articles import Document
from kzfeed.sandbox.document_reader import read_document, read_if_harmless
from tests.feed.ordinary import SHAPES, document

URL = "https://feeds.example.org/path/feed.xml"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def rss(items: str) -> str:
    return f'<rss version="2.0"><channel><title>T</title>{items}</channel></rss>'


def described(body: bytes) -> Document:
    return Document(body, "application/xml", URL, timezone="Asia/Shanghai", now=NOW)


@pytest.mark.parametrize("shape", ["WordPress", "Jekyll", "Hatena", "podcast with summaries", "full-text mirror"])
def test_a_harmless_document_gives_the_same_articles(shape: str) -> None:
    given_document = described(document(SHAPES[shape]).encode())
    found = read_if_harmless(given_document)
    assert found is not None
    assert found == read_document(given_document)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe<\0r\0",
        rss("<item><title>圖書館</title></item>").encode("gb18030"),
        rss("<item><title>a & b</title></item>").encode(),
        b"<!DOCTYPE rss>" + rss("<item/>").encode(),
        rss(f"<item><description>{'x' * 600_000}</description></item>").encode(),
        rss(f"<item><description><![CDATA[{'<p>' * 20_000}]]></description></item>").encode(),
        rss(f"<item><description>{'&lt;p>' * 30_000}</description></item>").encode(),
        rss(f"<item><description><![CDATA[{'<img SRC=x>' * 2_000}]]></description></item>").encode(),
        rss("<item/>" * 600).encode(),
        b'{"version": "https://jsonfeed.org/version/1.1", "items": []}',
    ],
    ids=[
        "empty",
        "UTF-16",
        "GB18030",
        "broken",
        "document type",
        "large",
        "tags",
        "escaped tags",
        "images",
        "entries",
        "JSON",
    ],
)
def test_what_is_not_plainly_harmless_is_for_a_process_that_can_be_killed(body: bytes) -> None:
    assert read_if_harmless(described(body)) is None


def test_an_unknown_zone_is_for_the_sandbox_to_report() -> None:
    assert read_if_harmless(replace(described(rss("<item/>").encode()), timezone="Nowhere/At_all")) is None
