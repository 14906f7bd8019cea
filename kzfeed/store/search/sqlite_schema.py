"""Tables of the search index of an SQLite archive. They have a file of their own beside the archive.

`search_index` holds the terms of each document, `search_docs` says to which article a document belongs, and
`search_folding` how characters fold. `search_state` is one row. A document is a version of an article. When an article
changes, it gets a new document, and the old one belongs to no article any more: SQLite before 3.43 cannot delete from a
contentless FTS5 table.

The names of these tables begin with that of the index, which is `search`, or `rebuilt` while it is built again.

The number of a document gives its position among all hits: day of publication, then a number within the day. Documents
of undated articles have negative numbers by the articles' ids.
"""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from kzfeed.search.folding import folded_characters
from kzfeed.store.sqlite import BUSY_TIMEOUT_S, PAGE_BYTES

LEAST_DAY_BITS = 10
"""The least number of bits that number the documents of one day. Fewer bits make a smaller index."""
UNDATED = -(1 << 62)
UNDATED_BITS = 16
"""The number of bits that number the versions of an undated article."""
UNDATED_END = UNDATED // 2
"""Numbers below it belong to undated documents."""

_TABLES = ("index", "docs", "state", "folding")
_SHRINK_PAGES = 1_000
_UNUSED_PAGES = "PRAGMA freelist_count"
HASH_BYTES = 16_000_000
"""The bytes that FTS5 gathers in memory before it writes a part of the index."""


def file_of(archive: Path) -> Path:
    """The file of the index beside the archive: `kzfeed.search.db` for `kzfeed.db`."""
    return archive.with_name(f"{archive.name.removesuffix('.db')}.search.db")


def make_file(file: Path) -> None:
    """Make an empty file that can shrink later: SQLite takes this setting only before a file has tables.

    If it cannot be made, the first transaction says why.
    """
    with suppress(sqlite3.Error), closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in (f"PRAGMA page_size = {PAGE_BYTES}", "PRAGMA auto_vacuum = INCREMENTAL", "VACUUM"):
            connection.execute(statement)


def shrink(file: Path) -> None:
    """Remove unused pages from the file, some in each transaction. If that fails, they stay and are used later."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
        unused = connection.execute(_UNUSED_PAGES).fetchone()[0]
        while unused:
            # Not `execute`, which gives back one page only.
            connection.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")
            before, unused = unused, connection.execute(_UNUSED_PAGES).fetchone()[0]
            if unused >= before:
                return


def create(connection: sa.Connection, name: str, terms_version: str, day_bits: int) -> None:
    """Create the tables of an empty index."""
    statements = f"""
        CREATE VIRTUAL TABLE {name}_index USING fts5(
          terms, content='', columnsize=0, detail=none, tokenize='ascii');
        INSERT INTO {name}_index ({name}_index, rank) VALUES ('hashsize', {HASH_BYTES});
        CREATE TABLE {name}_docs (docid INTEGER PRIMARY KEY, article_id INTEGER UNIQUE, published_ms INTEGER);
        CREATE TABLE {name}_state (
          terms_version TEXT NOT NULL, day_bits INTEGER NOT NULL, article_id INTEGER NOT NULL, url_hash TEXT,
          change_id INTEGER NOT NULL, changed_article_id INTEGER, indexed_at TEXT);
        CREATE TABLE {name}_folding (character TEXT PRIMARY KEY, folded TEXT NOT NULL) WITHOUT ROWID
    """  # noqa: S608 - a name of ours
    for statement in statements.split(";"):
        connection.exec_driver_sql(statement)
    state = (terms_version, day_bits, 0, None, 0, None, None)
    connection.exec_driver_sql(f"INSERT INTO {name}_state VALUES (?, ?, ?, ?, ?, ?, ?)", state)  # noqa: S608
    connection.exec_driver_sql(f"INSERT INTO {name}_folding VALUES (?, ?)", list(folded_characters()))  # noqa: S608


def drop(connection: sa.Connection, name: str) -> None:
    """Drop the tables of an index, as far as they exist."""
    for table in _TABLES:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}_{table}")


def replace(connection: sa.Connection, name: str, by: str) -> None:
    """Put the tables of one index in the place of another's."""
    drop(connection, name)
    for table in _TABLES:
        connection.exec_driver_sql(f"ALTER TABLE {by}_{table} RENAME TO {name}_{table}")


def exists(connection: sa.Connection, name: str) -> bool:
    """Whether there is an index of this name."""
    query = "SELECT count(*) FROM sqlite_master WHERE name = ?"
    return bool(connection.exec_driver_sql(query, (f"{name}_state",)).scalar())
