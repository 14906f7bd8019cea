"""What the commands of the command line share: the options, and the settings and the database that they lead to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kzfeed.config.settings import Settings
    from kzfeed.store.engine import Database

GLOBAL_OPTIONS = ("--config", "--database", "--log-format")


class LogFormat(StrEnum):
    """How log lines look; auto is console on a terminal, else json."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class SourceFrom(StrEnum):
    """Where the name of a backfilled article's source comes from."""

    HOST = "host"
    FOLDER = "folder"


class Layout(StrEnum):
    """How an export names its files."""

    TREE = "tree"
    FLAT = "flat"


class Form(StrEnum):
    """How an article is shown."""

    FILE = "file"
    TEXT = "text"
    JSON = "json"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on standard output.")]
Migrate = Annotated[bool, typer.Option("--migrate/--no-migrate", help="Bring the database's schema up to date first.")]
SourceName = Annotated[str | None, typer.Option("--source", help="Only articles that this source had first.")]
Since = Annotated[datetime | None, typer.Option(help="Only articles published at this time (UTC) or later.")]
Until = Annotated[datetime | None, typer.Option(help="Only articles published before this time (UTC).")]


@dataclass(frozen=True)
class Session:
    """What the options before the command say; the settings are read when a command asks for them."""

    config: Path | None
    database_url: str | None
    log_format: LogFormat | None

    @cached_property
    def settings(self) -> "Settings":
        """The settings, as they were when they were asked for first."""
        return self.read()

    def read(self) -> "Settings":
        """The settings as they are now, with logging set up as they say."""
        from kzfeed.cli import log
        from kzfeed.config import settings as config

        settings = config.load(self.config, database=self.database_url)
        log.configure(
            format=self.log_format.value if self.log_format else settings.log.format, level=settings.log.level
        )
        return settings

    @contextmanager
    def database(self, *, migrate: bool) -> Iterator["Database"]:
        """The database, its schema brought up to date, or else required to be and the database to exist."""
        from kzfeed.store import schema
        from kzfeed.store.engine import Database

        database = Database(self.settings.database.url, create=migrate)
        try:
            if migrate:
                schema.upgrade(database)
            else:
                schema.require_current(database)
            yield database
        finally:
            database.close()


def global_options_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with --config, --database and --log-format in front, wherever they stood before a `--`."""
    first: list[str] = []
    others: list[str] = []
    end = arguments.index("--") if "--" in arguments else len(arguments)
    remaining = iter(arguments[:end])
    for argument in remaining:
        name, has_value, _ = argument.partition("=")
        if name not in GLOBAL_OPTIONS:
            others.append(argument)
        else:
            first.append(argument)
            if not has_value:
                first.extend(value for value in [next(remaining, None)] if value is not None)
    return [*first, *others, *arguments[end:]]
