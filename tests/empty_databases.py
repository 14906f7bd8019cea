"""Empty databases with our schema: under the name of a used one, so that the objects for it can be used again."""

import shutil
from pathlib import Path
from typing import Any, TypeAlias

import psycopg

from tests.databases import Databases

# Whoever creates, alters, drops, grants or analyses something writes a row of one of these catalogs. A new version of a
# row has a higher xmin than all before; a row that only vanishes changes the count.
_CATALOGS = (
    "attrdef attribute constraint default_acl depend description event_trigger extension index inherits "
    "largeobject_metadata namespace policy proc rewrite sequence statistic statistic_ext trigger type"
)
_SCHEMA = " UNION ALL ".join(
    f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM pg_{name}" for name in _CATALOGS.split()
)
_OWN = "oid >= 16384"  # what is not of PostgreSQL itself
_PROPERTIES = f"""
SELECT oid, (relname, relnamespace, relowner, relpersistence, relrowsecurity, relacl, reloptions,
    CASE relkind WHEN 'r' THEN reltuples END)::text
  FROM pg_class WHERE {_OWN}
UNION ALL SELECT setrole, setconfig::text FROM pg_db_role_setting
  WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 0, datacl::text FROM pg_database WHERE datname = current_database()
ORDER BY 1, 2
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_WRITTEN_TABLES = (
    f"SELECT oid::regclass::text FROM pg_class WHERE {_OWN} AND relkind = 'r' AND pg_relation_size(oid) > 0"
)
_RESTART_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE last_value IS NOT NULL
"""
Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"


class EmptyFiles:
    """Copies of the SQLite file `template`, each in a folder of its own below `folder`."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._folder, self._template = folder, template
        self._unused: list[Path] = []
        self._made = 0

    def take(self) -> str:
        """The URL of an empty database."""
        if not self._unused:
            self._unused.append(self._folder / str(self._made))
            self._made += 1
        folder = self._unused.pop()
        folder.mkdir()
        return f"sqlite:///{shutil.copyfile(self._template, folder / 'kzfeed.db')}"

    def give_back(self, url: str) -> None:
        """Delete a database with its folder."""
        folder = Path(url.removeprefix("sqlite:///")).parent
        shutil.rmtree(folder)
        self._unused.append(folder)


class EmptyDatabases:
    """PostgreSQL databases with the schema of `template` and its few rows.

    To empty a used one takes a tenth of the time that a new one takes. A used one whose schema, rights, settings or
    statistics are no longer those of the template is dropped.
    """

    def __init__(self, databases: Databases, template: str) -> None:
        self._databases, self._template = databases, template
        self._connections: dict[str, Connection] = {}  # kept, because the first query of a new one takes long
        url = self._new()
        self._unused = [url]
        connection = self._connection(url)
        self._schema, self._properties = _fetch(connection, _SCHEMA), _fetch(connection, _PROPERTIES)
        self._rows = {
            table: _fetch(connection, f"SELECT jsonb_agg(t)::text FROM {table} AS t")[0][0]
            for (table,) in _fetch(connection, _WRITTEN_TABLES)
        }

    def take(self) -> str:
        """The URL of an empty database."""
        return self._unused.pop() if self._unused else self._new()

    def give_back(self, url: str) -> None:
        """Take a database back, and end the connections to it that are still open."""
        connection = self._connection(url)
        _fetch(connection, _END_OTHERS)
        if _fetch(connection, _SCHEMA) == self._schema and self._empty(connection):
            self._unused.append(url)
        else:
            self._connections.pop(url).close()
            self._databases.drop(url)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def _empty(self, connection: Connection) -> bool:
        """Give a database the rows of the template, and return whether nothing else sets it apart from that."""
        written = [table for (table,) in _fetch(connection, _WRITTEN_TABLES) if table not in self._rows]
        if written:
            connection.execute(f"TRUNCATE {', '.join(written)} CASCADE".encode())
        for table, rows in self._rows.items():
            connection.execute(f"DELETE FROM {table}".encode())
            insert = f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s)"
            connection.execute(insert.encode(), [rows])
        _fetch(connection, _RESTART_SEQUENCES)
        return _fetch(connection, _PROPERTIES) == self._properties

    def _new(self) -> str:
        return self._databases.new("postgresql", template=self._template)

    def _connection(self, url: str) -> Connection:
        known = self._connections.get(url)
        if known is None or not _is_open(known):
            self._connections[url] = known = psycopg.connect(url, autocommit=True)
            known.execute("SET session_replication_role = replica")  # no triggers
        return known


def _is_open(connection: Connection) -> bool:
    """Whether the connection can be used: a test may have ended all those to its database."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _fetch(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement.encode()).fetchall()
