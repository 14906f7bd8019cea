"""Odd feeds are read as the operator says: the field of the link, those of the content, and the encoding."""

import json
from datetime import UTC, datetime

import pytest

from kzfeed.feed.decode import decode, decode_as
from kzfeed.feed.parse import parse
from kzfeed.model.articles import Document, Entry, FeedReading
from kzfeed.sandbox.document_reader import read_document, read_if_harmless

URL = "https://feeds.example.org/feed.xml"
ITEM = """<item><title>t</title><link>https://e.example/click/1</link><guid>https://e.example/1</guid>
<description>summary, which is longer than the content</description>
<content:encoded>content</content:encoded></item>"""
RSS = f"""<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>s</title>
{ITEM}</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>t</title><id>https://e.example/1</id>
<link href="https://e.example/click/1"/><summary>summary</summary><content>content</content></entry></feed>"""
JSON_FEED = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "s",
        "items": [
            {"id": "https://e.example/1", "url": "https://e.example/click/1", "content_html": "content", "summary": "s"}
        ],
    }
)
BROKEN = RSS.replace("<title>t</title>", "<title>t</title><broken attribute>< &nothing; <<")
"""What only feedparser can read."""


def entry(document: str, reading: FeedReading) -> Entry:
    (found,) = parse(decode(document.encode()), url=URL, reading=reading).entries
    return found


@pytest.mark.parametrize("document", [RSS, ATOM, JSON_FEED, BROKEN], ids=["rss", "atom", "json", "broken"])
def test_the_link_is_the_guid_where_the_operator_says_so(document: str) -> None:
    assert entry(document, FeedReading()).link == "https://e.example/click/1"
    assert entry(document, FeedReading(link_from="guid")).link == "https://e.example/1"


def test_a_guid_that_is_no_url_is_no_link_whatever_the_operator_says() -> None:
    document = RSS.replace("<guid>https://e.example/1</guid>", "<guid>42</guid>")

    assert entry(document, FeedReading(link_from="guid")).link == "https://e.example/click/1"


@pytest.mark.parametrize(
    ("document", "fields", "content"),
    [
        (RSS, (), "content"),
        (RSS, ("content:encoded", "description"), "content"),
        (RSS, ("description", "content:encoded"), "summary, which is longer than the content"),
        (RSS, ("fullitem",), "content"),
        (ATOM, ("summary",), "summary"),
        (JSON_FEED, ("summary",), "s"),
        (BROKEN, ("description",), "summary, which is longer than the content"),
    ],
)
def test_the_content_is_from_the_first_of_the_named_fields_that_has_a_text(
    document: str, fields: tuple[str, ...], content: str
) -> None:
    assert entry(document, FeedReading(content_from=fields)).content == content


def test_the_named_encoding_counts_whatever_the_feed_says() -> None:
    body = b'<?xml version="1.0" encoding="big5"?>' + RSS.replace("content<", "灯塔照亮海岸<").encode("gb18030")
    now = datetime(2026, 1, 5, tzinfo=UTC)
    document = Document(body, "text/xml; charset=big5", URL, "UTC", now, reading=FeedReading(encoding="gb18030"))

    assert read_document(document).articles[0].text == "灯塔照亮海岸"
    assert read_if_harmless(document) is None
    assert read_document(document).feed.flaw is None


def test_bytes_that_are_not_of_the_named_encoding_are_replaced_and_said() -> None:
    decoded = decode_as(b"<rss>\xff\xff\x80</rss>", "gb18030")

    assert "\ufffd" in decoded.text
    assert decoded.flaw == "bytes that are not gb18030 were replaced"
