"""Bringing the schema up to date with the migrations that an installed kzfeed carries."""

from pathlib import Path

from kzfeed.errors import DatabaseError
from kzfeed.store.engine import Database


def current(database: Database) -> str | None:
    """The revision of the schema in the database; None where there is none yet."""
    from alembic.runtime.migration import MigrationContext

    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The revision that this kzfeed works with."""
    from alembic.script import ScriptDirectory

    revision = ScriptDirectory(str(_migrations())).get_current_head()
    if revision is None:
        raise DatabaseError(f"no migrations in {_migrations()}: install kzfeed again")
    return revision


def upgrade(database: Database) -> bool:
    """Bring the schema to `head()` in one transaction; True if there was something to do.

    Raises DatabaseError where the database was made by a newer kzfeed.
    """
    if _is_up_to_date(database):
        return False
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def require_current(database: Database) -> None:
    """Raise DatabaseError unless the schema is up to date."""
    if not _is_up_to_date(database):
        raise DatabaseError(
            f"the database's schema is {current(database) or 'missing'}, this kzfeed needs {head()}: "
            "run `kzfeed db upgrade`, or leave --no-migrate out"
        )


def _is_up_to_date(database: Database) -> bool:
    revision = current(database)
    if revision is not None and revision not in _known_revisions():
        raise DatabaseError(
            f"the database's schema is {revision}, which this kzfeed does not know: a newer one made it, use that"
        )
    return revision == head()


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(_migrations())).walk_revisions()}


def _migrations() -> Path:
    """In an installed package they lie inside it, in a checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
