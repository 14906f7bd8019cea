"""Creation and upgrade of the schema by migrations, and what a database lacks of it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import (
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
    ReflectedUniqueConstraint,
)

from kzfeed.errors import DatabaseError, DatabaseMissing
from kzfeed.store import tables, triggers, views
from kzfeed.store.engine import Database

HEAD = "0025"
"""The schema revision that this kzfeed needs. A constant, because Alembic is slow to import and rarely needed."""

_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass('sources')",
}
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text()))


def current(database: Database) -> str | None:
    """The revision of the database's schema; None if it has none yet."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table(_VERSION.name):
            return None
        revision: str | None = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
        return revision


def upgrade(database: Database, on_begin: Callable[[str | None], None] = lambda revision: None) -> bool:
    """Upgrade the schema to HEAD in one transaction, and return whether that was necessary.

    `on_begin` is called before, if it is necessary, with the revision of the database, None for a new one. Raises
    DatabaseError if a newer kzfeed made the database, or another program the SQLite file.
    """
    if _is_up_to_date(database):
        return False
    _refuse_file_of_another_program(database)
    on_begin(current(database))
    create(database, HEAD)
    return True


def create(database: Database, revision: str) -> None:
    """Bring the schema to this revision in one transaction, from an older one or from none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def require_current(database: Database) -> None:
    """Raise DatabaseError unless the schema is up to date."""
    if _is_up_to_date(database):
        return
    if revision := current(database):
        raise DatabaseError(
            f"the database's schema is {revision}, this kzfeed needs {HEAD}: `kzfeed db upgrade` brings it up to date"
        )
    place = database.file or f"the database {database.engine.url.database}"
    raise DatabaseMissing(
        f"{place} holds no archive of kzfeed: name another database, or run `kzfeed db upgrade`, which makes one there"
    )


def open_replacement(database: Database, *, wait: timedelta) -> None:
    """Open the file that was put in the place of the one that `database` had open, waiting for it to appear.

    Raises DatabaseError if there is no file with the current schema by then.
    """
    database.close()
    until = time.monotonic() + wait.total_seconds()
    while True:
        try:
            require_current(database)
        except DatabaseError:
            database.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def missing(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """Parts of the declared schema that the database lacks, each as the name of the table or view and a sentence."""
    inspector = sa.inspect(connection)
    with_unique_columns = [
        table.name for table in tables.metadata.sorted_tables if any(column.unique for column in table.c)
    ]
    found = _Reflected(
        columns=inspector.get_multi_columns(),
        indexes=inspector.get_multi_indexes(),
        keys=inspector.get_multi_pk_constraint(),
        unique=inspector.get_multi_unique_constraints(filter_names=with_unique_columns),
        references=inspector.get_multi_foreign_keys(),
    )
    for table in tables.metadata.sorted_tables:
        if (None, table.name) in found.columns:
            for lack in found.missing_of(table):
                yield table.name, lack
        else:
            yield table.name, "the table is missing"
    for view in views.selects(connection.dialect.name).keys() - inspector.get_view_names():
        yield view, "the view is missing"
    dialect = connection.dialect.name
    for trigger in triggers.TRIGGERS[dialect].keys() - set(connection.exec_driver_sql(_TRIGGERS[dialect]).scalars()):
        yield "sources", f"its trigger {trigger} is missing"


_Name = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class _Reflected:
    """What SQLAlchemy finds of the tables of a database, by (None, name of the table)."""

    columns: Mapping[_Name, Sequence[ReflectedColumn]]
    indexes: Mapping[_Name, Sequence[ReflectedIndex]]
    keys: Mapping[_Name, ReflectedPrimaryKeyConstraint | None]
    unique: Mapping[_Name, Sequence[ReflectedUniqueConstraint]]
    references: Mapping[_Name, Sequence[ReflectedForeignKeyConstraint]]

    def missing_of(self, table: sa.Table) -> Iterator[str]:
        name = (None, table.name)
        columns = {column["name"] for column in self.columns[name]}
        indexes = {index["name"] for index in self.indexes.get(name, ())}
        primary_key = self.keys.get(name)
        unique = [set(each["column_names"]) for each in self.unique.get(name, ())]
        references = [
            (set(each["constrained_columns"]), each["referred_table"]) for each in self.references.get(name, ())
        ]
        for column in table.c:
            if column.name not in columns:
                yield f"its column {column.name} is missing"
            elif column.unique and {column.name} not in unique:
                yield f"nothing keeps its column {column.name} unique"
            for reference in column.foreign_keys:
                if column.name in columns and ({column.name}, reference.column.table.name) not in references:
                    yield f"its column {column.name} does not refer to {reference.column.table.name}"
        for index in sorted(str(index.name) for index in table.indexes if index.name not in indexes):
            yield f"its index {index} is missing"
        held = set(primary_key["constrained_columns"]) if primary_key else set()
        # The key of a partitioned table has the column of its partitions, too.
        if not held >= set(table.primary_key.columns.keys()) & columns:
            yield "its primary key is missing"


def _is_up_to_date(database: Database) -> bool:
    revision = current(database)
    if revision not in (None, HEAD) and revision not in _known_revisions():
        raise DatabaseError(
            f"the database's schema is {revision}, which this kzfeed does not know: a newer one made it, use that"
        )
    return revision == HEAD


def _refuse_file_of_another_program(database: Database) -> None:
    """Raise DatabaseError if an SQLite file has tables, and no revision of our schema."""
    if database.dialect != "sqlite":
        return  # a PostgreSQL database may hold the tables of several programs
    with database.read() as connection:
        names = sorted(sa.inspect(connection).get_table_names())
    if names and _VERSION.name not in names:
        others = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        raise DatabaseError(
            f"{database.file} belongs to another program, because it has tables and no schema of kzfeed's "
            f"({', '.join(names[:3])}{others}): give kzfeed a file of its own"
        )


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(_migrations())).walk_revisions()}


def _migrations() -> Path:
    """The folder of the migrations: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    places = (package / "migrations", package.parent / "migrations")
    found = next((place for place in places if (place / "versions").is_dir()), None)
    if found is None:
        raise DatabaseError(f"no migrations in {places[0]}: install kzfeed again")
    return found
