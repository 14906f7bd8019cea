"""Opening of the search index that belongs to the engine of an archive."""

from contextlib import closing

from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index
from kzfeed.store.search.postgresql_index import PostgresqlIndex
from kzfeed.store.search.sqlite_index import SqliteIndex


def open_index(database: Database) -> closing[Index]:
    """The search index of an archive, closed at the end of the block. Raises DatabaseError if it can have none."""
    return closing(PostgresqlIndex(database) if database.dialect == "postgresql" else SqliteIndex(database))
