"""The command line: parses, calls, prints, exits: 0 all well, 1 some failed, 2 usage or configuration, 3 database."""

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kzfeed import __version__
from kzfeed.cli import output as terminal
from kzfeed.cli.options import (
    AsJson,
    Form,
    Layout,
    LogFormat,
    Migrate,
    Session,
    Since,
    SourceFrom,
    SourceName,
    Until,
    global_options_first,
)
from kzfeed.errors import DatabaseError, KzfeedError, UsageError

if TYPE_CHECKING:
    from kzfeed.model import StoredVersion
    from kzfeed.store.queries import Selection

app = typer.Typer(
    help="kzfeed keeps every article its feeds ever showed.",
    epilog="The options above may stand before or after the command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
database_commands = typer.Typer(help="The database itself: its schema, a backup.", no_args_is_help=True)
source_commands = typer.Typer(help="The configured feeds.", no_args_is_help=True)
app.add_typer(database_commands, name="db")
app.add_typer(source_commands, name="sources")


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
    quarantine: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to copy refused files.")] = None,
    as_json: AsJson = False,
    migrate: Migrate = True,
) -> None:
    """Store archive files. Running it again stores what is missing and touches nothing else."""
    from kzfeed import backfill as room
    from kzfeed import files as on_disk
    from kzfeed.poll import utc_now

    source_of = room.by_name(source) if source else room.by_host if source_from == SourceFrom.HOST else room.by_folder
    if quarantine:
        room.make_quarantine(quarantine)
    find_files = partial(on_disk.find_files, beside=quarantine)
    files = find_files(paths)
    with ctx.obj.database(migrate=migrate) as database, terminal.progress(paths, find_files) as on_batch:
        done = room.backfill(
            database, files, source_of=source_of, clock=utc_now, quarantine=quarantine, on_batch=on_batch
        )
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
    gc.disable()
    from kzfeed.poll_once import poll_once

    with ctx.obj.database(migrate=migrate) as database:
        _settle_in()
        show = None if as_json else lambda line: print(terminal.poll_line(line), flush=True)
        reports = asyncio.run(poll_once(ctx.obj.settings, database, names or [], force=force, on_report=show))
    if as_json:
        print(json.dumps([asdict(report) for report in reports], ensure_ascii=False))
    if any(report.error_kind == "database" for report in reports):
        raise typer.Exit(DatabaseError.exit_code)
    raise typer.Exit(1 if any(report.outcome == "failed" for report in reports) else 0)


@app.command()
def run(ctx: typer.Context, migrate: Migrate = True) -> None:
    """Poll what is due, for ever, until SIGTERM or SIGINT. SIGHUP reads the configuration again."""
    # One that comes too early waits until the daemon listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    gc.disable()
    from kzfeed import wiring as service

    with ctx.obj.database(migrate=migrate) as database:
        _settle_in()
        asyncio.run(service.run(ctx.obj.settings, database, load=ctx.obj.read))


def _settle_in() -> None:
    # What is there by now stays to the end: the search for garbage need not go through it again and again.
    gc.freeze()
    gc.enable()


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
    from kzfeed.store.queries import latest

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
    from kzfeed.store.queries import find

    with ctx.obj.database(migrate=False) as database:
        found = find(database, article)
    match form:
        case Form.FILE:
            sys.stdout.buffer.write(archive_file(found))
        case Form.TEXT:
            terminal.print_text(found.title, found.text)
        case Form.JSON:
            _print_json(asdict(found))


@app.command()
def diff(
    ctx: typer.Context,
    article: Annotated[str, typer.Argument(metavar="URL|HASH|ID")],
    revision: Annotated[int | None, typer.Option(help="Only the step that led to this revision.")] = None,
    older: Annotated[int | None, typer.Option("--from", help="The revision to compare from; else the first.")] = None,
    newer: Annotated[int | None, typer.Option("--to", help="The revision to compare with; else the newest.")] = None,
) -> None:
    """Show what changed between the versions of an article, step by step; or between two of them."""
    from kzfeed.article.diff import steps
    from kzfeed.store.queries import find, versions

    if revision is not None:
        if older is not None or newer is not None:
            raise UsageError("--revision is one step: give it alone, or --from and --to")
        older, newer = revision - 1, revision
    with ctx.obj.database(migrate=False) as database:
        held = versions(database, find(database, article).id)
    if older is not None or newer is not None:
        held = _two_of(held, older, newer)
    terminal.print_steps(steps(held)) if len(held) > 1 else terminal.print_single(held[0])


def _two_of(held: "Sequence[StoredVersion]", older: int | None, newer: int | None) -> "list[StoredVersion]":
    numbered = {version.revision: version for version in held}
    wanted = (min(numbered) if older is None else older, max(numbered) if newer is None else newer)
    if wanted[0] == wanted[1] or not set(wanted) <= set(numbered):
        there = ", ".join(map(str, numbered))
        raise UsageError(f"cannot compare revision {wanted[0]} with {wanted[1]}: the archive holds {there}")
    return [numbered[number] for number in wanted]


@app.command()
def stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The archive in figures."""
    from kzfeed.store.queries import statistics

    with ctx.obj.database(migrate=False) as database:
        figures = statistics(database)
    _print_json(figures) if as_json else terminal.print_figures(figures)


@app.command()
def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The source.")],
    as_json: AsJson = False,
) -> None:
    """Say why the next poll of a source is when it is, and what its last ten polls did."""
    from kzfeed.poll import explain_source, utc_now

    with ctx.obj.database(migrate=False) as database:
        told = explain_source(database, name, utc_now())
    if as_json:
        next_poll_at = told.source.next_poll_at
        _print_json({"name": name, "next_poll_at": next_poll_at, "why": told.why, "polls": told.polls})
    else:
        print("\n".join([*told.why, "", "The last polls:", *told.poll_lines] if told.polls else told.why))


@source_commands.command("list")
def list_sources(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the sources with their state, also those that only backfill knows."""
    from kzfeed.store.queries import source_health

    with ctx.obj.database(migrate=False) as database:
        health = source_health(database)
    _print_json(health) if as_json else terminal.print_sources(health)


@source_commands.command("check")
def check_source(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of a feed, configured or not.")],
    timezone: Annotated[str | None, typer.Option(help="The zone of dates that name none, else the default's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Visit a feed once and report what kzfeed would make of it. Nothing is stored."""
    from kzfeed.check import sentences as check_words
    from kzfeed.poll_once import check_feed

    report = asyncio.run(check_feed(ctx.obj.settings, url, timezone))
    _print_json(asdict(report)) if as_json else print("\n".join(check_words.lines(report)))
    raise typer.Exit(1 if report.error else 0)


@app.command()
def verify(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check the whole database against itself; exit with 1 if something is damaged. A daemon may run meanwhile."""
    from kzfeed.store.verify import verify as check

    with ctx.obj.database(migrate=False) as database:
        if as_json:
            # Written as it is found: there may be any number of findings.
            separators = chain([""], repeat(", "))
            print('{"findings": [', end="")
            checked = check(database, lambda each: print(end=next(separators) + json.dumps(asdict(each))))
            print("], " + json.dumps(asdict(checked))[1:])
        else:
            checked = check(database, terminal.findings_printer())
            terminal.print_checked(checked)
    raise typer.Exit(1 if checked.damage else 0)


# --- the database ----------------------------------------------------------------------------------------------------


@database_commands.command("upgrade")
def upgrade_database(ctx: typer.Context) -> None:
    """Bring the schema up to date."""
    from kzfeed.store import schema

    with ctx.obj.database(migrate=True) as database:
        print(f"the schema is at {schema.current(database)}")


@database_commands.command("backup")
def backup_database(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; PostgreSQL needs pg_dump.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE, once the new one is whole.")] = False,
) -> None:
    """Copy the whole database into one file, consistently, while the daemon runs."""
    from kzfeed.store.backup import backup
    from kzfeed.store.engine import Database

    # Of any schema: the time for a backup is before an upgrade.
    database = Database(ctx.obj.settings.database.url, create=False)
    try:
        size = backup(database, file, overwrite=overwrite)
    finally:
        database.close()
    print(f"{file}: {size:,} bytes")


@database_commands.command("current")
def current_revision(ctx: typer.Context) -> None:
    """Say which schema the database has, and which one this kzfeed needs."""
    from kzfeed.store import schema
    from kzfeed.store.engine import Database

    database = Database(ctx.obj.settings.database.url, create=False)
    print(f"the schema is at {schema.current(database) or 'nothing yet'}, this kzfeed needs {schema.HEAD}")
    database.close()


def _selection(source: str | None, since: datetime | None, until: datetime | None) -> "Selection":
    from kzfeed.store.queries import Selection

    return Selection(source, since and since.replace(tzinfo=UTC), until and until.replace(tzinfo=UTC))


def _print_json(value: Any) -> None:
    def plain(other: object) -> str:
        if isinstance(other, datetime):
            return other.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raise TypeError(f"no JSON for {type(other).__name__}")

    print(json.dumps(value, ensure_ascii=False, default=plain))
