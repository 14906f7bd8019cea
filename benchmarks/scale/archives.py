"""Generator of archives of any size, by SQL in the database itself. The same shape gives the same rows.

The contents of a row follow from the article's number, so a document that shows the article is made without reading
the row. Reading it would load it into every cache.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import psycopg

from kzfeed.model.polls import Source, SourceConfig
from kzfeed.store import schema, sources
from kzfeed.store.engine import Database
from tests.databases import PostgreSQLServer

FILLED = datetime(2026, 1, 1, tzinfo=UTC)
"""Time of the last poll of every source."""
STRETCH = timedelta(days=2000)
"""From the publication of the first article to that of the last."""
WINDOW = 20
"""Articles in a document."""
PER_RARE = 25
"""Articles of a source that publishes rarely."""
CHUNK = 500_000
FILL_MEMORY_MB = 2000
"""Cache of the database while rows are made, so that it holds the indexes."""


@dataclass(frozen=True)
class Shape:
    """The size of an archive: articles, and sources of three kinds.

    `busy` sources share most of the articles, and their windows show the articles stored last. `rare` sources have
    PER_RARE articles each, spread over the whole archive. `fresh` sources were never polled.
    """

    articles: int
    busy: int = 997
    rare: int = 1000
    fresh: int = 860

    @property
    def step(self) -> int:
        """Distance between the numbers of the articles that belong to rare sources."""
        return self.articles // (PER_RARE * self.rare)

    @cached_property
    def windows(self) -> Mapping[int, Sequence[int]]:
        """The article numbers in the last document of each source, by source, newest first."""
        found: dict[int, list[int]] = {source: [] for source in range(1, self.busy + 1)}
        lacking = set(found)
        for number in range(self.articles, 0, -1):
            source = number % self.busy + 1
            if number % self.step and source in lacking:
                found[source].append(number)
                if len(found[source]) == WINDOW:
                    lacking.discard(source)
                    if not lacking:
                        break
        for rare in range(self.rare):
            turns = range(PER_RARE - 1, PER_RARE - 1 - WINDOW, -1)
            found[self.busy + 1 + rare] = [(1 + rare + self.rare * turn) * self.step for turn in turns]
        return found

    def published(self, number: int) -> datetime:
        """Publication time of this article."""
        return FILLED - timedelta(seconds=self.age(number))

    def age(self, number: int) -> int:
        """Seconds from publication to FILLED, at least an hour."""
        return 3600 + (self.articles - number) * int(STRETCH.total_seconds()) // self.articles


def digest(words: str) -> str:
    """A hash for a column of hashes."""
    return hashlib.sha256(words.encode()).hexdigest()


def address(number: int) -> str:
    """URL of this article."""
    return f"https://www.example.org/articles/2026/{number}.html"


def text(number: int) -> str:
    """Text of this article, some 200 characters."""
    return f"{number} " + "the ferry left the quay before the ice closed the river, " * 3


def title(number: int) -> str:
    return f"Article {number}: the last ferry before the ice"


# --- the same in SQL -------------------------------------------------------------------------------------------------

_WORDS = {
    "sqlite": {
        "series": "(WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last}) "
        "SELECT n FROM series)",
        "digest": "digest('{kind} ' || n)",
        "instant": "strftime('%Y-%m-%d %H:%M:%f', {newest} - age + {plus}, 'unixepoch')",
    },
    "postgresql": {
        "series": "generate_series({first}::bigint, {last}::bigint) AS series(n)",
        "digest": "encode(sha256(convert_to('{kind} ' || n, 'UTF8')), 'hex')",
        "instant": "to_timestamp({newest} - age + {plus})",
    },
}
_STATEMENTS = (
    "INSERT INTO articles (id, url_hash, url, title, content, text, published_at, language, first_seen_at, "
    "last_seen_at, source_id, revision, revision_seen_at, revision_source_id, fingerprint) "
    "SELECT n, {article}, {address}, {title}, '<p>' || {text} || '</p>', {text}, {published}, 'en', {seen}, {left}, "
    "source, 1, {seen}, source, {visible} FROM {numbers}",
    "INSERT INTO sightings (article_id, source_id, guid, first_seen_at, last_seen_at, revision) "
    "SELECT n, source, {address}, {seen}, {left}, 1 FROM {numbers}",
    "INSERT INTO media (article_id, kind, url, mime_type) "
    "SELECT n, 'image', 'https://images.example.org/2026/' || n || '.jpg', 'image/jpeg' FROM {numbers} WHERE n % 2 = 0",
    "INSERT INTO polls (source_id, started_at, duration_ms, outcome, http_status, bytes, entries, new_articles, "
    "revised_articles) SELECT source, {seen}, 120, 'new', 200, 375000, 20, 1, 0 FROM {numbers}",
)


def statements(dialect: str, shape: Shape, first: int, last: int) -> Iterator[str]:
    """The INSERT statements for the articles with these numbers, one for each table."""
    words = _WORDS[dialect]
    busy, rare, step = shape.busy, shape.rare, shape.step
    source = f"CASE WHEN n % {step} = 0 THEN {busy + 1} + (n / {step} - 1) % {rare} ELSE n % {busy} + 1 END"
    age = f"3600 + ({shape.articles} - n) * {int(STRETCH.total_seconds())} / {shape.articles}"
    series = words["series"].format(first=first, last=last)
    before, after = address(0).split("0.html")[0], ".html"
    parts = {
        "numbers": f"(SELECT n, {source} AS source, {age} AS age FROM {series}) AS numbers",
        "article": words["digest"].format(kind="article"),
        "visible": words["digest"].format(kind="visible"),
        "address": f"('{before}' || n || '{after}')",
        "title": f"('{title(0).split('0')[0]}' || n || '{title(0).split('0')[1]}')",
        "text": f"(n || '{text(0)[1:]}')",
    }
    newest = int(FILLED.timestamp())
    for name, plus in (("published", 0), ("seen", 1800), ("left", 88_200)):
        parts[name] = words["instant"].format(newest=newest, plus=plus)
    return (statement.format(**parts) for statement in _STATEMENTS)


_IN_WINDOW = (
    "UPDATE articles SET last_seen_at = {mark} WHERE id = {mark}",
    "UPDATE sightings SET last_seen_at = {mark} WHERE article_id = {mark} AND source_id = {mark}",
)
_VISITED = (
    "UPDATE sources SET last_polled_at = {mark}, last_success_at = {mark}, last_document_at = {mark}, "
    "window_at = {mark}, next_poll_at = {mark}, validators_url = url, etag = '\"one\"', body_hash = name "
    "WHERE id <= {mark}"
)


def fill(database: Database, shape: Shape, server: PostgreSQLServer | None) -> None:
    """Create the schema by the migrations and fill it with an archive of this shape. PostgreSQL needs its server."""
    if database.dialect == "sqlite":
        schema.upgrade(database)
        configure(database, shape)
        database.close()
        with closing(_bare_sqlite(database)) as connection:
            _fill(connection, "sqlite", shape)
            connection.execute("PRAGMA journal_mode = WAL")
    else:
        assert server
        with _hurrying(server):
            schema.upgrade(database)
            configure(database, shape)
            database.close()
            with psycopg.connect(_plain(database)) as connection:
                # The rows satisfy the foreign keys; checking them would take longer than all the rest.
                connection.execute("SET session_replication_role = replica")
                connection.execute("SET TIME ZONE 'UTC'")
                _fill(connection, "postgresql", shape)
                connection.execute("SELECT setval(pg_get_serial_sequence('articles', 'id'), max(id)) FROM articles")
    settle(database)


def _fill(connection: Any, dialect: str, shape: Shape) -> None:
    mark = "?" if dialect == "sqlite" else "%s"
    cursor = connection.cursor()
    for first in range(1, shape.articles + 1, CHUNK):
        for statement in statements(dialect, shape, first, min(first + CHUNK - 1, shape.articles)):
            cursor.execute(statement)
        connection.commit()
    filled: Any = FILLED.isoformat(" ", "milliseconds").removesuffix("+00:00") if dialect == "sqlite" else FILLED
    numbers = [(source, number) for source, window in shape.windows.items() for number in window]
    cursor.executemany(_IN_WINDOW[0].format(mark=mark), [(filled, number) for _, number in numbers])
    cursor.executemany(_IN_WINDOW[1].format(mark=mark), [(filled, number, source) for source, number in numbers])
    cursor.execute(_VISITED.format(mark=mark), [filled] * 5 + [shape.busy + shape.rare])
    connection.commit()


def _bare_sqlite(database: Database) -> sqlite3.Connection:
    connection = sqlite3.connect(str(database.engine.url.database))
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{FILL_MEMORY_MB * 1000}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("digest", 1, digest, deterministic=True)
    return connection


@contextmanager
def _hurrying(server: PostgreSQLServer) -> Iterator[None]:
    """The server with much memory and without durability, for the length of the block."""
    hurry = {
        "shared_buffers": f"'{FILL_MEMORY_MB}MB'",
        "max_wal_size": "'4GB'",
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
    }
    _restart(server, [f"ALTER SYSTEM SET {name} = {value}" for name, value in hurry.items()])
    yield
    # Autovacuum would disturb one of the two archives at random.
    _restart(server, [*(f"ALTER SYSTEM RESET {name}" for name in hurry), "ALTER SYSTEM SET autovacuum = off"])


def _restart(server: PostgreSQLServer, changes: Sequence[str]) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        for change in changes:
            connection.execute(change.encode())
    server.stop()
    server.start()


def configure(database: Database, shape: Shape) -> None:
    """Configure the busy, the rare and the fresh sources, in this order."""
    count = shape.busy + shape.rare + shape.fresh
    configs = [
        SourceConfig(f"source-{number:07}", f"http://{number}.example.org/feed") for number in range(1, count + 1)
    ]
    sources.configure(database, configs, FILLED)


def listed(database: Database) -> dict[int, Source]:
    """All sources by id, which equals their number."""
    return {source.id: source for source in sources.load(database)}


def settle(database: Database) -> None:
    """Finish the maintenance that the engine has deferred, and write everything to the disk."""
    if database.dialect == "postgresql":
        _outside_transactions(database, "VACUUM ANALYZE")
    checkpoint(database)
    os.sync()
    database.close()


def checkpoint(database: Database) -> None:
    """Move the write-ahead log into the database."""
    statement = "PRAGMA wal_checkpoint(TRUNCATE)" if database.dialect == "sqlite" else "CHECKPOINT"
    _outside_transactions(database, statement)


def _outside_transactions(database: Database, statement: str) -> None:
    if database.dialect == "sqlite":
        with closing(sqlite3.connect(str(database.engine.url.database), isolation_level=None)) as connection:
            connection.execute(statement).fetchall()
    else:
        with psycopg.connect(_plain(database), autocommit=True) as connection:
            connection.execute(statement.encode())


def _plain(database: Database) -> str:
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
