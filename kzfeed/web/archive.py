"""The archive as pages read it: a database that the engine keeps from writing, and its search index."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from kzfeed.errors import DatabaseFileReplaced
from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index
from kzfeed.store.search.pages import open_index

STATEMENT_LIMIT = timedelta(seconds=2)
"""The longest time for one statement; a page that needs longer says so."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A database that is only read, and its search index."""

    database: Database
    index: Index

    @contextmanager
    def reopened_if_replaced(self) -> Iterator[None]:
        """Let later requests read the new file if the block finds that the file of the database was replaced."""
        try:
            yield
        except DatabaseFileReplaced:
            self.index.close()
            self.database.close()
            raise


@contextmanager
def open_archive(url: str) -> Iterator[Archive]:
    """The archive at this URL, which must exist and have the current schema. Raises DatabaseError."""
    database = Database(url, create=False, statement_limit=STATEMENT_LIMIT)
    try:
        schema.require_current(database)
        with open_index(database) as index:
            yield Archive(database, index)
    finally:
        database.close()
