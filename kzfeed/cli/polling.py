"""Commands that visit the configured sources: `run` and `poll`."""

import asyncio
import contextlib
import gc
import signal
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.cli.options import AsJson, Migrate, Session, configured_names
from kzfeed.cli.output import page_line, page_summary, poll_summary, print_json, print_sentence, report_line
from kzfeed.errors import DatabaseError

if TYPE_CHECKING:
    from kzfeed.cli.progress import Advance
    from kzfeed.config.settings import Settings
    from kzfeed.model.pages import DuePage, PageRecord
    from kzfeed.poll_once import PollReport


def poll(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="The sources to poll. Default: all.", autocompletion=configured_names),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also poll sources that are gone or whose server asked to wait.")
    ] = False,
    as_json: AsJson = False,
    migrate: Migrate = True,
) -> None:
    """Poll sources once, now, whatever their interval.

    The exit status is 1 where a source fails. The others are stored all the same.

    Example: kzfeed poll voa bbc
    """
    gc.disable()
    from kzfeed.cli.progress import progress_bar
    from kzfeed.poll_once import poll_once

    session = replace(ctx.obj, without_poll_log=not as_json)
    with session.database(migrate=migrate) as database:
        _exempt_startup_objects_from_garbage_collection()
        with contextlib.nullcontext() if as_json else progress_bar("poll", "source") as advance:
            printer = _Printer(advance) if advance else None
            on_page = printer.print_page if printer else _print_nothing
            polling = poll_once(
                session.settings, database, names or [], force=force, on_report=printer, on_page=on_page
            )
            reports = asyncio.run(polling)
        session.write_archive_folder(database)
    if as_json:
        print_json([asdict(report) for report in reports])
    else:
        print_sentence(poll_summary(reports))
        if pages := page_summary(reports):
            print_sentence(pages)
    if any(report.error_kind == "database" for report in reports):
        raise typer.Exit(DatabaseError.exit_code)
    raise typer.Exit(1 if any(report.outcome == "failed" for report in reports) else 0)


class _Printer:
    """Prints each poll and each page as it ends. A closed pipe ends the printing and not the polls."""

    def __init__(self, advance: "Advance") -> None:
        self._advance = advance
        self._done = 0
        self._is_open = True

    def __call__(self, report: "PollReport", total: int) -> None:
        self._done += 1
        self._advance(self._done, total)
        self._print(report_line(report))

    def print_page(self, page: "DuePage", record: "PageRecord") -> None:
        """Print what became of a page."""
        self._print(page_line(page, record))

    def _print(self, line: str) -> None:
        if self._is_open:
            try:
                print_sentence(line)
            except BrokenPipeError:
                self._is_open = False


def _print_nothing(_page: "DuePage", _record: "PageRecord") -> None:
    """With --json, the reports say what became of pages."""


def run(ctx: typer.Context, migrate: Migrate = True) -> None:
    """Run the daemon: poll what is due until SIGTERM or SIGINT.

    When a file of the configuration changes, or on SIGHUP, the daemon reads the configuration again.

    Example: kzfeed --log-format json run
    """
    # A SIGHUP before the daemon handles it must wait, not kill.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    gc.disable()
    from kzfeed.config.load import notify_socket
    from kzfeed.daemon.run import ConfigReader, run_daemon
    from kzfeed.daemon.service_manager import ServiceManager

    session: Session = ctx.obj
    watch = session.config_watch()

    def load() -> "Settings":
        watch.note_reading()
        return session.read()

    settings, service_manager = session.settings, ServiceManager(notify_socket())
    service_manager.status("opening the database, and upgrading its schema if need be")
    with session.database(migrate=migrate) as database:
        _exempt_startup_objects_from_garbage_collection()
        asyncio.run(run_daemon(settings, database, ConfigReader(load, watch.has_changed), service_manager))


def _exempt_startup_objects_from_garbage_collection() -> None:
    # Imported modules live to the end of the process: collections need not visit them again and again.
    gc.freeze()
    gc.enable()
