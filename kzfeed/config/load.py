"""Reading of the settings from kzfeed.toml and KZFEED_* variables. No other package of kzfeed reads the environment.

A mistake is a ConfigError that says its key, its value, what was expected, and its file or variable. All mistakes are
reported together. No message holds the password of a URL.
"""

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from kzfeed.config import values
from kzfeed.config.files import FILE_VARIABLE, Location, location, main_document, read_files
from kzfeed.config.mistakes import SECTIONS, Mistake, contradictions, explained, may_be_secret
from kzfeed.config.proxies import proxies_of_environment
from kzfeed.config.secrets import Secret
from kzfeed.config.settings import BUILT_IN, DatabaseSettings, Provenance, Settings
from kzfeed.config.source_tables import SourceTables
from kzfeed.errors import ConfigError

# Kubernetes sets these for a service called kzfeed or kzfeed-NAME.
_OF_KUBERNETES: Final = re.compile(
    r"KZFEED_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
_VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    f"KZFEED_{name}_{key}".upper(): (name, key) for name, model in SECTIONS.items() for key in model.model_fields
} | {"KZFEED_HOSTS": ("hosts",), "KZFEED_SOURCES": ("sources",)}
_FILE_SUFFIX: Final = "_FILE"
"""The end of the name of a variable that names a file, in which the value of the setting is."""

_NO_EDITS: Final[Mapping[Path, bytes]] = {}


class ConfigErrors(ConfigError):  # noqa: N818 - it holds several
    """Several mistakes, one in each line of the message. The attributes are those of the first."""

    def __init__(self, mistakes: Sequence[ConfigError]) -> None:
        first = mistakes[0]
        super().__init__(first.key, value=first.value, expected=first.expected, origin=first.origin)
        self.mistakes = tuple(mistakes)
        self.args = ("\n".join(map(str, mistakes)),)


def colours_wanted(environ: Mapping[str, str] | None = None) -> bool:
    """Whether colours are allowed on a terminal: not where NO_COLOR is set and not empty (https://no-color.org)."""
    return not (os.environ if environ is None else environ).get("NO_COLOR")


def config_location(config: Path | None) -> Location:
    """Where this process finds kzfeed.toml, by its arguments, its environment and its working directory."""
    return location(config, os.environ, Path.cwd())


def notify_socket() -> str | None:
    """The socket of the service manager that started this process (sd_notify(3)); None if there is none."""
    return os.environ.get("NOTIFY_SOCKET") or None


def load(
    config: Path | None = None,
    *,
    database: str | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    edited: Mapping[Path, bytes] = _NO_EDITS,
) -> Settings:
    """Read the settings of this run.

    The file is `config`, else KZFEED_CONFIG, else `kzfeed.toml` in the working directory, else
    /etc/kzfeed/kzfeed.toml, else none. Its `include` names further files with sources. A value comes from `database`,
    else from the file that the variable KZFEED_SECTION_KEY_FILE names, else from KZFEED_SECTION_KEY, else from the
    configuration file, else from the defaults; KZFEED_SOURCES and KZFEED_HOSTS are JSON. An empty variable counts as
    unset. The variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, also in lower case, name the proxies where
    the file names none. `edited` holds what some files are to become.

    Raises ConfigErrors for all mistakes together, ConfigFileError where a file cannot be read.
    """
    environ = os.environ if environ is None else environ
    files = read_files(location(config, environ, Path.cwd() if cwd is None else cwd), edited)
    document = files.document
    origin = str(files.main or BUILT_IN)
    given, mistakes = _given(environ, database)
    _replace(document, given)
    leaves_sources = files.main is not None and "sources" not in document
    if leaves_sources:
        document["sources"] = []
    unknown, ignored = _other_variables(environ)
    mistakes += map(_unknown, unknown)
    try:
        proxies = proxies_of_environment(environ)
    except ConfigError as error:
        mistakes.append(error)
    try:
        settings = Settings.model_validate(document)
        invalid: list[Mistake] = []
    except ValidationError as error:
        invalid = [explained(details) for details in error.errors(include_url=False)]
    sources = SourceTables(document.get("sources"), None if ("sources",) in given else files)
    found = [*invalid, *contradictions(sources.tables, sources.holder)]
    mistakes += [_located(mistake, given, sources, origin) for mistake in found]
    if mistakes:
        raise ConfigErrors(mistakes)
    tables = tuple(document["sources"]) if "sources" in document else ()
    return settings.with_provenance(
        Provenance(
            origin=origin,
            leaves_sources=leaves_sources,
            ignored_variables=ignored,
            proxies=proxies,
            environ=environ,
            tables=tables,
            left_out=files.left_out,
            given={place: each.origin for place, each in given.items()},
            place_of=partial(sources.place_of, main=given["sources",].origin if ("sources",) in given else origin),
        )
    )


def database_url(config: Path | None, database: str | None) -> str | None:
    """The URL of the database of this run, also if the rest of the configuration has mistakes.

    None if it is in what cannot be read.
    """
    place: Final = ("database", "url")
    given, unreadable = _given(os.environ, database)
    try:
        if place in given:
            section: object = {"url": given[place].value}
        elif any(each.key.startswith("KZFEED_DATABASE_URL") for each in unreadable):
            return None
        else:
            section = main_document(config_location(config)).get("database", {})
        return DatabaseSettings.model_validate(section).url
    except (ConfigError, ValidationError):
        return None


def load_with_sources(config: Path | None, database: str | None, tables: Sequence[Mapping[str, Any]]) -> Settings:
    """The settings of this run, with the sources in these tables of kzfeed.toml. Raises ConfigErrors."""
    return load(config, database=database, environ={**os.environ, "KZFEED_SOURCES": json.dumps(tables)})


class _Given(NamedTuple):
    """A value that the command line or a variable gives, and which of them."""

    value: object
    origin: str


def _given(environ: Mapping[str, str], database: str | None) -> tuple[dict[values.Place, _Given], list[ConfigError]]:
    """The values that take the place of those in the file, and the files named by variables that cannot be read."""
    given: dict[values.Place, _Given] = {}
    mistakes: list[ConfigError] = []
    for name, place in _VARIABLES.items():
        variable, text = name, environ.get(name)
        if file := environ.get(f"{name}{_FILE_SUFFIX}"):
            variable = f"{name}{_FILE_SUFFIX}"
            try:
                text = Secret(file=file).read(Path(), environ)
            except ValueError as error:
                mistakes.append(ConfigError(variable, value=file, expected=str(error), origin="environment"))
                continue
        if text:
            given[place] = _Given(text if len(place) > 1 else _from_json(text), f"environment variable {variable}")
    if database is not None:
        given["database", "url"] = _Given(database, "--database")
    return given, mistakes


def _located(mistake: Mistake, given: Mapping[values.Place, _Given], sources: SourceTables, main: str) -> ConfigError:
    """The mistake with the name of the value, and with the variable or the file and line that it comes from."""
    place, value, expected = mistake
    name, shown = sources.called(place), values.UNSEEN if may_be_secret(place) else values.shown(value)
    variable = next((given[key].origin for key in (place[:2], place[:1]) if key in given), None)
    where, line = (variable, None) if variable else sources.where(place, main)
    return ConfigError(name, value=shown, expected=expected, origin=where, line=line)


def _replace(document: dict[str, Any], given: Mapping[values.Place, _Given]) -> None:
    for place, each in given.items():
        table: Any = document.setdefault(str(place[0]), {}) if len(place) > 1 else document
        if isinstance(table, dict):  # validation refuses anything else
            table[place[-1]] = each.value


def _other_variables(environ: Mapping[str, str]) -> tuple[list[str], tuple[str, ...]]:
    """The KZFEED_ variables that are no settings: those that nobody knows, and those of Kubernetes."""
    others = sorted(name for name, text in environ.items() if name.startswith("KZFEED_") and text)
    others = [name for name in others if name.removesuffix(_FILE_SUFFIX) not in _VARIABLES and name != FILE_VARIABLE]
    unknown = [name for name in others if not _OF_KUBERNETES.fullmatch(name)]
    return unknown, tuple(name for name in others if name not in unknown)


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # validation refuses it as it refuses any text


def _unknown(variable: str) -> ConfigError:
    near = difflib.get_close_matches(variable, [*_VARIABLES, FILE_VARIABLE], n=1, cutoff=0)[0]
    expected = f"the name of a setting (the nearest is {near})"
    return ConfigError(variable, value=values.UNSEEN, expected=expected, origin="environment")
