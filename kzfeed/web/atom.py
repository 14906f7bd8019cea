"""Atom feed of the articles on a page, which feed readers can subscribe to and `kzfeed backfill` can restore from."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from uuid import NAMESPACE_URL, uuid5

from kzfeed.export.atom import FeedHead, writer
from kzfeed.instants import EPOCH
from kzfeed.web.archive import Archive


def atom_feed(archive: Archive, article_ids: Sequence[int], *, title: str, address: str, page: str) -> bytes:
    """The feed at `address` of the page at `page`: these articles, in this order, in their newest versions."""
    entries = archive.records(article_ids)
    changed: list[datetime] = [record.article["revision_seen_at"] for _, record in entries]
    head = FeedHead(uuid5(NAMESPACE_URL, address).urn, title, max(changed, default=EPOCH), address, page)
    stream = BytesIO()
    with writer(stream, head) as write:
        for article, record in entries:
            write(article, record, [])
    return stream.getvalue()
