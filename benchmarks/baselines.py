"""The machine's own limits, each a process of its own: `python -m benchmarks.baselines WHAT …`.

They do one part of kzfeed's work and nothing else. Where only a part of the process counts, it says on its standard
output how many seconds that took: by the clock, and of the CPU.
"""

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

CONNECTIONS = 100
"""As many as kzfeed opens."""
BATCH = 500
"""How many articles one transaction takes."""
PARTS = {"sightings": "article_id", "media": "article_id", "tags": "article_id"}
"""The tables whose rows belong to an article."""

TABLES = ("sources", "articles", "polls", *PARTS)

TIMED = "timed"
"""Begins what a process says of its own time."""

Row = tuple[object, ...]


class Stopwatch:
    """Counts only while it is a context."""

    def __init__(self) -> None:
        self._wall = self._cpu = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self._wall += time.perf_counter() - self._began[0]
        self._cpu += time.process_time() - self._began[1]

    def say(self) -> None:
        sys.stdout.write(f"{TIMED} {self._wall} {self._cpu}\n")


def fetch(addresses: str, validators: str) -> None:
    """aiohttp alone: get every address of the file; with its ETag, where the file of validators is there, else made."""
    vouchers = Path(validators)
    known: dict[str, str] = json.loads(vouchers.read_text()) if vouchers.exists() else {}
    found = asyncio.run(_fetch(Path(addresses).read_text().split(), known))
    if not vouchers.exists():
        vouchers.write_text(json.dumps({url: etag for url, etag in found.items() if etag}))


async def _fetch(urls: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    import aiohttp

    found: dict[str, str] = {}
    queue = iter(urls)
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def work() -> None:
            for url in queue:
                headers = {"If-None-Match": known[url]} if url in known else {}
                async with session.get(url, headers=headers) as response:
                    await response.read()
                    if response.status != (304 if url in known else 200):
                        raise ValueError(f"{url} answered {response.status}")
                    found[url] = response.headers.get("ETag", "")

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(work())
    return found


def parse(folder: str) -> None:
    """The fast parser alone, on every document below the folder."""
    from kzfeed.feed.decode import decode
    from kzfeed.feed.fast import parse_fast

    for file in Path(folder).rglob("*.xml"):
        decoded = decode(file.read_bytes(), "application/xml")
        if parse_fast(decoded, url="http://127.0.0.1/feed.xml", max_entries=5000) is None:
            raise ValueError(f"{file} is no document for the fast parser")


def read(folder: str) -> None:
    """From documents to articles: read_harmless alone, on every document below the folder."""
    from kzfeed.model import Document
    from kzfeed.sandbox.document import read_harmless

    now = datetime.now(UTC)
    for file in Path(folder).rglob("*.xml"):
        document = Document(file.read_bytes(), "application/xml", "http://127.0.0.1/feed.xml", "UTC", now)
        if read_harmless(document) is None:
            raise ValueError(f"{file} is no harmless document")


def insert(source: str, target: str) -> None:
    """sqlite3 alone: the rows of an archive into the same schema by executemany, a transaction every BATCH articles."""
    watch = Stopwatch()
    with closing(sqlite3.connect(source)) as archive, closing(sqlite3.connect(target, isolation_level=None)) as copy:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            copy.execute(f"PRAGMA {pragma}")
        tables = ", ".join(f"'{table}'" for table in TABLES)
        made = archive.execute(
            f"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name IN ({tables}) ORDER BY type DESC, rowid"
        )
        for (statement,) in made:
            copy.execute(statement)
        for batch in _batches(archive):
            with watch:
                copy.execute("BEGIN IMMEDIATE")
                for table, rows in batch:
                    if rows:
                        copy.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
                copy.execute("COMMIT")
        with watch:
            copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    watch.say()


def copy(source: str, target: str) -> None:
    """psycopg alone: the rows of an SQLite archive into the same schema on PostgreSQL, by COPY, batches as above."""
    import psycopg

    watch = Stopwatch()
    with closing(sqlite3.connect(source)) as archive, psycopg.connect(target) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        columns = {table: _columns(archive, table) for table in TABLES}
        for batch in _batches(archive):
            with watch:
                for table, rows in batch:
                    statement = f"COPY {table} ({','.join(columns[table])}) FROM STDIN"
                    with connection.cursor().copy(statement.encode()) as into:
                        for row in rows:
                            into.write_row(row)
                connection.commit()
    watch.say()


def _batches(archive: sqlite3.Connection) -> Iterator[list[tuple[str, list[Row]]]]:
    """All rows of the archive, an article's with it, in an order that foreign keys allow."""
    yield [("sources", archive.execute("SELECT * FROM sources").fetchall())]
    articles = archive.execute("SELECT * FROM articles ORDER BY id")
    while rows := list(islice(articles, BATCH)):
        first, last = rows[0][0], rows[-1][0]
        parts = {
            table: archive.execute(f"SELECT * FROM {table} WHERE {key} BETWEEN ? AND ?", (first, last)).fetchall()
            for table, key in PARTS.items()
        }
        yield [("articles", rows), *parts.items()]
    yield [("polls", archive.execute("SELECT * FROM polls").fetchall())]


def _columns(archive: sqlite3.Connection, table: str) -> Sequence[str]:
    return [name for _, name, *_ in archive.execute(f"PRAGMA table_info({table})")]


def write(source: str, target: str) -> None:
    """Files alone: every file of one folder into another, each to a temporary name, to the disk, then to its place."""
    watch = Stopwatch()
    for number, file in enumerate(sorted(Path(source).rglob("*.txt"))):
        data = file.read_bytes()
        with watch:
            path = Path(target, str(number // BATCH), file.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".tmp")
            with unfinished.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(path)
    watch.say()


LIMITS: Mapping[str, Callable[..., None]] = {
    "fetch": fetch,
    "parse": parse,
    "read": read,
    "insert": insert,
    "copy": copy,
    "write": write,
}

if __name__ == "__main__":
    LIMITS[sys.argv[1]](*sys.argv[2:])
