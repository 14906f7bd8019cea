"""The migrations make the declared schema, whole or not at all, and the times in it sort and compare as text."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from kzfeed.errors import DatabaseError
from kzfeed.store import row_counts, schema, tables, views
from kzfeed.store.engine import Database

ROOT = Path(__file__).parents[2]


def shape(connection: sa.Connection) -> dict[str, Any]:
    """Everything a database says of its tables and views, but for the order it says it in."""
    inspector = sa.inspect(connection)
    found: dict[str, Any] = {}
    for name in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        found[name] = {
            "columns": sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(name)
            ),
            "key": inspector.get_pk_constraint(name),
            "foreign": sorted(map(str, inspector.get_foreign_keys(name))),
            "unique": sorted(map(str, inspector.get_unique_constraints(name))),
            "indexes": sorted(
                str(index | {"dialect_options": {key: str(value) for key, value in options.items()}})
                for index in inspector.get_indexes(name)
                for options in [index.get("dialect_options", {})]
            ),
        }
    for name in sorted(inspector.get_view_names()):
        found[name] = inspector.get_view_definition(name)
    triggers = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname, pg_get_triggerdef(t.oid), prosrc FROM pg_trigger AS t "
        "JOIN pg_proc AS p ON p.oid = tgfoid WHERE NOT tgisinternal",
    }
    rows = connection.exec_driver_sql(triggers[connection.dialect.name])
    found["triggers"] = sorted(tuple(row) for row in rows)
    if connection.dialect.name == "postgresql":
        options = "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL ORDER BY relname"
        found["options"] = [tuple(row) for row in connection.exec_driver_sql(options)]
    return found


def is_no_partition(name: str | None, kind: str, parents: object) -> bool:
    del parents
    return kind != "table" or name != "polls_default"


def test_the_migrated_schema_equals_the_declared_one(database: Database) -> None:
    with database.write() as connection:
        migrated = shape(connection)
        context = MigrationContext.configure(connection, opts={"include_name": is_no_partition})
        assert compare_metadata(context, tables.metadata) == []

        for view in views.selects(database.dialect):
            connection.exec_driver_sql(f"DROP VIEW {view}")
        connection.exec_driver_sql("DROP TABLE alembic_version")
        for table in reversed(tables.metadata.sorted_tables):
            connection.exec_driver_sql(f"DROP TABLE {table.name}")
        tables.metadata.create_all(connection)
        for view, select in views.selects(database.dialect).items():
            connection.exec_driver_sql(f"CREATE VIEW {view} AS\n{select}")
        declared = shape(connection)

    assert set(migrated) >= {"articles", "article_list", "source_health"}
    assert migrated == declared


def test_upgrading_twice_does_nothing_the_second_time(database_url: str) -> None:
    database = Database(database_url)

    assert schema.current(database) is None
    assert schema.upgrade(database)
    assert not schema.upgrade(database)
    assert schema.current(database) == schema.HEAD
    database.close()


def test_two_upgrades_at_once_both_end_with_the_new_schema(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(schema.upgrade, databases))

    assert [schema.current(database) for database in databases] == [schema.HEAD] * 4
    for database in databases:
        database.close()


def test_a_new_file_that_another_process_is_writing_is_waited_for(tmp_path: Path) -> None:
    """As when `run` and `poll` are started together: neither may fail because both make the file."""
    file = tmp_path / "kzfeed.db"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, other.rollback)
        release.start()

        database = Database(f"sqlite:///{file}")
        assert schema.upgrade(database)
        release.join()

    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


def test_a_file_for_another_encoding_is_refused_and_not_filled_with_broken_text(tmp_path: Path) -> None:
    file = tmp_path / "kzfeed.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA encoding = 'UTF-16'")
        other.execute("CREATE TABLE notes (note TEXT)")

    database = Database(f"sqlite:///{file}")
    with pytest.raises(DatabaseError, match="made this file with text in UTF-16le, and kzfeed needs UTF-8"):
        schema.upgrade(database)
    database.close()


def test_a_file_of_another_program_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "contacts.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE people (name TEXT)")
    before = file.read_bytes()

    database = Database(f"sqlite:///{file}")
    with pytest.raises(
        DatabaseError, match=r"contacts.db belongs to another program, .*\(people\): give kzfeed a file"
    ):
        schema.upgrade(database)
    database.close()

    assert file.read_bytes() == before


def test_a_database_of_a_newer_kzfeed_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(DatabaseError, match="9999, which this kzfeed does not know"):
        schema.upgrade(database)


def first_columns(database: Database) -> dict[str, list[sa.Column[Any]]]:
    """The columns of each table that a database of an older revision has, but for those that later ones lack."""
    declared = tables.metadata.tables
    with database.read() as connection:
        present = sa.inspect(connection)
        return {
            name: [
                declared[name].c[each["name"]] for each in present.get_columns(name) if each["name"] in declared[name].c
            ]
            for name in sorted(set(present.get_table_names()) & declared.keys())
        }


def fill(database: Database, columns: dict[str, list[sa.Column[Any]]]) -> None:
    """Insert a row into every table, written as plainly as an operator would."""
    moment = datetime(2022, 1, 11, 17, 39, 3, tzinfo=UTC)
    with database.engine.begin() as connection:
        for table in (each for each in tables.metadata.sorted_tables if each.name in columns):
            values = {
                column.name: moment
                if isinstance(column.type, tables.Instant)
                else (1 if issubclass(column.type.python_type, int | float) else "文")
                for column in columns[table.name]
            }
            values |= {column.name: True for column in columns[table.name] if isinstance(column.type, sa.Boolean)}
            connection.execute(sa.insert(table), [values])


def held(database: Database, columns: dict[str, list[sa.Column[Any]]]) -> dict[str, list[Any]]:
    with database.read() as connection:
        return {name: [tuple(row) for row in connection.execute(sa.select(*each))] for name, each in columns.items()}


def migrate(database: Database, step: Callable[..., None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        step(config, revision)


def test_an_upgrade_keeps_every_row_and_so_does_the_way_back(database_url: str) -> None:
    database = Database(database_url)
    migrate(database, command.upgrade, "0001")
    with database.read() as connection:
        first = shape(connection)
    columns = first_columns(database)
    fill(database, columns)
    before = held(database, columns)
    assert all(before.values())

    assert schema.upgrade(database)
    assert schema.current(database) == schema.HEAD
    assert held(database, columns) == before
    with database.read() as connection:
        assert shape(connection) != first
        counts = {row.table_name: row.row_count for row in connection.execute(sa.select(tables.row_counts))}
        # No revision before this one has corrected a date.
        assert counts == {table.name: 1 for table in row_counts.COUNTED} | {
            "former_dates": 0,
            "article_changes": 0,
            "page_fetches": 0,
            "poll_days": 0,
        }
        assert list(schema.missing(connection)) == []

    migrate(database, command.downgrade, "0001")
    assert held(database, columns) == before
    with database.read() as connection:
        assert shape(connection) == first
    database.close()


def test_an_upgrade_carries_withdrawals_and_windows_over_and_reads_documents_again_that_were_stored_in_part(
    database_url: str,
) -> None:
    moment = datetime(2022, 1, 11, 17, 39, 3, tzinfo=UTC)
    database = Database(database_url)
    migrate(database, command.upgrade, "0004")
    fill(database, first_columns(database))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE polls SET entries = 5000")

    schema.upgrade(database)

    source = tables.sources.c
    with database.read() as connection:
        assert [tuple(row) for row in connection.execute(sa.select(tables.withdrawals))] == [(1, 1, moment, None)]
        state = connection.execute(sa.select(source.window_at, source.etag, source.body_hash, source.flaw)).one()
        assert tuple(state) == (moment, None, None, None)
    database.close()


ORIGINS = [
    # Each after those before it.
    ("UPDATE articles SET published_raw = 'Mon, 05 Jan 2026 08:00:00 GMT'", "feed"),
    ("UPDATE articles SET published_raw = '<!--1641922743000-->'", "file"),
    ("UPDATE articles SET published_raw = NULL", None),
    ("UPDATE articles SET revision = 2", None),
    ("UPDATE sources SET url = NULL", "file"),
]


def test_an_upgrade_says_where_a_text_is_from_if_the_rows_tell(database_url: str) -> None:
    database = Database(database_url)
    migrate(database, command.upgrade, "0015")
    columns = first_columns(database)
    fill(database, {name: columns[name] for name in ("sources", "articles")})
    for statement, origin in ORIGINS:
        with database.write() as connection:
            connection.exec_driver_sql(statement)
        migrate(database, command.upgrade, "0014")
        with database.read() as connection:
            assert connection.execute(sa.select(tables.articles.c.content_from)).scalar_one() == origin, statement
        migrate(database, command.downgrade, "0015")
    database.close()


def test_an_upgrade_puts_the_kinds_of_errors_in_columns_of_their_own_and_the_way_back_joins_them(
    database_url: str,
) -> None:
    texts = ["dns: no such name: voa.example", "robots: it does not allow this page", "a message: without a kind", None]
    source = tables.sources.c
    kinds = {
        tables.sources: (source.last_error_kind, source.last_error),
        tables.page_fetches: (tables.page_fetches.c.error_kind, tables.page_fetches.c.error),
        tables.robots_txt: (tables.robots_txt.c.error_kind, tables.robots_txt.c.error),
    }
    database = Database(database_url)
    migrate(database, command.upgrade, "0023")
    columns = first_columns(database)
    fill(database, {name: columns[name] for name in ("sources", "articles", "page_fetches", "robots_txt")})
    for text, expected in zip(texts, ["dns", "robots", None, None], strict=True):
        with database.write() as connection:
            for table, (_, error) in kinds.items():
                connection.execute(sa.update(table).values({error: text}))

        migrate(database, command.upgrade, "0024")
        with database.read() as connection:
            split = [tuple(connection.execute(sa.select(*columns)).one()) for columns in kinds.values()]
        assert split == 3 * [(expected, text.removeprefix(f"{expected}: ") if text else None)], text

        migrate(database, command.downgrade, "0023")
        with database.read() as connection:
            assert [connection.execute(sa.select(error)).scalar_one() for _, error in kinds.values()] == 3 * [text]
    database.close()


def test_an_upgrade_shortens_the_reasons_of_polls(database_url: str) -> None:
    reasons = {
        "back-off after 12 failures": "back-off after failures",
        "back-off after a failure": "back-off after a failure",
        "its interval, put off by the feed's skipHours or skipDays": "put off by the feed's skipHours or skipDays",
    }
    reason = tables.sources.c.next_poll_reason
    database = Database(database_url)
    migrate(database, command.upgrade, "0023")
    fill(database, {"sources": first_columns(database)["sources"]})
    for before, after in reasons.items():
        with database.write() as connection:
            connection.execute(sa.update(tables.sources).values({reason: before}))
        migrate(database, command.upgrade, "0024")
        with database.read() as connection:
            assert connection.execute(sa.select(reason)).scalar_one() == after
        migrate(database, command.downgrade, "0023")
    database.close()


def test_without_migrating_an_old_schema_is_refused(database_url: str) -> None:
    database = Database(database_url)

    with pytest.raises(DatabaseError, match=r"holds no archive of kzfeed: .*kzfeed db upgrade"):
        schema.require_current(database)
    database.close()


@pytest.mark.slow
def test_plain_alembic_upgrades_in_a_checkout(database_url: str) -> None:
    environment = os.environ | {"KZFEED_DATABASE_URL": database_url}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]

    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)

    database = Database(database_url)
    assert schema.current(database) == schema.HEAD
    database.close()


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (datetime(2022, 1, 11, 17, 39, 3, tzinfo=UTC), "2022-01-11 17:39:03.000"),
        (datetime(2022, 1, 11, 17, 39, 3, 7999, tzinfo=UTC), "2022-01-11 17:39:03.007"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01 00:00:00.000"),
        (datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), "9999-12-31 23:59:59.999"),
    ],
)
def test_instants_come_back_to_the_millisecond(database: Database, when: datetime, text: str) -> None:
    row = {"host": "h", "paused_until": when}
    with database.write() as connection:
        connection.execute(sa.insert(tables.hosts), [row])

    with database.read() as connection:
        stored = connection.execute(sa.select(tables.hosts.c.paused_until)).scalar_one()
        raw = connection.exec_driver_sql("SELECT paused_until FROM hosts").scalar_one()

    assert stored == when.replace(microsecond=when.microsecond // 1000 * 1000)
    if database.dialect == "sqlite":
        assert raw == text


def test_instants_come_back_whatever_zone_the_database_is_in(database: Database, database_url: str) -> None:
    if database.dialect != "postgresql":
        pytest.skip("SQLite knows no zones")
    last = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
    with database.write() as connection:
        connection.execute(sa.insert(tables.hosts), [{"host": "h", "paused_until": last}])
        name = connection.exec_driver_sql("SELECT current_database()").scalar()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'")

    elsewhere = Database(database_url)
    with elsewhere.read() as connection:
        assert connection.execute(sa.select(tables.hosts.c.paused_until)).scalar_one() == last
    elsewhere.close()
