"""Commands about the database as a whole: the group `db`, and `verify`."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.cli.options import AsJson, folder_or_file
from kzfeed.cli.output import FindingPrinter, print_sentence, print_verified
from kzfeed.cli.progress import progress_bar
from kzfeed.text import json_line, printable

if TYPE_CHECKING:
    from kzfeed.store.integrity.findings import Checked


def upgrade(ctx: typer.Context) -> None:
    """Bring the schema up to date.

    `run`, `poll` and `backfill` do it by themselves.

    Example: kzfeed db upgrade
    """
    from kzfeed.store import schema

    with ctx.obj.database(migrate=True) as database:
        print(f"the schema is at {schema.current(database)}")


def current(ctx: typer.Context) -> None:
    """Print the schema's revision, and the one that is needed.

    Example: kzfeed db current
    """
    from kzfeed.store import schema

    with ctx.obj.database_of_any_schema() as database:
        print(f"the schema is at {schema.current(database) or 'nothing yet'}, this kzfeed needs {schema.HEAD}")


def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write. PostgreSQL needs pg_dump.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE once the new backup is whole.")] = False,
) -> None:
    """Copy the whole database into a file. A daemon may run.

    The copy is consistent. docs/backup.md says how to restore it.

    Example: kzfeed db backup kzfeed-2026-11-30.db
    """
    from kzfeed.store.backup import backup as write_backup

    # A backup comes before an upgrade, so the schema may be an older one.
    with ctx.obj.database_of_any_schema() as database, progress_bar("backup", "page") as advance:
        size = write_backup(database, file, overwrite=overwrite, on_progress=advance)
    print(f"{file}: {size:,} bytes")


def rescue(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new database to write. It must not exist.")],
) -> None:
    """Write a new database with all that a damaged one still has.

    It is for SQLite. The exit status is 1 where something is lost.

    Example: kzfeed db rescue rescued.db
    """
    from kzfeed.store.integrity.rescue import rescue as write_rescued

    losses: list[str] = []

    def report(loss: str) -> None:
        losses.append(loss)
        print(loss, file=sys.stderr)

    with ctx.obj.database_of_any_schema() as database:
        rows = write_rescued(database, file, report)
    print_sentence(f"{file}: " + ", ".join(f"{count:,} {table}" for table, count in rows.items()))
    raise typer.Exit(1 if losses else 0)


Role = Annotated[str, typer.Argument(metavar="ROLE", help="A role of the PostgreSQL server.")]


def grant(ctx: typer.Context, role: Role) -> None:
    """Let a PostgreSQL role read the archive.

    It may read everything but the addresses of sources, also tables that later versions add.

    Example: kzfeed db grant readers
    """
    from kzfeed.store import database_roles

    with ctx.obj.database(migrate=False) as database:
        for statement in database_roles.grant(database, role):
            print(printable(statement))
    print(printable(f"{role} may read everything but the addresses of sources, which may hold secrets"))


def revoke(ctx: typer.Context, role: Role) -> None:
    """Take from a PostgreSQL role what `grant` gave it.

    Example: kzfeed db revoke readers
    """
    from kzfeed.store import database_roles

    with ctx.obj.database(migrate=False) as database:
        for statement in database_roles.revoke(database, role):
            print(printable(statement))


def recount(ctx: typer.Context) -> None:
    """Count the articles by day and source anew.

    It is for a database in which `verify` finds these counts (table day_counts) wrong and the articles are right:
    a date that another program changed is no longer found afterwards.

    Example: kzfeed db recount
    """
    from kzfeed.store import day_counts

    with ctx.obj.database(migrate=False) as database, database.write() as connection:
        day_counts.recount(connection)
    print("the articles are counted by day anew")


def _check(files: Path | None) -> "Callable[..., Checked]":
    if files is None:
        from kzfeed.store.integrity.verify import verify

        return verify
    from kzfeed.sync.comparison import compare

    return partial(compare, folder=files)


def verify(
    ctx: typer.Context,
    as_json: AsJson = False,
    files: Annotated[
        Path | None,
        typer.Option(
            "--files",
            parser=folder_or_file,
            metavar="DIR",
            help="Compare an archive folder or export with the database.",
        ),
    ] = None,
) -> None:
    """Check the whole database. A daemon may run meanwhile.

    The exit status is 1 where something is damaged. With --files it compares the files of a folder with the database
    instead.

    Example: kzfeed verify --files articles
    """
    with ctx.obj.database(migrate=False) as database:
        check = _check(files)
        if as_json:
            # Each finding is printed as it is found, because there may be a million.
            separators = chain([""], repeat(", "))
            print('{"findings": [', end="")
            checked = check(database, lambda finding: print(end=next(separators) + json_line(asdict(finding))))
            print("], " + json.dumps(asdict(checked))[1:])
        else:
            printer = FindingPrinter()
            with progress_bar("verify", "check") as advance:
                checked = check(database, printer, advance)
            printer.print_notes()
            print_verified(checked, files)
    raise typer.Exit(1 if checked.damage else 0)
