"""Options that several commands share, and the Session that gives a command its settings and its database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from kzfeed.errors import UsageError
from kzfeed.instants import typed_instant

if TYPE_CHECKING:
    from kzfeed.config.files import Location
    from kzfeed.config.settings import Settings
    from kzfeed.config.watch import ConfigWatch
    from kzfeed.store.engine import Database
    from kzfeed.store.queries.article_queries import Selection

GLOBAL_OPTIONS = ("--config", "--database", "--log-format")


class LogFormat(StrEnum):
    """The format of log lines; auto is console on a terminal and json elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class SourceFrom(StrEnum):
    """What names the source of a backfilled article."""

    HOST = "host"
    FOLDER = "folder"


class ShowFormat(StrEnum):
    """The format in which `show` prints an article."""

    FILE = "file"
    TEXT = "text"
    JSON = "json"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on standard output.")]
Migrate = Annotated[bool, typer.Option("--migrate/--no-migrate", help="Bring the database's schema up to date first.")]


def configured_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of sources in the configuration's files that begin with this text, for completion in a shell."""
    from kzfeed.config.files import read_files
    from kzfeed.config.load import config_location
    from kzfeed.errors import ConfigError

    try:
        tables = read_files(config_location(ctx.find_root().params.get("config"))).document.get("sources", [])
    except ConfigError:
        return []  # a message would stand in the middle of the line that is being typed
    names = [each.get("name") for each in tables if isinstance(each, dict)] if isinstance(tables, list) else []
    return [name for name in names if isinstance(name, str) and name.startswith(incomplete)]


SourceName = Annotated[
    str | None,
    typer.Option("--source", help="Only articles that this source showed first.", autocompletion=configured_names),
]


def instant(text: str) -> datetime:
    """The instant that an option names (see `typed_instant`)."""
    try:
        return typed_instant(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


INSTANT = {"parser": instant, "metavar": "TIME"}
"""The arguments of typer.Option for a time."""
Since = Annotated[datetime | None, typer.Option(help="Only articles published at this time (UTC) or later.", **INSTANT)]
Until = Annotated[datetime | None, typer.Option(help="Only articles published before this time (UTC).", **INSTANT)]


def folder_or_file(text: str) -> Path:
    """A path on the command line. An empty one is refused: it would mean the working directory."""
    if not text:
        raise UsageError("an empty path: give the name of a file or folder (the working directory is .)")
    return Path(text)


@dataclass(frozen=True)
class Session:
    """The global options. Settings are read when a command first asks for them."""

    config: Path | None
    database_url: str | None
    log_format: LogFormat | None
    without_poll_log: bool = False
    """Whether log lines about single polls are left out, because the command prints each poll itself."""

    @cached_property
    def settings(self) -> "Settings":
        """The settings at the start of the command."""
        return self.read()

    @property
    def config_location(self) -> "Location":
        """Where this command finds kzfeed.toml."""
        from kzfeed.config.load import config_location

        return config_location(self.config)

    def config_watch(self) -> "ConfigWatch":
        """The files of the configuration as they are now, to be asked later whether they have changed."""
        from kzfeed.config.watch import ConfigWatch

        return ConfigWatch(self.config_location)

    def try_edited(self, edited: Mapping[Path, bytes]) -> "Settings":
        """The settings as they would be if files of the configuration had these contents. Raises ConfigError."""
        from kzfeed.config.load import load

        return load(self.config, database=self.database_url, edited=edited)

    def read(self) -> "Settings":
        """Read the settings now, and configure logging by them."""
        import structlog

        from kzfeed.cli import log

        settings = self.try_edited({})
        log.configure(
            format=self.log_format.value if self.log_format else settings.log.format,
            level=settings.log.level,
            left_out=("poll", "page") if self.without_poll_log else (),
        )
        if settings.ignored_variables:
            structlog.get_logger().debug("variables of Kubernetes ignored", variables=settings.ignored_variables)
        return settings

    @contextmanager
    def database(self, *, migrate: bool) -> Iterator["Database"]:
        """The database with the current schema.

        With `migrate` it is made or upgraded; otherwise DatabaseError is raised where it is missing or older.
        """
        from kzfeed.store import schema

        with self._database(create=migrate) as database:
            if migrate:
                schema.upgrade(database, on_begin=_log_upgrade)
            else:
                schema.require_current(database)
            yield database

    @contextmanager
    def database_of_any_schema(self) -> Iterator["Database"]:
        """The database, which must exist, whatever its schema."""
        with self._database(create=False) as database:
            yield database

    def selection(
        self, database: "Database", source: str | None, since: datetime | None, until: datetime | None
    ) -> "Selection":
        """The articles that --source, --since and --until select. Raises UsageError where there is no such source."""
        from kzfeed.search.query import check_sources
        from kzfeed.source_names import not_polled_yet
        from kzfeed.store.queries.article_queries import Selection
        from kzfeed.store.queries.source_list import source_names

        if source is not None and source not in (known := source_names(database)):
            configured = {each.name for each in self.settings.sources}
            if source in configured:
                raise not_polled_yet(source)
            check_sources((source,), {*known, *configured})
        return Selection(source, since, until)

    def write_archive_folder(self, database: "Database") -> None:
        """Bring the archive folder up to date, if the configuration names one. A failure is a warning in the log."""
        if self.settings.archive.directory is not None:
            from kzfeed.sync.configured import archive_folder

            archive = archive_folder(self.settings, database)
            if archive:
                archive.write(wait=True)

    @contextmanager
    def _database(self, *, create: bool) -> Iterator["Database"]:
        from kzfeed.store.engine import Database

        database = Database(self.settings.database.url if create else self._url_to_read(), create=create)
        try:
            yield database
        finally:
            database.close()

    def _url_to_read(self) -> str:
        """The URL of the database for a command that may need nothing else of the configuration.

        A mistake elsewhere in it is a warning then: the daemon works on, too. Raises ConfigError where the URL is
        not known.
        """
        from kzfeed.errors import ConfigError

        try:
            return self.settings.database.url
        except ConfigError as error:
            import structlog

            from kzfeed.cli import log
            from kzfeed.config.load import database_url

            url = database_url(self.config, self.database_url)
            if url is None:
                raise
            log.configure(format=self.log_format.value if self.log_format else "auto", level="info", left_out=())
            mistakes = str(error).splitlines()
            structlog.get_logger().warning(
                "mistakes in the configuration, only its database is used",
                first=mistakes[0],
                mistakes=len(mistakes),
                see="kzfeed config check",
            )
            return url


def global_options_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options moved to the front. Arguments after `--` stay where they are."""
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


def words_last(command: TyperCommand, arguments: Sequence[str], is_option: Callable[[str], bool]) -> list[str]:
    """The options of a command with their values, then `--`, then the other words, also those with hyphens in front."""
    with_value = {name for each in command.params if not getattr(each, "is_flag", True) for name in each.opts}
    options: list[str] = []
    words: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, has_value, _ = argument.partition("=")
        if argument == "--":
            words.extend(remaining)
        elif not is_option(argument):
            words.append(argument)
        else:
            options.append(argument)
            if name in with_value and not has_value:
                options.extend(islice(remaining, 1))
    return [*options, "--", *words]


def _log_upgrade(revision: str | None) -> None:
    """Say in the log that an older database is upgraded, which may take minutes."""
    import structlog

    from kzfeed.store import schema

    if revision:
        structlog.get_logger().info("upgrading the schema of the database", from_revision=revision, to=schema.HEAD)
