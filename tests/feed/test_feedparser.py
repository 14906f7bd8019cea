"""Judgement of our parser by feedparser: the same title, link, content, id and date of every entry.

On feedparser's own test documents and on feeds as publishers' software writes them.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import feedparser
import pytest

from kzfeed.errors import DocumentError
from kzfeed.feed.decode import decode
from kzfeed.feed.parse import parse
from kzfeed.model.articles import Decoded, Entry
from tests.feed.ordinary import SHAPES, STORIES, document
from tests.slow import slow

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "feedparser"
DOCUMENTS = sorted(path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*.xml"))
OTHERS = [name for number, name in enumerate(DOCUMENTS) if number % 4]
"""Documents that are too many for the quick loop."""

URL = "https://feeds.example.org/path/feed.xml"

GUESSED = "feedparser takes the last encoding on its list that fits the bytes; the text is readable only as ours"
NO_LINK = "a guid that is no URL is never a link (feedparser takes any for one), and stays as the feed gives it"
MOJIBAKE = "the document is valid UTF-8: its text stays as it is, even if it looks like mojibake"
ALTERNATE = "the link is the alternate, as the document's own comment expects; feedparser takes the text of another"
KEPT_CASE = "names in SVG and RDF stay as written: viewBox and baseProfile mean something, viewbox does not"

BETTER = {
    "encoding/bozo_double-encoded-html.xml": MOJIBAKE,
    "encoding/bozo_linenoise.xml": "one byte of UTF-8 is bad: one U+FFFD, not the whole text in another encoding",
    "encoding/double-encoded-html.xml": MOJIBAKE,
    "encoding/http_encoding_attribute_crash.xml": "<img/> stays one tag; in HTML <br></br> would be two line breaks",
    "illformed/chardet/eucjp.xml": GUESSED,
    "illformed/chardet/gb2312.xml": GUESSED,
    "illformed/chardet/koi8r.xml": GUESSED,
    "illformed/chardet/shiftjis.xml": GUESSED,
    "illformed/chardet/windows1255.xml": GUESSED,
    "illformed/rss_incomplete_cdata.xml": "the document breaks off inside its only entry: a torn entry is left out",
    "wellformed/atom/entry_link_no_href_link_priority.xml": ALTERNATE,
    "wellformed/atom/entry_link_rel_enclosure_no_href.xml": ALTERNATE,
    "wellformed/atom10/entry_link_no_href_link_priority.xml": ALTERNATE,
    "wellformed/atom10/entry_link_rel_enclosure_no_href.xml": ALTERNATE,
    "wellformed/base/http_entry_id_base_content_location.xml": NO_LINK,
    "wellformed/base/http_entry_id_base_docuri.xml": NO_LINK,
    "wellformed/namespace/atomsvg.xml": KEPT_CASE,
    "wellformed/namespace/atomsvgdctitle.xml": KEPT_CASE,
    "wellformed/namespace/atomsvgdesc.xml": KEPT_CASE,
    "wellformed/namespace/atomxlink.xml": KEPT_CASE,
    "wellformed/node_precedence/atom10_id.xml": NO_LINK,
    "wellformed/rss/item_category_image.xml": "the title is that of an image inside a category, not the entry's",
    "wellformed/rss/item_description_and_summary.xml": "of two descriptions the longer is kept, not the second",
}
"""Documents of which our reading is another one, and why it is better."""

Facts = list[dict[str, str]]

needs_corpus = pytest.mark.skipif(not DOCUMENTS, reason="feedparser's documents are not here")


def headers_of(body: bytes) -> dict[str, str]:
    """The HTTP headers that a document's leading comment asks to be served with."""
    head = body[:4096].replace(b"\0", b"").decode("latin-1")
    found = re.findall(r"^\s*Header:\s*([\w-]+):[ \t]*(.*?)\s*$", head, re.MULTILINE)
    return {name.lower(): value for name, value in found}


def ours(entry: Entry, base: str) -> dict[str, str]:
    return {
        "title": entry.title,
        "link": urljoin(base, entry.link) if entry.link else "",
        "id": entry.guid or "",
        "content": entry.content,
        "date": entry.dates[0] if entry.dates else "",
    }


def theirs(entry: Any, linked: Any) -> dict[str, str]:
    dates = (dict.get(entry, key) for key in ("published", "created", "updated"))
    contents = dict.get(entry, "content") or [{}]
    return {
        "title": dict.get(entry, "title", ""),
        "link": dict.get(linked, "link", ""),
        "id": dict.get(linked, "id", ""),
        "content": contents[0].get("value") or dict.get(entry, "summary", ""),
        "date": next(filter(None, dates), ""),
    }


def both(body: bytes) -> tuple[Facts, Facts]:
    headers = headers_of(body)
    base = headers.get("content-location", "")
    plain = feedparser.parse(
        io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    # With its defaults feedparser resolves links in HTML too; what it says of link and id must be the same.
    defaults = feedparser.parse(io.BytesIO(body), response_headers=headers)
    expected = [theirs(*pair) for pair in zip(plain.entries, defaults.entries, strict=True)]
    try:
        feed = parse(decode(body, headers.get("content-type")), url=base)
    except DocumentError as error:
        # Only what feedparser knows no format of may be refused.
        assert (error.kind, plain.version, expected) == ("not-a-feed", "", [])  # noqa: PT017
        return [], []
    return [ours(entry, base) for entry in feed.entries], expected


@needs_corpus
@pytest.mark.parametrize("name", [*DOCUMENTS[::4], *(slow(each) for each in OTHERS)])
def test_an_entry_is_what_feedparser_says(name: str) -> None:
    entries, expected = both((CORPUS / name).read_bytes())
    if name in BETTER:
        assert entries != expected, "no better than feedparser any more: take it off the list"
    else:
        assert entries == expected


DAMAGES: dict[str, Callable[[str, int], str]] = {
    "a stray ampersand": lambda text, end: f"{text[:end]}<x>a & b</x>{text[end:]}",
    "the end is missing": lambda text, end: text[:end],
    "the next entry is torn": lambda text, end: f"{text[:end]}<item><title>torn",
}


@needs_corpus
@pytest.mark.parametrize("damage", [slow(each) if number else each for number, each in enumerate(DAMAGES)])
def test_a_damaged_document_gives_what_the_whole_one_gives(damage: str) -> None:
    compared = 0
    for name in DOCUMENTS:
        body = (CORPUS / name).read_bytes()
        whole = decode(body, headers_of(body).get("content-type"))
        ends = [match.end() for match in re.finditer("</(?:item|entry)>", whole.text, re.IGNORECASE)]
        if not ends or (feed := parse(whole, url=URL)).flaw:
            continue
        damaged = parse(Decoded(DAMAGES[damage](whole.text, ends[-1]), "utf-8"), url=URL)
        assert damaged.entries == feed.entries, name
        assert damaged.flaw, name
        compared += 1
    assert compared > 400


@needs_corpus
def test_the_list_of_the_better_names_documents_that_exist() -> None:
    assert set(BETTER) <= set(DOCUMENTS)


# --- feeds as publishers' software writes them -----------------------------------------------------------------------

VOID = "<br/> stays one tag; in HTML <br></br> would be two line breaks"
CAPTION = "the description of a picture or an episode is not the content where the entry has one"

BETTER_SHAPES = {
    "Mastodon": CAPTION,
    "Typepad": VOID,
    "newspaper with media": CAPTION,
    "podcast with summaries": CAPTION,
    "weblog in XHTML": VOID,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_entry_of_an_ordinary_feed_is_what_feedparser_says(shape: str) -> None:
    entries, expected = both(document(SHAPES[shape]).encode())
    assert len(entries) == len(STORIES)
    if shape in BETTER_SHAPES:
        assert entries != expected, "no better than feedparser any more: take it off the list"
    else:
        assert entries == expected
