"""Commands that exchange lists of sources with other feed readers: `sources import` and `sources export`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kzfeed.cli import database_sources
from kzfeed.cli.options import AsJson, Session, folder_or_file
from kzfeed.cli.output import print_json, print_sentence
from kzfeed.cli.source_edits import edit, sources_of_database
from kzfeed.errors import UsageError
from kzfeed.text import plural, printable, without_userinfo

if TYPE_CHECKING:
    from kzfeed.config.edit import Added, Contents
    from kzfeed.config.files import ConfigFiles
    from kzfeed.config.source_lists import SourceList


def import_sources(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An OPML file, or the urls file of newsboat.")],
    as_json: AsJson = False,
) -> None:
    """Add the feeds of another reader to the sources.

    Their titles and folders come with them, and none of them is visited. A folder becomes a tag of its sources. What
    cannot be imported is named, and the exit status is 1.

    Example: kzfeed sources import feeds.opml
    """
    from kzfeed.config.edit import with_added

    session: Session = ctx.obj
    path = folder_or_file(file)
    listed = _read(path)

    def change(files: "ConfigFiles") -> "tuple[Contents, Added]":
        return with_added(files, listed.sources, session.config_location.paths[0])

    if database_sources.are_edited(session.settings):
        result = database_sources.add(session, listed.sources)
        if any(source.tags for source in result.added.values()):
            print("The sources are in the database, which has no tags: their folders are left out.", file=sys.stderr)
    else:
        result = edit(session, change)
    if as_json:
        left_out = [{"line": each.line, "reason": each.reason} for each in listed.left_out]
        print_json({"added": list(result.added), "present": [name for name, _ in result.present], "left_out": left_out})
    else:
        for each in listed.left_out:
            print(printable(f"{path}: line {each.line}: left out: {each.reason}"), file=sys.stderr)
        present, omitted = len(result.present), len(listed.left_out)
        print_sentence(f"{plural(len(result.added), 'source')} added, {present:,} there already, {omitted:,} left out")
    raise typer.Exit(1 if listed.left_out else 0)


def _read(path: Path) -> "SourceList":
    """The list in this file. Raises UsageError where there is no file, or none in a known format."""
    from kzfeed.config.newsboat import read_urls
    from kzfeed.config.opml import OpmlError, read_opml

    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return read_opml(content)
        except OpmlError as error:
            raise UsageError(f"{path}: {error}") from None
    try:
        return read_urls(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"{path}: neither OPML nor a list of URLs in UTF-8") from None


def export_sources(
    ctx: typer.Context,
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="Default: standard output.")] = None,
    opml: Annotated[bool, typer.Option("--opml", help="Write OPML 2.0. This is the default.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the sources as OPML for other readers, or as JSON.

    Passwords are left out. Tags become folders; a source with several tags is in several folders.

    Example: kzfeed sources export --opml feeds.opml
    """
    from kzfeed.config.opml import SETTINGS, write_opml
    from kzfeed.files.atomic_file import atomic_file

    if opml and as_json:
        raise UsageError("either --opml or --json")
    path = None if file is None else folder_or_file(file)
    tables = _tables(ctx.obj)
    if as_json and path is None:
        kept = ("name", "url", "title", "tags", *SETTINGS)
        print_json([{key: each[key] for key in kept if key in each} for each in tables])
        return
    if as_json:
        raise UsageError("--json goes to standard output: leave FILE out")
    text = write_opml(tables)
    if path is None:
        sys.stdout.write(text)
        return
    with atomic_file(path) as temporary:
        temporary.write_text(text, "utf-8")
    print_sentence(f"{plural(len(tables), 'source')} written to {path}")


def _tables(session: Session) -> list[dict[str, Any]]:
    """The sources as tables of kzfeed.toml without passwords: those of the configuration, else of the database."""
    settings = session.settings
    if settings.names_sources:
        tables = list(settings.source_tables)
    else:
        listed = sources_of_database(session, settings)
        tables = [source.table(source.name or "") for source in listed]
    return [table | {"url": without_userinfo(table["url"])} for table in tables]
