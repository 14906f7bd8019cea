"""Archive that the pages show: opened and read, never written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from kzfeed.errors import DatabaseError, DatabaseFileReplaced
from kzfeed.model.articles import StoredArticle
from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.queries.article_queries import Selection
from kzfeed.store.search.index import Index
from kzfeed.store.search.opening import open_index
from kzfeed.store.transfer.records import ArticleRecord, stream_records

QUERY_TIME_LIMIT = timedelta(seconds=2)
"""The longest time for one query; a page that needs longer says so."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A database that refuses to write, and its search index."""

    database: Database
    index: Index

    def records(self, article_ids: Sequence[int]) -> list[tuple[StoredArticle, ArticleRecord]]:
        """All that is known of these articles, in this order, without older versions. Raises DatabaseError.

        Records of sources are left out, because the address of a feed may hold a secret.
        """
        found = stream_records(self.database, Selection(ids=article_ids), _raise, versions=False, sources=False)
        return [(article, record) for article, record, _ in found]

    @contextmanager
    def reopened_if_replaced(self) -> Iterator[None]:
        """Let later requests read the new file if the block finds that the file of the database was replaced."""
        try:
            yield
        except DatabaseFileReplaced:
            self.index.close()
            self.database.close()
            raise


def _raise(article_id: int) -> None:
    raise DatabaseError(f"the database is damaged, and article {article_id} cannot be read: run `kzfeed verify`")


@contextmanager
def open_archive(url: str, query_time_limit: timedelta = QUERY_TIME_LIMIT) -> Iterator[Archive]:
    """The archive at this URL, which must exist and have the current schema. Raises DatabaseError."""
    database = Database(url, create=False, query_time_limit=query_time_limit)
    try:
        schema.require_current(database)
        with open_index(database) as index:
            yield Archive(database, index)
    finally:
        database.close()
