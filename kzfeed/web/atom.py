"""Atom feed of the articles on a page, which feed readers can subscribe to and `kzfeed backfill` can restore from."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from uuid import NAMESPACE_URL, uuid5

from kzfeed.export.atom import FeedHead, writer
from kzfeed.instants import EPOCH
from kzfeed.store.engine import Database
from kzfeed.store.queries import Selection
from kzfeed.store.records import stream_records


def atom_feed(database: Database, article_ids: Sequence[int], *, title: str, address: str, page: str) -> bytes:
    """The feed at `address` of the page at `page`: these articles, in this order, in their newest versions.

    It leaves out what describes sources, because the address of a feed may hold a secret.
    """
    found = stream_records(database, Selection(ids=article_ids), lambda _: None, versions=False, sources=False)
    entries = list(found)
    changed: list[datetime] = [record.article["revision_seen_at"] for _, record, _ in entries]
    head = FeedHead(uuid5(NAMESPACE_URL, address).urn, title, max(changed, default=EPOCH), address, page)
    stream = BytesIO()
    with writer(stream, head) as write:
        for article, record, sources in entries:
            write(article, record, sources)
    return stream.getvalue()
