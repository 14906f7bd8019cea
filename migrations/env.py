"""Runs the migrations in one transaction, alone: on the connection that kzfeed hands over, else on one of their own."""

import os

import sqlalchemy as sa
from alembic import context

from kzfeed.store.tables import metadata

# Any fixed number will do: it only has to differ from the locks of other programs in the same database.
UPGRADE_LOCK = 5_021_747_901


def migrate(connection: sa.Connection) -> None:
    """Bring the schema up to date; another upgrade under way is waited for, a killed one leaves the old schema."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
    context.configure(connection=connection, target_metadata=metadata)
    context.run_migrations()


def connect() -> sa.Connection:
    """A connection to KZFEED_DATABASE_URL, else to the address in alembic.ini, inside a write transaction."""
    url = os.environ.get("KZFEED_DATABASE_URL") or context.config.get_main_option("sqlalchemy.url") or ""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _leave_transactions_to_us(dbapi: object, _record: object) -> None:
            dbapi.isolation_level = None  # type: ignore[attr-defined]  # sqlite3 would commit before each CREATE

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine.connect()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    migrate(handed_over)
else:
    with connect() as own, own.begin():
        migrate(own)
