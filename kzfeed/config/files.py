"""The files of the configuration: kzfeed.toml, and the lists of sources that its `include` names."""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import tomli

from kzfeed.config import values
from kzfeed.config.source_lists import ListedSource, names_for
from kzfeed.errors import ConfigError

SYSTEM_FILE: Final = Path("/etc/kzfeed/kzfeed.toml")
FILE_VARIABLE: Final = "KZFEED_CONFIG"
_NOTHING: Final[Mapping[Path, bytes]] = {}
_SOME_FILES: Final = 'a list of files such as ["sources.d/*.toml", "feeds.opml"]'


class ConfigFileError(ConfigError):
    """A configuration file that is missing, cannot be read, or is not in its format."""

    def __init__(self, origin: str, problem: str) -> None:
        super().__init__("", value=None, expected="a file of the configuration", origin=origin)
        self.args = (f"{origin}: {problem}",)


@dataclass(frozen=True, slots=True)
class Location:
    """Where kzfeed.toml may be: the paths in their order, and what named the path, if something did."""

    paths: tuple[Path, ...]
    named_by: str | None = None


def location(argument: Path | None, environ: Mapping[str, str], cwd: Path) -> Location:
    """The file is `argument`, else KZFEED_CONFIG, else kzfeed.toml in `cwd`, else /etc/kzfeed/kzfeed.toml."""
    if argument is not None:
        return Location((cwd / argument,), "--config")
    if variable := environ.get(FILE_VARIABLE):
        return Location((cwd / variable,), FILE_VARIABLE)
    return Location((cwd / "kzfeed.toml", SYSTEM_FILE))


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where a source stands: its file, and its number there, counted from 0. Outlines of OPML have a line."""

    file: Path
    number: int
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """What the files say.

    `document` is that of kzfeed.toml, with the sources of all files and without `include`; `places` are those of the
    sources. `left_out` are sentences about outlines of included OPML files that are no sources.
    """

    main: Path | None
    document: dict[str, Any]
    places: tuple[SourcePlace, ...] = ()
    contents: Mapping[Path, bytes] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_files(where: Location, edited: Mapping[Path, bytes] = _NOTHING) -> ConfigFiles:
    """Read the files; `edited` holds what some of them are to become. Raises ConfigError."""
    main, content = _read_main(where, edited)
    if main is None:
        return ConfigFiles(None, {})
    document = _parsed(main, content)
    reader = _Reader(main, content)
    if isinstance(sources := document.get("sources"), list):
        reader.add_tables(main, sources)
    included = include_patterns(document.pop("include", []), main)
    paths = list(_included(main, included))
    if paths and not isinstance(document.get("sources", []), list):
        return ConfigFiles(main, document)  # validation refuses its sources
    for path in paths:
        reader.add_file(path, edited)
    if paths or isinstance(sources, list):
        document["sources"] = reader.sources()
    return ConfigFiles(main, document, tuple(reader.places), reader.contents, tuple(reader.left_out))


def main_document(where: Location) -> dict[str, Any]:
    """What kzfeed.toml says, without the files that it includes; empty if there is none. Raises ConfigFileError."""
    main, content = _read_main(where, _NOTHING)
    return _parsed(main, content) if main else {}


def include_patterns(value: object, main: Path) -> Sequence[str]:
    """The patterns that `include` of this file has. Raises ConfigError."""
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ConfigError("include", value=values.shown(value), expected=_SOME_FILES, origin=str(main))
    return value


def matches(main: Path, pattern: str) -> list[Path]:
    """The files that the pattern names, in the order of their names; a relative one starts at the folder of `main`."""
    found = glob.glob(pattern, root_dir=main.parent, recursive=True)  # noqa: PTH207 - Path.glob takes hidden files too
    return [main.parent / name for name in sorted(found)]


def _included(main: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """The included files, each once. Raises ConfigFileError for a file or a folder that is named and missing."""
    seen = {main.resolve()}
    for pattern in patterns:
        _check_named(main, pattern)
        for path in matches(main, pattern):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _check_named(main: Path, pattern: str) -> None:
    """Raise ConfigFileError where what stands before the first wildcard is missing or cannot be read.

    A folder that is not mounted must not seem to be an empty one, and its sources removed ones.
    """
    named = list(takewhile(lambda part: not set("*?[") & set(part), Path(pattern).parts))
    path = main.parent.joinpath(*named)
    kind = "file" if len(named) == len(Path(pattern).parts) else "folder"
    try:
        if kind == "folder":
            os.scandir(path).close()
        else:
            path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigFileError(str(path), f"no such {kind} (included by {main})") from None
    except OSError as error:
        raise ConfigFileError(str(path), f"cannot be read: {error.strerror}") from None


class _Reader:
    """Gathers the sources of all files. Those of OPML are named last, because other names take precedence."""

    def __init__(self, main: Path, content: bytes) -> None:
        self.contents = {main: content}
        self.places: list[SourcePlace] = []
        self.left_out: list[str] = []
        self._sources: list[Any] = []
        self._unnamed: list[tuple[int, ListedSource]] = []

    def add_file(self, path: Path, edited: Mapping[Path, bytes]) -> None:
        content = self.contents[path] = _read(path, edited, f"no such file: {path}")
        if path.suffix == ".toml":
            document = _parsed(path, content)
            for key in document.keys() - {"sources"}:
                expected = "[[sources]] and nothing else in an included file"
                raise ConfigError(key, value=values.UNSEEN, expected=expected, origin=str(path))
            sources = document.get("sources", [])
            if not isinstance(sources, list):
                raise ConfigError("sources", value=values.shown(sources), expected="[[sources]]", origin=str(path))
            self.add_tables(path, sources)
        elif path.suffix in (".opml", ".xml"):
            self._add_outlines(path, content)
        else:
            raise ConfigFileError(str(path), "an included file is TOML or OPML: its name ends with .toml or .opml")

    def add_tables(self, path: Path, tables: Sequence[Any]) -> None:
        self.places += [SourcePlace(path, number) for number in range(len(tables))]
        self._sources += tables

    def sources(self) -> list[Any]:
        """The sources as tables, all with a name."""
        taken = {each["name"] for each in self._sources if isinstance(each, dict) and isinstance(each.get("name"), str)}
        names = names_for([listed for _, listed in self._unnamed], taken)
        for (number, listed), name in zip(self._unnamed, names, strict=True):
            self._sources[number] = listed.table(name)
        return self._sources

    def _add_outlines(self, path: Path, content: bytes) -> None:
        # Imported late: its XML parser takes 40 ms, and few configurations need it.
        from kzfeed.config.opml import OpmlError, read_opml

        try:
            found = read_opml(content)
        except OpmlError as error:
            raise ConfigFileError(str(path), str(error)) from None
        for number, listed in enumerate(found.sources):
            self._unnamed.append((len(self._sources), listed))
            self._sources.append(None)
            self.places.append(SourcePlace(path, number, listed.line))
        self.left_out += [f"{path}: line {each.line}: {each.reason}" for each in found.left_out]


def _read_main(where: Location, edited: Mapping[Path, bytes]) -> tuple[Path | None, bytes]:
    for path in where.paths:
        if where.named_by:
            return path, _read(path, edited, f"no such file (named by {where.named_by})")
        if path in edited or _exists(path):
            return path, _read(path, edited, "no such file")
    return None, b""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # reading it says why it cannot be reached


def _read(path: Path, edited: Mapping[Path, bytes], missing: str) -> bytes:
    if path in edited:
        return edited[path]
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigFileError(str(path), missing) from None
    except OSError as error:
        raise ConfigFileError(str(path), f"cannot be read: {error.strerror}") from None


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomli.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = f"not UTF-8 (at line {line})"
    except (ValueError, RecursionError) as error:
        problem = f"not TOML: {error}"  # the parser's words name a rule and a place, never a value
    raise ConfigFileError(str(path), problem)
