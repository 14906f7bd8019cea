"""Programs that people read an archive with: DuckDB, Datasette and pandas read every table and view of it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import duckdb_extension_sqlite_scanner
import pytest

from kzfeed.store import tables, views
from tests.fork_server import ROOT, clean_environment, fork_server

VIEWS = sorted(views.selects("sqlite"))
NAMES = sorted([*tables.metadata.tables, *VIEWS])
EXTENSION = next(Path(duckdb_extension_sqlite_scanner.__path__[0]).rglob("*.duckdb_extension"))
"""DuckDB's own reader of SQLite files, signed by DuckDB. `ATTACH … (TYPE sqlite)` downloads it where it is missing."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    done = fork_server().run(["backfill", ROOT / "seeds"], folder, clean_environment())
    assert done.returncode == 0, done.stderr
    return folder / "kzfeed.db"


@pytest.fixture(scope="module")
def rows(database: Path) -> dict[str, int]:
    """How many rows SQLite itself reads of each table and view."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in NAMES}


@pytest.fixture(scope="module")
def duck(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.load_extension(str(EXTENSION))
        connection.execute(f"ATTACH '{database}' AS archive (TYPE sqlite, READ_ONLY)")
        yield connection


@pytest.mark.parametrize("name", NAMES)
def test_duckdb_reads(duck: duckdb.DuckDBPyConnection, rows: dict[str, int], name: str) -> None:
    assert len(duck.execute(f"SELECT * FROM archive.{name}").fetchall()) == rows[name]


def test_duckdb_counts_the_articles_of_each_source(duck: duckdb.DuckDBPyConnection) -> None:
    found = duck.execute("SELECT sum(articles::INTEGER), sum(articles_24h::INTEGER) FROM archive.source_health")

    assert found.fetchone() == (8, 8)


@pytest.mark.parametrize("name", NAMES)
def test_pandas_reads(database: Path, rows: dict[str, int], name: str) -> None:
    import pandas as pd

    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        assert len(pd.read_sql_query(f"SELECT * FROM {name}", connection)) == rows[name]


ROWS_IN_DATASETTE = """
import asyncio, json, sys
from datasette.app import Datasette

async def main():
    datasette = Datasette([sys.argv[1]])
    for name in sys.argv[2:]:
        response = await datasette.client.get(f"/kzfeed/{name}.json?_shape=array&_size=max")
        print(json.dumps([name, response.status_code, len(response.json())]))

asyncio.run(main())
"""


@pytest.mark.slow
def test_datasette_reads_every_table_and_view(database: Path, rows: dict[str, int]) -> None:
    command = [sys.executable, "-W", "ignore", "-c", ROWS_IN_DATASETTE, str(database), *NAMES]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)

    assert [json.loads(line) for line in done.stdout.splitlines()] == [[name, 200, rows[name]] for name in NAMES]
