"""The command line: parses, calls, prints, exits: 0 all well, 1 some failed, 2 usage or configuration, 3 database."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kzfeed import __version__, terminal
from kzfeed.errors import DatabaseError, KzfeedError

if TYPE_CHECKING:
    from kzfeed.config import Settings
    from kzfeed.store.engine import Database
    from kzfeed.store.reading import Selection

app = typer.Typer(
    help="kzfeed keeps every article its feeds ever showed.",
    epilog="The options above may stand before or after the command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
database_commands = typer.Typer(help="The database's schema.", no_args_is_help=True)
source_commands = typer.Typer(help="The configured feeds.", no_args_is_help=True)
app.add_typer(database_commands, name="db")
app.add_typer(source_commands, name="sources")

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


@dataclass(frozen=True, slots=True)
class Session:
    """What the options before the command say; the settings are read when a command asks for them."""

    config: Path | None
    database_url: str | None
    log_format: LogFormat | None

    def settings(self) -> "Settings":
        """The settings, with logging set up as they say."""
        from kzfeed import config, log

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

        database = Database(self.settings().database.url, create=migrate)
        try:
            if migrate:
                schema.upgrade(database)
            else:
                schema.require_current(database)
            yield database
        finally:
            database.close()


def main() -> None:
    """The entry point: every error of our family is one line on standard error and its exit status."""
    try:
        app(args=global_options_first(sys.argv[1:]))
    except KzfeedError as error:
        print(f"kzfeed: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`kzfeed list | head`).
        sys.stderr.close()
    except OSError as error:
        print(f"kzfeed: {error}", file=sys.stderr)
        sys.exit(1)


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


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"kzfeed {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration file (KZFEED_CONFIG).")] = None,
    database: Annotated[str | None, typer.Option(help="The database's URL (KZFEED_DATABASE_URL).")] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="How log lines look (KZFEED_LOG_FORMAT).")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    ctx.obj = Session(config, database, log_format)


# --- taking in -------------------------------------------------------------------------------------------------------


@app.command()
def backfill(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Archive files and folders of them (.txt, .md).")],
    source: Annotated[str | None, typer.Option(help="The name of the source they all belong to.")] = None,
    source_from: Annotated[SourceFrom, typer.Option(help="What names the source, without --source.")] = SourceFrom.HOST,
    as_json: AsJson = False,
    migrate: Migrate = True,
) -> None:
    """Store archive files. Running it again stores what is missing and touches nothing else."""
    from kzfeed import backfill as room
    from kzfeed.poll import utc_now

    source_of = room.by_name(source) if source else room.by_host if source_from == SourceFrom.HOST else room.by_folder
    files = room.find_files(paths)
    with ctx.obj.database(migrate=migrate) as database, terminal.progress(paths, room.find_files) as on_batch:
        done = room.backfill(database, files, source_of=source_of, clock=utc_now, on_batch=on_batch)
    if as_json:
        print(json.dumps({"files": done.files, **asdict(done.tally), "refused": done.refused}))
    else:
        tally = done.tally
        print(
            f"{done.files} files: {tally.new} new, {tally.revised} revised, "
            f"{tally.unchanged} unchanged, {done.refused} refused"
        )
    raise typer.Exit(1 if done.refused else 0)


@app.command()
def poll(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="The sources to poll; all without one.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also sources that are retired or asked to wait.")] = False,
    as_json: AsJson = False,
    migrate: Migrate = True,
) -> None:
    """Poll sources once, now, whatever their interval."""
    from kzfeed import service

    settings = ctx.obj.settings()
    with ctx.obj.database(migrate=migrate) as database:
        show = None if as_json else lambda line: print(terminal.poll_line(line), flush=True)
        reports = asyncio.run(service.poll_once(settings, database, names or [], force=force, on_report=show))
    if as_json:
        print(json.dumps([asdict(report) for report in reports], ensure_ascii=False))
    if any(report.error_kind == "database" for report in reports):
        raise typer.Exit(DatabaseError.exit_code)
    raise typer.Exit(1 if any(report.outcome == "failed" for report in reports) else 0)


@app.command()
def run(ctx: typer.Context, migrate: Migrate = True) -> None:
    """Poll what is due, for ever, until SIGTERM or SIGINT."""
    from kzfeed import service

    settings = ctx.obj.settings()
    with ctx.obj.database(migrate=migrate) as database:
        asyncio.run(service.run(settings, database))


# --- giving out ------------------------------------------------------------------------------------------------------


@app.command()
def export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if need be.")],
    layout: Annotated[
        Layout, typer.Option(help="SOURCE/YYYY/MM/HASH.txt, or NNN_HASH.txt in one folder.")
    ] = Layout.TREE,
    source: SourceName = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write articles as archive files."""
    from kzfeed.export import export as write

    with ctx.obj.database(migrate=False) as database:
        done = write(database, folder, layout=layout.value, selection=_selection(source, since, until))
    print(f"{folder}: {done.written} files written, {done.unchanged} there already")


@app.command("list")
def list_articles(
    ctx: typer.Context,
    source: SourceName = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List articles, the newest first."""
    from kzfeed.store.reading import latest

    with ctx.obj.database(migrate=False) as database:
        articles = latest(database, _selection(source, since, until), limit)
    _print_json(articles) if as_json else terminal.print_articles(articles)


@app.command()
def show(
    ctx: typer.Context,
    article: Annotated[str, typer.Argument(metavar="URL|HASH|ID")],
    form: Annotated[
        Form, typer.Option("--format", help="The archive file, its plain text, or all columns.")
    ] = Form.FILE,
) -> None:
    """Show one article."""
    from kzfeed.export import archive_file
    from kzfeed.store.reading import find

    with ctx.obj.database(migrate=False) as database:
        found = find(database, article)
    match form:
        case Form.FILE:
            sys.stdout.buffer.write(archive_file(found))
        case Form.TEXT:
            print(f"{found.title}\n\n{found.text}")
        case Form.JSON:
            _print_json(asdict(found))


@app.command()
def stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The archive in figures."""
    from kzfeed.store.reading import statistics

    with ctx.obj.database(migrate=False) as database:
        figures = statistics(database)
    _print_json(figures) if as_json else terminal.print_figures(figures)


@source_commands.command("list")
def list_sources(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the sources with their state, also those that only backfill knows."""
    from kzfeed.store.reading import source_health

    with ctx.obj.database(migrate=False) as database:
        health = source_health(database)
    _print_json(health) if as_json else terminal.print_sources(health)


# --- the schema ------------------------------------------------------------------------------------------------------


@database_commands.command("upgrade")
def upgrade_database(ctx: typer.Context) -> None:
    """Bring the schema up to date."""
    from kzfeed.store import schema

    with ctx.obj.database(migrate=True) as database:
        print(f"the schema is at {schema.current(database)}")


@database_commands.command("current")
def current_revision(ctx: typer.Context) -> None:
    """Say which schema the database has, and which one this kzfeed needs."""
    from kzfeed.store import schema
    from kzfeed.store.engine import Database

    database = Database(ctx.obj.settings().database.url, create=False)
    print(f"the schema is at {schema.current(database) or 'nothing yet'}, this kzfeed needs {schema.head()}")
    database.close()


def _selection(source: str | None, since: datetime | None, until: datetime | None) -> "Selection":
    from kzfeed.store.reading import Selection

    return Selection(source, since and since.replace(tzinfo=UTC), until and until.replace(tzinfo=UTC))


def _print_json(value: Any) -> None:
    def plain(other: object) -> str:
        if isinstance(other, datetime):
            return other.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raise TypeError(f"no JSON for {type(other).__name__}")

    print(json.dumps(value, ensure_ascii=False, default=plain))
