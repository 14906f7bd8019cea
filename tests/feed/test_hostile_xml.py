"""Hostile XML: whatever a document is made of, it takes time in proportion to its length."""

import time

import pytest

from kzfeed.errors import DocumentError
from kzfeed.feed.parse import parse
from kzfeed.model.articles import Decoded
from tests.feed.ordinary import NAMESPACES
from tests.slow import slow

URL = "https://feeds.example.org/path/feed.xml"


def rss(items: str) -> str:
    return f'<rss version="2.0"><channel><title>T</title>{items}</channel></rss>'


def item(inside: str) -> str:
    spaces = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in NAMESPACES.items())
    return f'<rss version="2.0"{spaces}><channel><item>{inside}</item></channel></rss>'


SIZE = 2**19


def filled(what: str) -> str:
    return what * (SIZE // len(what))


def in_xhtml(inside: str) -> str:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
        f"{inside}</div></content></entry></feed>"
    )


HOSTILE = {
    "deep": rss("<a>" * (SIZE // 7) + "</a>" * (SIZE // 7)),
    "deep, open": rss(filled("<a>")),
    "deep XHTML": in_xhtml("<b>" * (SIZE // 7) + "</b>" * (SIZE // 7)),
    "flat": rss(filled("<a/>")),
    "items": rss(filled("<item/>")),
    "laughs": '<!DOCTYPE x [<!ENTITY a "ha">' + filled('<!ENTITY b "&a;&a;">') + "]>" + rss("&b;"),
    "attributes": rss("<a" + "".join(f' a{number}=""' for number in range(SIZE // 10)) + "/>"),
    "namespaces": rss("".join(f'<a xmlns:p{number}="urn:{number}"/>' for number in range(SIZE // 26))),
    "namespaces, one tag": rss("<a" + "".join(f' xmlns:a{number}="u"' for number in range(SIZE // 16)) + "/>"),
    "comments": filled("<!-- -->") + rss(""),
    "comments without end": filled("<!--"),
    "comments in CDATA": item(f"<description><![CDATA[{filled('<!--')}]]></description>"),
    "instructions": filled("<?a?>"),
    "references": item(f"<description>{filled('&amp;')}</description>"),
    "tags in CDATA": item(f"<description><![CDATA[{filled('< base ')}]]></description>"),
    "spaces before a base": item(f"<description><![CDATA[<{' ' * (SIZE // 2)}base{' ' * (SIZE // 2)}]]></description>"),
    "skipHours": item(f"<description><![CDATA[{filled('<skipHours>')}]]></description>"),
    "xmlns in CDATA": item(f"<description><![CDATA[{filled(' xmlns:media')}]]></description><media:description/>"),
    "categories": item("".join(f"<category>{number}</category>" for number in range(SIZE // 26))),
    "keywords": item(f"<itunes:keywords>{','.join(map(str, range(SIZE // 7)))}</itunes:keywords>"),
    "links": item(filled('<link href="/a/../b"/>')),
    "authors": item(filled("<author>a</author>")),
    "mailboxes": item(f"<author>{filled('a.')}</author>" * 2),
    "title": item(f"<title><![CDATA[{filled('&a')};</b>]]></title>"),
    "link": item(f"<link><![CDATA[{filled('&a;')}]]></link>"),
    "dots": item(f'<link xml:base="http://e.org/">{filled("../a/")}</link>'),
    "slashes": item(f"<link>http:{filled('/')}</link>"),
    "XHTML": in_xhtml(filled("<br/>")),
    "XHTML attributes": in_xhtml(f'<br x="{filled("&lt;br ")}"/>'),
    "nothing": filled(" "),
}


LABORIOUS = ("flat", "items", "XHTML")
"""Shapes that take a second each."""


@pytest.mark.parametrize("shape", [slow(shape) if shape in LABORIOUS else shape for shape in HOSTILE])
def test_no_document_takes_long(shape: str) -> None:
    """Up to two seconds of CPU time on a quiet machine (for items), where anything quadratic takes a minute or more."""
    text = HOSTILE[shape]
    before = time.process_time()
    try:
        parse(Decoded(text, "utf-8"), url=URL)
    except DocumentError as error:
        assert error.kind in {"parse", "not-a-feed", "empty"}  # noqa: PT017
    assert time.process_time() - before < 20
