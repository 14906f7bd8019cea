"""The command `export`: articles to archive files and to other tools."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.cli.options import Since, SourceName, Until, folder_or_file
from kzfeed.errors import UsageError
from kzfeed.export.formats import STANDARD_OUTPUT, Format, Layout
from kzfeed.text import plural

if TYPE_CHECKING:
    from kzfeed.export.files import FileTree
    from kzfeed.export.run import Writer
    from kzfeed.store.engine import Database
    from kzfeed.store.queries.article_queries import Selection

Destination = Annotated[
    Path,
    typer.Argument(
        parser=folder_or_file,
        metavar="DEST",
        help="A folder for archive files, or a file: x.jsonl, x.csv, x.parquet, x.atom; .zst after it compresses. "
        "- is standard output.",
    ),
]


def export(
    ctx: typer.Context,
    destination: Destination,
    form: Annotated[
        Format | None, typer.Option("--format", help="Default: what the name of DEST asks for.", show_default=False)
    ] = None,
    layout: Annotated[
        Layout | None,
        typer.Option(help="tree (default): SOURCE/YYYY/MM/HASH.txt; flat: NNN_HASH.txt in one folder."),
    ] = None,
    query: Annotated[
        str | None, typer.Option(help="Only articles that this search finds (`kzfeed search`, docs/search.md).")
    ] = None,
    source: SourceName = None,
    since: Since = None,
    until: Until = None,
    versions: Annotated[bool, typer.Option("--versions", help="Write the older versions of articles too.")] = False,
    front_matter: Annotated[
        bool, typer.Option("--front-matter", help="Begin files with the front matter that came with them, if any.")
    ] = False,
) -> None:
    """Write articles as archive files, or for other tools.

    The formats are archive files, JSON Lines, CSV, Parquet and Atom. `backfill` restores archive files, JSON Lines and
    Atom feeds exactly.

    Example: kzfeed export voa.jsonl.zst --source voa --since 2022
    """
    from kzfeed.cli.progress import progress_bar
    from kzfeed.export.destination import format_for
    from kzfeed.export.files import FileTree
    from kzfeed.export.run import export as run
    from kzfeed.store.queries.article_queries import count

    form = format_for(destination, form)
    _check(form, layout, versions=versions, front_matter=front_matter)
    is_on_terminal = destination == STANDARD_OUTPUT and sys.stdout.isatty()
    if is_on_terminal and form != Format.JSONL:
        raise UsageError(
            f"standard output is a terminal, which texts in {form} could control: name a file, or use a pipe"
        )
    with ctx.obj.database(migrate=False) as database:
        selected = ctx.obj.selection(database, source, since, until)
        if query is not None:
            selected = _found(database, query, selected)
        total = count(database, selected)
        files = None
        if form == Format.FILES:
            files = FileTree(destination, layout or Layout.TREE, total, front_matter=front_matter)
        with nullcontext(_no_progress) if is_on_terminal else progress_bar("export", "article") as advance:
            done, unreadable = run(
                database,
                selected,
                files.writer() if files else _stream_writer(form, destination, versions=versions),
                versions=versions,
                on_article=lambda number: advance(number, total),
            )
    _print_done(destination, done, files)
    if unreadable:
        _fail_for_damage(unreadable)


def _no_progress(_done: int, _total: int | None) -> None:
    """Show nothing: the articles are on the terminal themselves."""


def _check(form: Format, layout: Layout | None, *, versions: bool, front_matter: bool) -> None:
    for option, is_given in (("--layout", layout is not None), ("--front-matter", front_matter)):
        if is_given and form != Format.FILES:
            raise UsageError(f"{option} is for archive files, not for {form}")
    if versions and form == Format.CSV:
        raise UsageError("a row of CSV has room for one version: --versions needs another format")


def _found(database: "Database", typed: str, selected: "Selection") -> "Selection":
    """The articles of the selection that a search finds."""
    from kzfeed.cli.search import bring_up_to_date
    from kzfeed.search.query import narrowed, parse
    from kzfeed.store.queries.article_queries import Selection
    from kzfeed.store.search.opening import open_index
    from kzfeed.store.search.results import every_hit_id

    query = narrowed(parse(typed), selected.source, selected.since, selected.until)
    with open_index(database) as index:
        bring_up_to_date(index)
        return Selection(ids=every_hit_id(database, index, query))


def _stream_writer(form: Format, destination: Path, *, versions: bool) -> "Writer":
    from kzfeed.clock import utc_now
    from kzfeed.export.streams import stream_writer

    return stream_writer(form, destination, sys.stdout.buffer, now=utc_now(), versions=versions)


def _print_done(destination: Path, done: int, files: "FileTree | None") -> None:
    if files:
        print(f"{destination}: {plural(files.written, 'file')} written, {files.unchanged} unchanged")
    elif destination == STANDARD_OUTPUT:
        print(f"{plural(done, 'article')} written", file=sys.stderr)
    else:
        print(f"{destination}: {plural(done, 'article')} written")


def _fail_for_damage(unreadable: tuple[int, ...]) -> None:
    from kzfeed.store.integrity.damage import ranges

    print(
        f"{plural(len(unreadable), 'article')} cannot be read, because the database is damaged "
        f"(articles.id {ranges(unreadable)}): run `kzfeed verify`, and see docs/backup.md",
        file=sys.stderr,
    )
    raise typer.Exit(1)
