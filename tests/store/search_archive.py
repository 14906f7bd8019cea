"""Archives for the tests of search: articles with given words, and the same as the reference sees them."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from kzfeed.search.hits import parse_key
from kzfeed.search.query import parse
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index
from kzfeed.store.search.results import index_query, newest_hits, newest_results
from tests.search.reference import Text, found

SOURCES = ("a", "b", "c")
SEEN = datetime(2024, 1, 1, tzinfo=UTC)


def add_sources(database: Database) -> None:
    state = {"enabled": False, "status": "active", "auto": False, "failure_count": 0, "moved_polls": 0}
    with database.write() as connection:
        # One after another and without ids: they get 1, 2, 3.
        for name in SOURCES:
            connection.execute(sa.insert(tables.sources), {"name": name, "ask_in_full": False, **state})


def add_articles(database: Database, texts: Iterable[Text]) -> None:
    rows = [
        {
            "id": each.id,
            "url_hash": hashlib.sha256(f"{each.id}{each.title}".encode()).hexdigest(),
            "url": f"https://e.example/{each.id}",
            "title": each.title,
            "content": "",
            "text": each.text,
            "published_at": each.published_at,
            "first_seen_at": SEEN,
            "last_seen_at": SEEN,
            "source_id": SOURCES.index(each.source) + 1,
            "revision": 1,
            "revision_seen_at": SEEN,
            "revision_source_id": 1,
            "fingerprint": "",
        }
        for each in texts
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.articles), rows)


def search(database: Database, index: Index, typed: str, *, page_size: int = 1000) -> list[int]:
    """The ids of all articles that a search finds, in its order, page by page."""
    ids: list[int] = []
    after = None
    while True:
        keys = [parse_key(each.key) for each in newest_results(database, index, parse(typed), after, limit=page_size)]
        ids += [key.article_id for key in keys]
        if len(keys) < page_size:
            return ids
        after = keys[-1]


def hit_ids(database: Database, index: Index, typed: str) -> list[int]:
    """The same in one page, without titles and snippets."""
    return [hit.article_id for hit in newest_hits(index, index_query(database, parse(typed)), None, 1_000_000)]


def expected(texts: Sequence[Text], typed: str) -> list[int]:
    return [each.id for each in found(parse(typed), texts)]
