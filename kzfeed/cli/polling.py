"""Commands that visit the configured sources: `run` and `poll`."""

import asyncio
import gc
import signal
from dataclasses import asdict
from typing import Annotated

import typer

from kzfeed.cli.options import AsJson, Migrate
from kzfeed.cli.output import poll_line, print_json
from kzfeed.errors import DatabaseError


def poll(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="The sources to poll. Default: all.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also poll sources that are gone or whose server asked to wait.")
    ] = False,
    as_json: AsJson = False,
    migrate: Migrate = True,
) -> None:
    """Poll sources once, now, whatever their interval."""
    gc.disable()
    from kzfeed.poll_once import poll_once

    with ctx.obj.database(migrate=migrate) as database:
        _exempt_startup_objects_from_garbage_collection()
        show = None if as_json else lambda line: print(poll_line(line), flush=True)
        reports = asyncio.run(poll_once(ctx.obj.settings, database, names or [], force=force, on_report=show))
    if as_json:
        print_json([asdict(report) for report in reports])
    if any(report.error_kind == "database" for report in reports):
        raise typer.Exit(DatabaseError.exit_code)
    raise typer.Exit(1 if any(report.outcome == "failed" for report in reports) else 0)


def run(ctx: typer.Context, migrate: Migrate = True) -> None:
    """Run the daemon: poll what is due until SIGTERM or SIGINT. SIGHUP reloads the configuration."""
    # A SIGHUP before the daemon handles it must wait, not kill.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    gc.disable()
    from kzfeed import wiring

    with ctx.obj.database(migrate=migrate) as database:
        _exempt_startup_objects_from_garbage_collection()
        asyncio.run(wiring.run(ctx.obj.settings, database, load=ctx.obj.read))


def _exempt_startup_objects_from_garbage_collection() -> None:
    # Imported modules live to the end of the process: collections need not visit them again and again.
    gc.freeze()
    gc.enable()
