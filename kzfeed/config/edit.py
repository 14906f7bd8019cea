"""Edits of the sources in the configuration's files: checked before they are written, and all or nothing in each file.

The functions that begin with `with_` are pure: they give the new contents of files.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import tomli

from kzfeed.config import addresses, toml_text
from kzfeed.config.files import ConfigFiles, Location, SourcePlace, read_files
from kzfeed.config.settings import Settings
from kzfeed.config.source_lists import ListedSource, names_for
from kzfeed.errors import ConfigError, UsageError
from kzfeed.files.atomic_file import atomic_file
from kzfeed.source_names import unknown_source

Contents = Mapping[Path, bytes]
"""The new contents of files."""
Result = TypeVar("Result")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Added:
    """The result of adding sources: those that were added, by name, and those whose address is there already.

    The latter stand beside the name of the source that has the address.
    """

    added: dict[str, ListedSource]
    present: list[tuple[str, ListedSource]]


def edit(
    where: Location,
    change: Callable[[ConfigFiles, Settings], tuple[Contents, Result]],
    load: Callable[[Contents], Settings],
) -> Result:
    """Change the files, and return what `change` says beside their new contents.

    `load` reads the settings as they are with new contents of files, and raises ConfigError where these are wrong: then
    nothing is written. Two edits at once come one after the other. Raises UsageError, OSError, and ConfigError where
    the files are wrong already.
    """
    with _lock(where):
        settings = load({})
        if settings.sources_variable:
            raise UsageError("KZFEED_SOURCES holds the sources, in the place of those in files: unset it first")
        files = read_files(where)
        contents, result = change(files, settings)
        try:
            load(contents)
        except ConfigError as error:
            raise UsageError(f"nothing is changed, the configuration would be wrong:\n{error}") from None
        for path, content in contents.items():
            if content != files.contents.get(path):
                _write(path, files.contents.get(path), content)
    return result


# --- changes ---------------------------------------------------------------------------------------------------------


def with_added(files: ConfigFiles, listed: Sequence[ListedSource], main: Path) -> tuple[Contents, Added]:
    """Add sources to kzfeed.toml, except those whose address is there already, also where the list itself has it twice.

    `main` is the file if there is none.
    """
    tables = files.document.get("sources", [])
    by_address: dict[object, str] = {addresses.address(table["url"]): table["name"] for table in tables}
    new, others = new_and_present(listed, by_address)
    names = names_for(list(new.values()), [table["name"] for table in tables])
    by_address |= zip(new, names, strict=True)
    added = dict(zip(names, new.values(), strict=True))
    present = [(by_address[address], source) for address, source in others]
    rows = [source.table(name) for name, source in added.items()]
    contents: dict[Path, bytes] = {}
    if rows:
        path = files.main or main
        contents[path] = _edited(
            files, path, lambda text: toml_text.with_sources(text, rows), lambda sources: sources + rows
        )
    return contents, Added(added, present)


def new_and_present(
    listed: Sequence[ListedSource], known: Collection[object]
) -> tuple[dict[object, ListedSource], list[tuple[object, ListedSource]]]:
    """The sources that are new, by address, and the others, each with the address that is known or was listed before.

    A source that leads to such an address is the same feed.
    """
    new: dict[object, ListedSource] = {}
    present: list[tuple[object, ListedSource]] = []
    for source in listed:
        places = [addresses.address(url) for url in (source.url, source.leads_to) if url]
        same = next((place for place in places if place in known or place in new), None)
        if same is None:
            new[places[0]] = source
        else:
            present.append((same, source))
    return new, present


def with_changes(files: ConfigFiles, changes: Mapping[str, Mapping[str, Any]]) -> tuple[Contents, dict[str, Path]]:
    """Change settings of sources, by the sources' names; None takes a setting away. The files of the sources, too.

    Raises UsageError.
    """
    contents: dict[Path, bytes] = {}
    places = _places(files, changes)
    for path, numbers in _by_file(places).items():
        of_file = {number: changes[name] for number, name in numbers.items()}

        def changed(sources: list[Any], of_file: Mapping[int, Mapping[str, Any]] = of_file) -> list[Any]:
            merged = [{**source, **of_file.get(number, {})} for number, source in enumerate(sources)]
            return [{key: value for key, value in source.items() if value is not None} for source in merged]

        contents[path] = _edited(files, path, partial(toml_text.with_changes, changes=of_file), changed)
    return contents, {name: place.file for name, place in places.items()}


def without(files: ConfigFiles, names: Sequence[str]) -> tuple[Contents, dict[str, Path]]:
    """Remove sources. The files that they were in, too. Raises UsageError."""
    contents: dict[Path, bytes] = {}
    places = _places(files, names)
    for path, numbers in _by_file(places).items():

        def left(sources: list[Any], numbers: Collection[int] = numbers) -> list[Any]:
            return [source for number, source in enumerate(sources) if number not in numbers]

        contents[path] = _edited(files, path, partial(toml_text.without_sources, numbers=numbers), left)
    return contents, {name: place.file for name, place in places.items()}


def _places(files: ConfigFiles, names: Iterable[str]) -> dict[str, SourcePlace]:
    """Where the sources stand. Raises UsageError for a name that no source has, and for a source in an OPML file."""
    tables = files.document.get("sources", [])
    known = {table["name"]: place for table, place in zip(tables, files.places, strict=True)}
    places: dict[str, SourcePlace] = {}
    for name in names:
        if name not in known:
            raise unknown_source(name, known, f"is configured in {files.main or 'any file'}")
        place = known[name]
        if place.line is not None:
            raise UsageError(
                f"the source {name!r} is in line {place.line} of {place.file}: kzfeed reads OPML files and does not "
                "change them, so change it there, or in the program that writes the file"
            )
        places[name] = place
    return places


def _by_file(places: Mapping[str, SourcePlace]) -> dict[Path, dict[int, str]]:
    found: dict[Path, dict[int, str]] = {}
    for name, place in places.items():
        found.setdefault(place.file, {})[place.number] = name
    return found


def _edited(
    files: ConfigFiles,
    path: Path,
    edit_text: Callable[[str], str],
    edit_sources: Callable[[list[Any]], list[Any]],
) -> bytes:
    """The file's new contents. Raises UsageError where the edit would change anything else in the file."""
    text = files.contents.get(path, b"").decode()
    bom = _BOM if text.startswith(_BOM) else ""
    before = tomli.loads(text := text.removeprefix(bom))
    after = edit_text(text)
    expected = {**before, "sources": edit_sources(before.get("sources", []))}
    try:
        is_right = tomli.loads(after) == expected
    except ValueError:
        is_right = False
    if not is_right:
        raise UsageError(f"{path} is written in a way that kzfeed cannot edit: change it by hand")
    return (bom + after).encode()


# --- writing ---------------------------------------------------------------------------------------------------------


@contextmanager
def _lock(where: Location) -> Iterator[None]:
    """The only edit of these files at a time: a lock on the folder, because the files themselves are replaced."""
    folder = next((path for path in where.paths if path.exists()), where.paths[0]).parent
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, before: bytes | None, after: bytes) -> None:
    """Replace the file, which keeps its mode and its owner, unless it is no longer what it was before."""
    target = path.resolve()  # a symbolic link stays one
    with atomic_file(target, mode=0o666 if before is None else 0o600) as temporary:
        temporary.write_bytes(after)
        if before is not None:
            found, made = target.stat(), temporary.stat()
            if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
                os.chown(temporary, found.st_uid, found.st_gid)
            temporary.chmod(stat.S_IMODE(found.st_mode))
        if before != (target.read_bytes() if target.exists() else None):
            raise UsageError(f"{path} was changed by another program at the same time: try again")
