"""One document, read: bytes as a server sent them in, the feed and its articles out.

Pure, so that it can run where it is safest; everything it needs to know comes with the document.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from kzfeed.article.normalise import Reading, from_feed
from kzfeed.feed.decode import decode
from kzfeed.feed.parse import parse
from kzfeed.model import Article, Feed


Read = tuple[Feed, tuple[Article, ...]]
"""What a document said of itself, and its articles."""


@dataclass(frozen=True, slots=True)
class Document:
    """A body and what is needed to understand it. `timezone` is for dates that name none (IANA name)."""

    body: bytes
    content_type: str | None
    url: str
    timezone: str | None
    now: datetime
    max_entries: int = 5000


def read(document: Document) -> Read:
    """The feed and its articles, in document order. Raises DocumentError."""
    decoded = decode(document.body, document.content_type)
    feed = parse(decoded, url=document.url, max_entries=document.max_entries)
    reading = Reading(base_url=document.url, zone=ZoneInfo(document.timezone or "UTC"), now=document.now)
    return feed, from_feed(feed, reading)
