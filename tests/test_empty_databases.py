"""A used database that is used again has nothing of the test before."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.databases import Databases
from tests.empty_databases import EmptyDatabases, EmptyFiles

ROWS = """
SET session_replication_role = replica;  -- no foreign keys
INSERT INTO hosts VALUES ('one.example', now());
INSERT INTO source_addresses (source_id, url, from_at, reason) VALUES (nextval('sources_id_seq'), 'u', now(), 'r')
"""
CHANGES = {
    "a table": "CREATE TABLE added (id int)",
    "a column": "ALTER TABLE hosts ADD COLUMN added int",
    "no index": "DROP INDEX ix_gaps_source_id",
    "a default": "ALTER TABLE hosts ALTER COLUMN host SET DEFAULT 'x'",
    "an option": "ALTER TABLE hosts SET (fillfactor = 50)",
    "a right": "GRANT SELECT ON hosts TO PUBLIC",
    "a right on the schema": "GRANT CREATE ON SCHEMA public TO PUBLIC",
    "no trigger": "ALTER TABLE sources DISABLE TRIGGER ALL",
    "a comment": "COMMENT ON TABLE hosts IS 'x'",
    "statistics": "ANALYZE row_counts",
    "a setting": "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 100', current_database()); END $$",
}


@pytest.fixture(scope="module")
def databases(postgresql: str, postgresql_template: str) -> Iterator[EmptyDatabases]:
    with closing(EmptyDatabases(Databases(Path(), postgresql), postgresql_template)) as databases:
        yield databases


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def content(url: str) -> list[tuple[object, ...]]:
    """The rows of all tables, and the state of all sequences."""
    tables = ask(url, "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind = 'r'")
    rows = [(name, *sorted(ask(url, f"SELECT t::text FROM {name} AS t"))) for (name,) in tables]
    return [*rows, *ask(url, "SELECT * FROM pg_sequences")]


def test_it_has_the_rows_and_the_numbers_of_a_new_one(databases: EmptyDatabases) -> None:
    before = content(url := databases.take())
    ask(url, ROWS)
    ask(url, "UPDATE row_counts SET row_count = 7")
    assert content(url) != before

    databases.give_back(url)
    again = databases.take()
    assert (again, content(again)) == (url, before)
    databases.give_back(again)


def test_a_file_has_nothing_beside_it_that_an_earlier_test_left(empty_sqlite: EmptyFiles) -> None:
    file = Path((url := empty_sqlite.take()).removeprefix("sqlite:///"))
    new = file.read_bytes()
    file.write_bytes(b"")
    file.with_name("kzfeed.search.db").write_bytes(b"")

    empty_sqlite.give_back(url)
    assert (empty_sqlite.take(), file.read_bytes(), list(file.parent.iterdir())) == (url, new, [file])
    empty_sqlite.give_back(url)


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_not_used_again_if_more_than_rows_has_changed(databases: EmptyDatabases, change: str) -> None:
    ask(url := databases.take(), CHANGES[change])
    databases.give_back(url)
    other = databases.take()
    assert other != url
    databases.give_back(other)


def test_a_connection_that_a_test_left_open_is_ended(databases: EmptyDatabases) -> None:
    url = databases.take()
    with psycopg.connect(url) as left_open:
        left_open.execute("SELECT * FROM hosts")
        databases.give_back(url)
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")


def test_a_database_is_used_again_after_a_test_ended_all_connections_to_it(databases: EmptyDatabases) -> None:
    databases.give_back(url := databases.take())
    assert databases.take() == url
    name = str(sa.make_url(url).database)
    server = sa.make_url(url).set(database="postgres").render_as_string(hide_password=False)
    ask(server, f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{name}'")

    databases.give_back(url)
    assert databases.take() == url
