"""Commands that change the sources of the configuration: `sources add`, `remove`, `enable`, `disable` and `set`."""

import asyncio
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from kzfeed.cli import database_sources
from kzfeed.cli.options import AsJson, Session, configured_names
from kzfeed.cli.output import print_json, print_line, print_sentence
from kzfeed.errors import DatabaseMissing, UsageError
from kzfeed.source_names import expected_name, is_source_name
from kzfeed.text import redacted

if TYPE_CHECKING:
    from kzfeed.check.discovery import FoundFeed, NoFeed, SeveralFeeds
    from kzfeed.config.edit import Contents
    from kzfeed.config.files import ConfigFiles
    from kzfeed.config.settings import Settings
    from kzfeed.config.source_lists import ListedSource

Result = TypeVar("Result")
Names = Annotated[
    list[str], typer.Argument(metavar="NAME", help="The names of sources.", autocompletion=configured_names)
]


def edit(session: Session, change: "Callable[[ConfigFiles], tuple[Contents, Result]]") -> Result:
    """Change the sources in the configuration's files.

    Where the configuration names no sources, those of the database become its sources first: otherwise the first one
    in the file would end the polling of all others.
    """
    from kzfeed.config import edit as editing
    from kzfeed.config.files import read_files

    where = session.config_location
    adopted: list[str] = []

    def change_after_adoption(files: "ConfigFiles", settings: "Settings") -> "tuple[Contents, Result]":
        contents: Contents = {}
        if not settings.names_sources:
            contents, result = editing.with_added(files, sources_of_database(session, settings), where.paths[0])
            adopted.extend(result.added)
            files = read_files(where, contents)
        more, changed = change(files)
        return {**contents, **more}, changed

    changed = editing.edit(where, change_after_adoption, session.try_edited)
    if adopted:
        names = ", ".join(adopted)
        print(f"The configuration named no sources: those of the database are in it now ({names}).", file=sys.stderr)
    return changed


def sources_of_database(session: Session, settings: "Settings") -> "list[ListedSource]":
    """The sources that the database polls, as the configuration would name them; none where there is no database."""
    from kzfeed.config.source_lists import listed_source
    from kzfeed.store import sources

    try:
        with session.database(migrate=False) as database:
            stored = [source for source in sources.load(database) if source.status != "removed"]
    except DatabaseMissing:
        return []
    return [listed_source(source, settings.defaults.timezone) for source in stored]


# --- add -------------------------------------------------------------------------------------------------------------


def add(
    ctx: typer.Context,
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Addresses of feeds, or of pages that name them.")],
    name: Annotated[str | None, typer.Option(help="The name of the source. Default: made of the feed's title.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add feeds to the sources, after a visit to each.

    They go to kzfeed.toml, or to PostgreSQL where that has the sources.

    Where a page names several feeds, you are asked which ones you want; without a terminal they are listed, and the
    exit status is 2. A feed that cannot be read is not added, and the exit status is 1.

    Example: kzfeed sources add https://example.org/ --name example
    """
    session: Session = ctx.obj
    if name is not None and (len(urls) > 1 or not is_source_name(name)):
        raise UsageError(
            "--name is for one URL" if len(urls) > 1 else f"--name {name!r}: expected {expected_name(name)}"
        )
    found = asyncio.run(_discover(session.settings, urls, as_json=as_json))
    rows = _add(session, found, name)
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            print_sentence(_ADDED[row["outcome"]].format(**row))
            for flaw in row["flaws"]:
                print_sentence(f"  flaw: {flaw}", indent=4)
    raise typer.Exit(1 if any(row["outcome"] == "failed" for row in rows) else 0)


_ADDED = {
    "added": "added {name}: {url}",
    "present": "there already as {name}: {url}",
    "failed": "failed {url}: {error}",
}


async def _discover(settings: "Settings", urls: Sequence[str], *, as_json: bool) -> "list[FoundFeed | NoFeed]":
    """The feeds at these addresses. Somebody at a terminal chooses where a page names several."""
    from kzfeed.check.discovery import SeveralFeeds, discover, visit_feed
    from kzfeed.wiring import host_queues

    queues = host_queues(settings, visited={})
    found: list[FoundFeed | NoFeed] = []
    for url in urls:
        discovered = await discover(settings, url if "://" in url else f"https://{url}", queues)
        if isinstance(discovered, SeveralFeeds):
            found += [await visit_feed(settings, each, queues) for each in _choose(discovered, as_json=as_json)]
        else:
            found.append(discovered)
    return found


def _choose(several: "SeveralFeeds", *, as_json: bool) -> list[str]:
    """The addresses that somebody at a terminal chooses. Without a terminal, raises UsageError with the commands."""
    feeds = several.feeds
    if as_json:
        print_json({"url": redacted(several.url), "outcome": "several", "feeds": [each.url for each in feeds]})
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        # Short enough not to be wrapped: the rest of a comment in a second line would be a command.
        titles = [f"# {each.title[:30]}\n" if each.title else "" for each in feeds]
        commands = "\n".join(
            f"{title}kzfeed sources add {shlex.quote(each.url)}" for title, each in zip(titles, feeds, strict=True)
        )
        raise UsageError(f"{redacted(several.url)} names several feeds; nothing is added. Add one of them:\n{commands}")
    print_line(f"{redacted(several.url)} names these feeds:")
    for number, each in enumerate(feeds, 1):
        print_sentence(f"{number:>3}  {each.url}" + (f"  {each.title}" if each.title else ""), indent=5)
    while True:
        answer = typer.prompt("Add which? (numbers, 0 for none)", default="1")
        numbers = answer.replace(",", " ").split()
        if all(each.isdecimal() and int(each) <= len(feeds) for each in numbers):
            return [feeds[int(each) - 1].url for each in dict.fromkeys(numbers) if int(each)]


def _add(session: Session, found: "Sequence[FoundFeed | NoFeed]", name: str | None) -> list[dict[str, Any]]:
    """Add the feeds that were found; a row for each."""
    from kzfeed.check.discovery import FoundFeed
    from kzfeed.config import addresses
    from kzfeed.config import edit as editing
    from kzfeed.config.source_lists import ListedSource

    listed = [
        ListedSource(0, each.url, each.title, name=name, leads_to=each.leads_to)
        for each in found
        if isinstance(each, FoundFeed)
    ]

    def change(files: "ConfigFiles") -> "tuple[Contents, editing.Added]":
        if name in (table["name"] for table in files.document.get("sources", [])):
            raise UsageError(f"the name {name!r} is taken: choose another one")
        return editing.with_added(files, listed, session.config_location.paths[0])

    if not listed:
        added = editing.Added({}, [])
    elif database_sources.are_edited(session.settings):
        added = database_sources.add(session, listed, name)
    else:
        added = edit(session, change)
    outcomes = {
        addresses.address(source.url): (outcome, given)
        for outcome, sources in (("present", added.present), ("added", added.added.items()))
        for given, source in sources
    }
    rows: list[dict[str, Any]] = []
    for each in found:
        row: dict[str, Any] = {"url": redacted(each.url), "name": None, "title": None, "outcome": "failed"}
        if isinstance(each, FoundFeed):
            row["outcome"], row["name"] = outcomes[addresses.address(each.url)]
            rows.append(row | {"title": each.title, "error": None, "flaws": list(each.flaws)})
        else:
            rows.append(row | {"error": each.error, "flaws": []})
    return rows


# --- remove, enable, disable, set ------------------------------------------------------------------------------------


def remove(ctx: typer.Context, names: Names, as_json: AsJson = False) -> None:
    """Remove sources from the configuration. Their articles stay in the archive.

    Example: kzfeed sources remove voa
    """
    from kzfeed.config.edit import without

    files: Mapping[str, Path | None]
    if database_sources.are_edited(ctx.obj.settings):
        files = database_sources.remove(ctx.obj, names)
    else:
        files = edit(ctx.obj, lambda files: without(files, names))
    _print_changed(files, "removed {name} from {file}; its articles are kept", as_json=as_json)


def enable(ctx: typer.Context, names: Names, as_json: AsJson = False) -> None:
    """Poll sources again that were disabled.

    Example: kzfeed sources enable voa
    """
    _set(ctx.obj, names, {"enabled": None}, "enabled {name} in {file}", as_json=as_json)


def disable(ctx: typer.Context, names: Names, as_json: AsJson = False) -> None:
    """Stop polling sources, but keep them in the configuration.

    Example: kzfeed sources disable voa
    """
    _set(ctx.obj, names, {"enabled": False}, "disabled {name} in {file}; its articles are kept", as_json=as_json)


def set_source(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name of the source.", autocompletion=configured_names)
    ],
    settings: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE", help="Settings, as TOML or plain text; KEY= takes one away.")
    ],
    as_json: AsJson = False,
) -> None:
    """Change settings of a source in the configuration.

    Example: kzfeed sources set voa every=30m 'tags=["News/Asia"]' title=
    """
    from kzfeed.config.toml_values import value_from

    changes: dict[str, Any] = {}
    for each in settings:
        key, has_value, text = each.partition("=")
        if not has_value:
            raise UsageError(f"expected KEY=VALUE, found {redacted(each)!r}")
        changes[key.strip()] = value_from(text.strip()) if text.strip() else None
    if "name" in changes:
        raise UsageError("a source keeps its name, because its articles are stored under it")
    _set(ctx.obj, [name], changes, "changed {name} in {file}", as_json=as_json)


def _set(session: Session, names: Sequence[str], changes: Mapping[str, Any], said: str, *, as_json: bool) -> None:
    from kzfeed.config.edit import with_changes

    files: Mapping[str, Path | None]
    if database_sources.are_edited(session.settings):
        files = database_sources.set_values(session, names, changes)
    else:
        files = edit(session, lambda files: with_changes(files, dict.fromkeys(names, changes)))
    _print_changed(files, said, as_json=as_json)


def _print_changed(files: Mapping[str, Path | None], said: str, *, as_json: bool) -> None:
    if as_json:
        print_json([{"name": name, "file": file and str(file)} for name, file in files.items()])
    else:
        for name, file in files.items():
            print_sentence(said.format(name=name, file=file or "the database"))
