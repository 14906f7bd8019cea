"""Atom feed (RFC 4287) of articles, for feed readers. `backfill` restores from it.

Each entry holds what a feed can say in Atom's own elements, and the rest as JSON in an element of kzfeed's namespace.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape, quoteattr

from kzfeed import __version__
from kzfeed.article.build import URN
from kzfeed.backfill.atom import ELEMENT, NAMESPACE, XML_FORBIDS
from kzfeed.export.run import Write
from kzfeed.instants import iso_text
from kzfeed.model.articles import StoredArticle
from kzfeed.store.transfer.record_json import json_of_whole_article
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord
from kzfeed.text import json_line

_MEDIA_TYPE = re.compile(r"[^\s/]+/[^\s/]+(?:\s*;.*)?")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_NOT_IN_IRI = re.compile('[\x00-\x20"<>\\\\^`{|}\x7f-\x9f]')
"""Characters that an address may hold after WHATWG's rules, and an IRI (RFC 3987) may not."""


@dataclass(frozen=True, slots=True)
class FeedHead:
    """What a feed says about itself: its identity, its title, when it changed last, and where it and its page are."""

    id: str
    title: str
    updated: datetime
    address: str | None = None
    page: str | None = None


@dataclass(frozen=True, slots=True)
class NoticeEntry:
    """Entry of a feed that says what happened to the archive, when, and where a page shows it."""

    id: str
    title: str
    updated: datetime
    address: str
    author: str
    text: str


def exported(now: datetime) -> FeedHead:
    """The head of an export that was made at `now`."""
    feed_id = uuid5(NAMESPACE_URL, f"{NAMESPACE}:{now.isoformat()}").urn
    return FeedHead(feed_id, "Articles exported by kzfeed", now)


@contextmanager
def writer(stream: BinaryIO, head: FeedHead) -> Iterator[Write]:
    """Writes the head of the feed, and an entry for each article."""
    stream.write("".join(_head(head)).encode())

    def write(article: StoredArticle, record: ArticleRecord, sources: Sequence[SourceRecord]) -> None:
        stream.write("".join(_entry(article, record, sources)).encode())

    yield write
    stream.write(b"</feed>\n")


def notices(head: FeedHead, notices: Sequence[NoticeEntry]) -> bytes:
    """The feed of these notices."""
    entries = (part for notice in notices for part in _notice(notice))
    return "".join([*_head(head), *entries, "</feed>\n"]).encode()


def _notice(notice: NoticeEntry) -> Iterator[str]:
    yield "<entry>\n"
    yield _element("id", notice.id)
    yield _element("title", notice.title, type="text")
    yield _empty("link", rel="alternate", type="text/html", href=_iri(notice.address))
    yield _element("updated", iso_text(notice.updated))
    yield f"<author>{_element('name', notice.author).rstrip()}</author>\n"
    yield _element("content", notice.text, type="text")
    yield "</entry>\n"


def _head(head: FeedHead) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield f"<feed{_attributes({'xmlns': 'http://www.w3.org/2005/Atom', 'xmlns:kz': NAMESPACE})}>\n"
    yield _element("id", head.id)
    yield _element("title", head.title)
    yield _element("updated", iso_text(head.updated))
    if head.address:
        yield _empty("link", rel="self", type="application/atom+xml", href=_iri(head.address))
    if head.page:
        yield _empty("link", rel="alternate", type="text/html", href=_iri(head.page))
    yield _element("generator", "kzfeed", version=__version__)


def _entry(article: StoredArticle, record: ArticleRecord, sources: Sequence[SourceRecord]) -> Iterator[str]:
    language = article.language if _LANGUAGE.fullmatch(article.language or "") else None
    yield f"<entry{_attributes({'xml:lang': language})}>\n"
    yield _element("id", URN + article.url_hash)
    yield _element("title", article.title, type="text")
    if article.url:
        yield _empty("link", rel="alternate", href=_iri(article.url))
    if article.published_at:
        yield _element("published", iso_text(article.published_at))
    yield _element("updated", iso_text(record.article.get("revision_seen_at") or article.first_seen_at))
    if article.author:
        yield f"<author>{_element('name', article.author).rstrip()}</author>\n"
    for row in record.belonging.get("tags", ()):
        yield _empty("category", term=row["tag"])
    for row in record.belonging.get("media", ()):
        if row["kind"] != "image":  # images are in the content
            yield _enclosure(row)
    # RFC 4287 §4.1.2: an entry has an author, or the source of it has one.
    name = _element("name", article.source).rstrip()
    yield f"<source>{_element('id', f'{URN}source:{quote(article.source)}').rstrip()}"
    yield f"{_element('title', article.source).rstrip()}<author>{name}</author></source>\n"
    yield _element("content", article.content, type="html")
    yield f"<kz:{ELEMENT}>{escape(_json(_rest(article, record, sources)))}</kz:{ELEMENT}>\n</entry>\n"


def _rest(article: StoredArticle, record: ArticleRecord, sources: Sequence[SourceRecord]) -> dict[str, Any]:
    """All of an article that Atom's elements do not say exactly. `text` is derived from the content."""
    rest = json_of_whole_article(article, record, sources)
    for name in ("title", "content"):
        if not XML_FORBIDS.search(rest[name]):
            del rest[name]
    del rest["text"]
    return rest


def _json(value: dict[str, Any]) -> str:
    return XML_FORBIDS.sub(lambda match: f"\\u{ord(match[0]):04x}", json_line(value))


def _enclosure(row: dict[str, Any]) -> str:
    mime_type = row["mime_type"] if _MEDIA_TYPE.fullmatch(row["mime_type"] or "") else None
    size = None if row["size_bytes"] is None else str(row["size_bytes"])
    return _empty("link", rel="enclosure", href=_iri(row["url"]), type=mime_type, length=size)


def _iri(address: str) -> str:
    return _NOT_IN_IRI.sub(lambda match: quote(match[0]), address)


def _element(name: str, text: str, **attributes: str) -> str:
    return f"<{name}{_attributes(attributes)}>{_escaped(text)}</{name}>\n"


def _empty(name: str, **attributes: str | None) -> str:
    return f"<{name}{_attributes(attributes)}/>\n"


def _attributes(attributes: dict[str, Any]) -> str:
    given = {name: XML_FORBIDS.sub("\ufffd", value) for name, value in attributes.items() if value is not None}
    return "".join(f" {name}={quoteattr(value)}" for name, value in given.items())


def _escaped(text: str) -> str:
    # A reader of XML takes CR for the end of a line, and makes LF of it.
    return escape(XML_FORBIDS.sub("\ufffd", text), {"\r": "&#13;"})
