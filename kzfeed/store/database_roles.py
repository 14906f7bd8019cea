"""Read access of a PostgreSQL role to the archive, without secrets.

The address of a feed is secret, because it may hold a token. A migration that adds a secret column or table must revoke
the right to read it from roles that have access already, because they may read later tables too.
"""

import difflib

import sqlalchemy as sa

from kzfeed.errors import UsageError
from kzfeed.store.engine import Database

WITHHELD = {"sources": {"url", "configured_url", "moved_to", "validators_url"}, "source_addresses": {"url"}}
"""The secret columns of each table, which no role may read."""


def grant(database: Database, role: str) -> list[str]:
    """Let the role read all tables and views, also later ones, except `WITHHELD`; return the statements.

    Raises UsageError if the database is not PostgreSQL or has no such role, and if the role may write the archive.
    """
    with _postgresql_only(database).write() as connection:
        names = _Names(connection, role)
        inspector = sa.inspect(connection)
        relations = sorted({*inspector.get_table_names(), *inspector.get_view_names()} - WITHHELD.keys())
        statements = [
            f"GRANT CONNECT ON DATABASE {names.database} TO {names.role}",
            f"GRANT USAGE ON SCHEMA {names.schema} TO {names.role}",
            f"GRANT SELECT ON {', '.join(map(names.quoted, relations))} TO {names.role}",
        ]
        for table, secret in WITHHELD.items():
            columns = [column["name"] for column in inspector.get_columns(table) if column["name"] not in secret]
            statements += [
                f"REVOKE SELECT ON {table} FROM {names.role}",  # noqa: S608 - names of ours, and quoted ones
                f"GRANT SELECT ({', '.join(map(names.quoted, columns))}) ON {table} TO {names.role}",
            ]
        statements.append(f"{names.later_tables} GRANT SELECT ON TABLES TO {names.role}")
        for statement in statements:
            connection.exec_driver_sql(statement)
    return statements


def revoke(database: Database, role: str) -> list[str]:
    """Take from the role what `grant` gave, so that it can be dropped; return the statements. Raises as `grant`."""
    with _postgresql_only(database).write() as connection:
        names = _Names(connection, role)
        statements = [
            f"{names.later_tables} REVOKE SELECT ON TABLES FROM {names.role}",  # noqa: S608 - quoted names
            f"REVOKE SELECT ON ALL TABLES IN SCHEMA {names.schema} FROM {names.role}",  # noqa: S608 - quoted names
            f"REVOKE USAGE ON SCHEMA {names.schema} FROM {names.role}",
            f"REVOKE CONNECT ON DATABASE {names.database} FROM {names.role}",
        ]
        for statement in statements:
            connection.exec_driver_sql(statement)
    return statements


def _postgresql_only(database: Database) -> Database:
    if database.dialect != "postgresql":
        raise UsageError(
            "SQLite has no roles: whoever may read the file may read the archive (docs/database.md, Who may read)"
        )
    return database


class _Names:
    """The names that the statements need, quoted. Raises UsageError if the role does not exist, or may write."""

    def __init__(self, connection: sa.Connection, role: str) -> None:
        roles = list(connection.execute(sa.text("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'")).scalars())
        if role not in roles:
            near = difflib.get_close_matches(role, roles, n=1, cutoff=0.0)
            hint = f"the nearest is {near[0]}; CREATE ROLE makes one" if near else "CREATE ROLE makes one"
            raise UsageError(f"the server has no role {role!r}: {hint}")
        # The statements would take from the owner, or from the role of a daemon, what it needs to read itself.
        writes = "SELECT has_table_privilege(:role, 'articles', 'INSERT')"
        if connection.execute(sa.text(writes), {"role": role}).scalar_one():
            raise UsageError(f"{role} may write this archive, so it may read all of it: name a role that only reads")
        where = "SELECT current_database(), schemaname, tableowner FROM pg_tables WHERE tablename = 'articles'"
        found = connection.execute(sa.text(f"{where} AND schemaname = current_schema()")).one()
        self.quoted = connection.dialect.identifier_preparer.quote_identifier
        self.role = self.quoted(role)
        self.database, self.schema, owner = map(self.quoted, found)
        self.later_tables = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {self.schema}"
