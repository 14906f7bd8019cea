"""Commands about kzfeed.toml as a whole: `init` and `config check`."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kzfeed.cli.options import Session, folder_or_file
from kzfeed.cli.output import print_sentence
from kzfeed.errors import UsageError
from kzfeed.text import plural

File = Annotated[
    Path | None,
    typer.Argument(parser=folder_or_file, metavar="FILE", help="Default: that of --config, or kzfeed.toml."),
]


def init(ctx: typer.Context, file: File = None) -> None:
    """Write a commented kzfeed.toml, and say what comes next.

    Every setting has its default in it. The database is a file beside it. A file that exists is never changed.

    Example: kzfeed init
    """
    from kzfeed.config.template import template

    location = ctx.obj.config_location
    path = file or location.paths[0]
    try:
        with path.open("x", encoding="utf-8") as written:
            written.write(template(_database_url(path)))
    except FileExistsError:
        raise UsageError(
            f"{path} is there already, and stays as it is: `kzfeed config check` looks for mistakes in it"
        ) from None
    found = location.named_by != "--config" and path.resolve() in map(Path.resolve, location.paths)
    option = "" if found else f" --config {shlex.quote(str(path))}"
    print_sentence(f"{path} is written: every setting, explained, with its default.")
    print("\nWhat comes next:")
    print_sentence('  1. Set contact = "…" in it: an address at which publishers reach you.', indent=5)
    print_sentence(f"  2. kzfeed{option} sources add URL", indent=5)
    print_sentence("     adds a feed, also by the address of a web page that names it.", indent=5)
    print_sentence(f"  3. kzfeed{option} config check", indent=5)
    print_sentence("     looks for mistakes in the file.", indent=5)
    print_sentence(f"  4. kzfeed{option} poll", indent=5)
    print_sentence("     polls every source once; kzfeed run goes on polling.", indent=5)


def _database_url(path: Path) -> str:
    """The URL of a database beside the file; the default where no URL can name that place."""
    from kzfeed.config.addresses import database_url
    from kzfeed.config.settings import DatabaseSettings

    try:
        return database_url(f"sqlite:///{path.resolve().parent / 'kzfeed.db'}")
    except ValueError:
        return DatabaseSettings().url


def check(ctx: typer.Context, file: File = None) -> None:
    """Look for mistakes in the configuration, all at once.

    Files of secrets are read, neither the database nor the network is used. The exit status is 2 where kzfeed would not
    start with this configuration, and 0 otherwise: warnings are printed and counted.

    Example: kzfeed config check
    """
    from kzfeed.config.access import right_sources
    from kzfeed.config.load import ConfigErrors
    from kzfeed.config.warnings import warnings, with_line
    from kzfeed.errors import ConfigError
    from kzfeed.wiring import access_of

    session: Session = replace(ctx.obj, config=file or ctx.obj.config)
    settings = None
    try:
        settings = session.try_edited({})
        access_of(settings)
    except ConfigError as error:
        mistakes = error.mistakes if isinstance(error, ConfigErrors) else (error,)
        if settings is None and isinstance(error, ConfigErrors):
            try:
                access_of(right_sources(session.config_location))
            except ConfigErrors as more:
                mistakes += more.mistakes
        for each in mistakes:
            print_sentence(f"mistake: {with_line(each)}")
        print(f"{plural(len(mistakes), 'mistake')}: kzfeed does not start with this configuration")
        raise typer.Exit(2) from None
    found = [*(f"warning: {each}" for each in warnings(settings)), *(f"left out: {each}" for each in settings.left_out)]
    for line in found:
        print_sentence(line)
    counted = plural(len(found), "warning") if found else "no warnings"
    sources = plural(len(settings.sources), "source") if settings.names_sources else "no sources named"
    print_sentence(f"{settings.origin}: {sources}, no mistakes, {counted}")
