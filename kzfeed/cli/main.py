"""The kzfeed command: its global options, its commands, and errors as one line with an exit status.

Exit status: 0 success, 1 something failed, 2 usage or configuration, 3 the database cannot be used.
"""

import functools
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kzfeed import __version__
from kzfeed.cli import (
    articles,
    backfill,
    configuration,
    database,
    doctor,
    export,
    fleet,
    polling,
    query,
    search,
    source_edits,
    source_files,
    sources,
    stats,
    status,
    sync,
    terminal,
    web,
)
from kzfeed.cli.options import LogFormat, Session, global_options_first
from kzfeed.errors import KzfeedError
from kzfeed.text import printable_lines, redacted

app = typer.Typer(
    help="kzfeed archives feeds: it keeps every article that they ever showed.\n\nExample: kzfeed sources add https://example.org/",
    epilog="--config, --database and --log-format may also follow the command.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
source_commands = typer.Typer(
    help="List, add, change and remove sources, or try a feed.\n\nExample: kzfeed sources add https://example.org/",
    no_args_is_help=True,
)
config_commands = typer.Typer(
    help="Look for mistakes in the configuration.\n\nExample: kzfeed config check", no_args_is_help=True
)
database_commands = typer.Typer(
    help="Upgrade, back up or rescue the database, or share it.\n\nExample: kzfeed db backup FILE", no_args_is_help=True
)
fleet_commands = typer.Typer(
    help="Show the state of a fleet of daemons.\n\nExample: kzfeed fleet status", no_args_is_help=True
)
app.command()(configuration.init)
app.command()(backfill.backfill)
app.command()(polling.poll)
app.command()(polling.run)
app.command()(export.export)
app.command()(sync.sync)
app.command("list")(articles.list_articles)
app.command()(articles.show)
app.command()(articles.diff)
app.command(cls=search.SearchCommand)(search.search)
app.command()(stats.stats)
app.command()(status.status)
app.command(cls=query.QueryCommand)(query.query)
app.command()(web.web)
app.command()(sources.explain)
app.command()(database.verify)
app.command()(doctor.doctor)
app.add_typer(config_commands, name="config")
config_commands.command()(configuration.check)
app.add_typer(database_commands, name="db")
database_commands.command()(database.upgrade)
database_commands.command()(database.backup)
database_commands.command()(database.current)
database_commands.command()(database.rescue)
database_commands.command()(database.recount)
database_commands.command()(database.grant)
database_commands.command()(database.revoke)
app.add_typer(fleet_commands, name="fleet")
fleet_commands.command()(fleet.status)
app.add_typer(source_commands, name="sources")
source_commands.command("list")(sources.list_sources)
source_commands.command()(sources.check)
source_commands.command()(source_edits.add)
source_commands.command()(source_edits.remove)
source_commands.command()(source_edits.enable)
source_commands.command()(source_edits.disable)
source_commands.command("set")(source_edits.set_source)
source_commands.command("import")(source_files.import_sources)
source_commands.command("export")(source_files.export_sources)


@functools.cache
def command() -> Any:
    """The command with all its subcommands, made of the functions above at the first call."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command of `sys.argv`, and exit."""
    try:
        try:
            command()(args=global_options_first(sys.argv[1:]), prog_name="kzfeed")
        finally:
            sys.stdout.flush()
    except KzfeedError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        _exit_after_broken_pipe()
    except OSError as error:
        _fail(_os_error(error), 1)
    except SystemExit as exit_:
        # typer turns a broken pipe into exit status 1.
        if isinstance(exit_.__context__, BrokenPipeError):
            _exit_after_broken_pipe()
        raise


def _exit_after_broken_pipe() -> None:
    # The reader has read enough (`kzfeed list | head -1`). Python must not try to write the rest when it exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(0)


def _fail(message: str, exit_status: int) -> None:
    columns = terminal.width(sys.stderr)
    for line in f"kzfeed: {printable_lines(redacted(message))}".split("\n"):
        print(line if columns is None else terminal.wrapped(line, columns), file=sys.stderr)
    sys.exit(exit_status)


def _os_error(error: OSError) -> str:
    """The system's error as `FILE: reason`."""
    reason = error.strerror or str(error)
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name]
    return ": ".join([" to ".join(names), reason]) if names else reason


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"kzfeed {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration file (KZFEED_CONFIG).")] = None,
    database: Annotated[str | None, typer.Option(help="The database's URL (KZFEED_DATABASE_URL).")] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="The format of log lines (KZFEED_LOG_FORMAT).")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    ctx.obj = Session(config, database, log_format)
