"""The command `backfill`: archive files and exports into the database."""

import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.cli.options import AsJson, Migrate, SourceFrom, folder_or_file
from kzfeed.cli.output import print_json
from kzfeed.text import plural

if TYPE_CHECKING:
    from kzfeed.backfill.run import Progress, SourceOf

Paths = Annotated[
    list[Path],
    typer.Argument(
        parser=folder_or_file,
        metavar="PATH…",
        help="Archive files, folders of them (.txt, .md), and exports (.jsonl, .atom, .jsonl.zst).",
    ),
]


def backfill(
    ctx: typer.Context,
    paths: Paths,
    source: Annotated[str | None, typer.Option(help="The source of all articles, except those of exports.")] = None,
    source_from: Annotated[
        SourceFrom, typer.Option(help="What names each article's source: the host of its URL, or the file's folder.")
    ] = SourceFrom.HOST,
    quarantine: Annotated[Path | None, typer.Option(metavar="DIR", help="Copy refused files into this folder.")] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow symbolic links that lead out of the folders named.")
    ] = False,
    as_json: AsJson = False,
    migrate: Migrate = True,
) -> None:
    """Store archive files, and restore exports.

    Running it again stores what is missing and changes nothing else.

    Example: kzfeed backfill articles --source-from folder
    """
    from kzfeed.backfill import file_reader
    from kzfeed.backfill import run as backfilling
    from kzfeed.backfill.stream import is_export_stream
    from kzfeed.cli.progress import progress_bar
    from kzfeed.clock import utc_now

    source_of = _source_of(source, source_from)
    if quarantine:
        backfilling.make_quarantine(quarantine)
    find_files = partial(file_reader.find_files, excluded=quarantine, follow_links=follow_links)
    files = find_files(paths)
    for listing in file_reader.lists_above(paths):
        print(
            f"{listing} is not used, because you did not name its folder: these files are known by their URLs alone",
            file=sys.stderr,
        )
    streams = [path for path in paths if is_export_stream(path)]
    noun = "article" if len(streams) == len(paths) else "file"
    total = (
        sum(1 for each in find_files(paths) if each.path.name != file_reader.EXPORT_LIST)
        if sys.stderr.isatty() and not streams  # nobody knows how many articles those hold
        else None
    )
    with ctx.obj.database(migrate=migrate) as database, progress_bar("backfill", noun) as advance:
        done = backfilling.backfill(
            database,
            files,
            source_of=source_of,
            clock=utc_now,
            quarantine=quarantine,
            on_batch=lambda progress: advance(progress.files, total),
        )
        ctx.obj.write_archive_folder(database)
    if as_json:
        print_json({"files": done.files, **asdict(done.tally), "refused": done.refused})
    else:
        _print_tally(done, noun)
    raise typer.Exit(1 if done.refused else 0)


def _source_of(source: str | None, source_from: SourceFrom) -> "SourceOf":
    from kzfeed.backfill.run import by_folder, by_host, by_name

    if source is not None:
        return by_name(source)
    return by_host if source_from == SourceFrom.HOST else by_folder


def _print_tally(done: "Progress", noun: str) -> None:
    tally = done.tally
    print(
        f"{plural(done.files, noun)}: {tally.new} new, {tally.revised} revised, "
        f"{tally.unchanged} unchanged, {done.refused} refused"
    )
