"""Atom feeds of pages, which feed readers can subscribe to: of articles, or of notices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from urllib.parse import urljoin
from uuid import NAMESPACE_URL, uuid5

from kzfeed.export import atom
from kzfeed.instants import EPOCH
from kzfeed.web.archive import Archive


@dataclass(frozen=True, slots=True)
class FeedAddresses:
    """The title of a feed, its own address, and that of its page."""

    title: str
    address: str
    page: str

    def head(self, updated: datetime) -> atom.FeedHead:
        """The head of the feed, which changed last at `updated`."""
        return atom.FeedHead(uuid5(NAMESPACE_URL, self.address).urn, self.title, updated, self.address, self.page)


@dataclass(frozen=True, slots=True)
class Notice:
    """Entry of a page's feed that says what happened, in plain text. `key` is unique on its page, `address` is a path.

    `updated` is None if the time is not known.
    """

    key: str
    title: str
    updated: datetime | None
    address: str
    author: str
    text: str


def atom_feed(archive: Archive, article_ids: Sequence[int], addresses: FeedAddresses) -> bytes:
    """The feed of these articles, in this order, in their newest versions; `kzfeed backfill` can restore from it."""
    entries = archive.records(article_ids)
    changed: list[datetime] = [record.article["revision_seen_at"] for _, record in entries]
    stream = BytesIO()
    with atom.writer(stream, addresses.head(max(changed, default=EPOCH))) as write:
        for article, record in entries:
            write(article, record, [])
    return stream.getvalue()


def notice_feed(addresses: FeedAddresses, notices: Sequence[Notice]) -> bytes:
    """The feed of these notices."""
    written = [
        atom.NoticeEntry(
            id=uuid5(NAMESPACE_URL, f"{urljoin(addresses.page, '?')}#{notice.key}").urn,
            title=notice.title,
            updated=notice.updated or EPOCH,
            address=urljoin(addresses.page, notice.address),
            author=notice.author,
            text=notice.text,
        )
        for notice in notices
    ]
    return atom.notices(addresses.head(max((each.updated for each in written), default=EPOCH)), written)
