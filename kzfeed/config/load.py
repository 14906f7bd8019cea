"""Reading of the settings from kzfeed.toml and KZFEED_* variables. No other package of kzfeed reads the environment.

A mistake is a ConfigError that says its key, its value, what was expected, and its file or variable. All mistakes are
reported together. No message holds the password of a URL.
"""

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import tomli
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kzfeed.config import values
from kzfeed.config.filters import FilterRuleSettings
from kzfeed.config.proxies import proxies_of_environment
from kzfeed.config.settings import BUILT_IN, HostSettings, Reading, Settings, SourceSettings
from kzfeed.errors import ConfigError
from kzfeed.source_names import is_source_name

SYSTEM_FILE: Final = Path("/etc/kzfeed/kzfeed.toml")
_FILE_VARIABLE: Final = "KZFEED_CONFIG"
# Kubernetes sets these for a service called kzfeed or kzfeed-NAME.
_OF_KUBERNETES: Final = re.compile(
    r"KZFEED_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    name: type(field.default) for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)
}
_VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    f"KZFEED_{name}_{key}".upper(): (name, key) for name, model in _SECTIONS.items() for key in model.model_fields
} | {"KZFEED_HOSTS": ("hosts",), "KZFEED_SOURCES": ("sources",)}


_Mistake = tuple[values.Place, object, str]
"""The place of a mistake, the value there, and what was expected."""


class ConfigErrors(ConfigError):  # noqa: N818 - it holds several
    """Several mistakes, one in each line of the message. The attributes are those of the first."""

    def __init__(self, mistakes: Sequence[ConfigError]) -> None:
        first = mistakes[0]
        super().__init__(first.key, value=first.value, expected=first.expected, origin=first.origin)
        self.mistakes = tuple(mistakes)
        self.args = ("\n".join(map(str, mistakes)),)


class ConfigFileError(ConfigError):
    """A configuration file that is missing, cannot be read, or is not TOML."""

    def __init__(self, origin: str, problem: str) -> None:
        super().__init__("", value=None, expected="a TOML file", origin=origin)
        self.args = (f"{origin}: {problem}",)


def colours_wanted(environ: Mapping[str, str] | None = None) -> bool:
    """Whether colours are allowed on a terminal: not where NO_COLOR is set and not empty (https://no-color.org)."""
    return not (os.environ if environ is None else environ).get("NO_COLOR")


def load(
    config: Path | None = None,
    *,
    database: str | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Read the settings of this run.

    The file is `config`, else KZFEED_CONFIG, else `kzfeed.toml` in the working directory, else
    /etc/kzfeed/kzfeed.toml, else none. A value comes from `database`, else its KZFEED_ variable (KZFEED_SOURCES
    and KZFEED_HOSTS are JSON), else the file, else the defaults. An empty variable counts as unset. The
    variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, also in lower case, name the proxies where the file names
    none.

    Raises ConfigErrors for all mistakes together, ConfigFileError where the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    file, document = _read_file(config, environ.get(_FILE_VARIABLE), Path.cwd() if cwd is None else cwd)
    given = _given(environ, database)
    _replace(document, given)
    leaves_sources = file != BUILT_IN and "sources" not in document
    if leaves_sources:
        document["sources"] = []
    unknown, ignored = _other_variables(environ)
    mistakes = list(map(_unknown, unknown))
    try:
        proxies = proxies_of_environment(environ)
    except ConfigError as error:
        mistakes.append(error)
    try:
        settings = Settings.model_validate(document)
        invalid: list[_Mistake] = []
    except ValidationError as error:
        invalid = [_explained(details) for details in error.errors(include_url=False)]
    for place, value, expected in [*invalid, *values.contradictions(document.get("sources"))]:
        origin = next((given[key].origin for key in (place[:2], place[:1]) if key in given), file)
        name, value = _called(place, document), values.UNSEEN if _may_be_secret(place) else values.shown(value)
        mistakes.append(ConfigError(name, value=value, expected=expected, origin=origin))
    if mistakes:
        raise ConfigErrors(mistakes)
    return settings.with_reading(Reading(file, leaves_sources, ignored, proxies, environ))


class _Given(NamedTuple):
    """A value that the command line or a variable gives, and which of them."""

    value: object
    origin: str


def _given(environ: Mapping[str, str], database: str | None) -> dict[values.Place, _Given]:
    """The values that take the place of those in the file."""
    given: dict[values.Place, _Given] = {
        place: _Given(text if len(place) > 1 else _from_json(text), f"environment variable {name}")
        for name, place in _VARIABLES.items()
        if (text := environ.get(name))
    }
    if database is not None:
        given["database", "url"] = _Given(database, "--database")
    return given


def _replace(document: dict[str, Any], given: Mapping[values.Place, _Given]) -> None:
    for place, each in given.items():
        table: Any = document.setdefault(str(place[0]), {}) if len(place) > 1 else document
        if isinstance(table, dict):  # validation refuses anything else
            table[place[-1]] = each.value


def _other_variables(environ: Mapping[str, str]) -> tuple[list[str], tuple[str, ...]]:
    """The KZFEED_ variables that are no settings: those that nobody knows, and those of Kubernetes."""
    others = sorted(name for name, text in environ.items() if name.startswith("KZFEED_") and text)
    others = [name for name in others if name not in _VARIABLES and name != _FILE_VARIABLE]
    unknown = [name for name in others if not _OF_KUBERNETES.fullmatch(name)]
    return unknown, tuple(name for name in others if name not in unknown)


def _read_file(argument: Path | None, variable: str | None, cwd: Path) -> tuple[str, dict[str, Any]]:
    named, by = argument, "--config"
    if named is None and variable:
        named, by = Path(variable), _FILE_VARIABLE
    for path in [cwd / named] if named else [cwd / "kzfeed.toml", SYSTEM_FILE]:
        try:
            return str(path), tomli.loads(path.read_bytes().decode("utf-8-sig"))
        except (FileNotFoundError, NotADirectoryError):
            if named is None:
                continue
            problem = f"no such file (named by {by})"
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            problem = f"not UTF-8 (at line {line})"
        except (ValueError, RecursionError) as error:
            problem = f"not TOML: {error}"  # the parser's words name a rule and a place, never a value
        raise ConfigFileError(str(path), problem)
    return BUILT_IN, {}


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # validation refuses it as it refuses any text


def _unknown(variable: str) -> ConfigError:
    near = difflib.get_close_matches(variable, [*_VARIABLES, _FILE_VARIABLE], n=1, cutoff=0)[0]
    expected = f"the name of a setting (the nearest is {near})"
    return ConfigError(variable, value=values.UNSEEN, expected=expected, origin="environment")


def _called(place: values.Place, document: Mapping[str, Any]) -> str:
    """The key of this place; a source is called by its name where that is valid and unique."""
    parts = [part for part in place if part != "[key]"]  # where a table's key is itself the mistake
    if len(parts) > 1 and isinstance(number := parts[1], int):
        names = [source.get("name") if isinstance(source, dict) else None for source in document["sources"]]
        name = names[number]
        good = is_source_name(name) and names.count(name) == 1
        parts[:2] = [f"sources.{name}" if good else f"sources[{number + 1}]"]
    words = (f"[{part + 1}]" if isinstance(part, int) else f".{values.shown(part)}" for part in parts)
    return "".join(words).removeprefix(".")


def _explained(details: ErrorDetails) -> _Mistake:
    """The place of a mistake, the value there, and what was expected."""
    place, value = details["loc"], details["input"]
    match details["type"]:
        case "value_error":
            return place, value, str(details["ctx"]["error"])
        case "literal_error":
            return place, value, f"one of {details['ctx']['expected']}"
        case "extra_forbidden":
            return place, values.UNSEEN, _known_key(place)
        case "missing":
            return place, values.Unquoted("nothing"), "a value: every source has a name and a url"
        case "tuple_type" if len(place) > 1:
            return place, value, 'a list of tables, such as [{ title = "^直播" }]'
        case "tuple_type":
            return place, value, 'a list of tables: [[sources]] in a file, [{"name": …}, …] in KZFEED_SOURCES'
        case "dict_type" if len(place) > 1:
            return place, value, 'a table of headers, such as { X-Archive = "kzfeed" }'
        case "dict_type":
            return place, value, 'a table of hosts: [hosts."feedx.net"] in a file, {"feedx.net": …} in KZFEED_HOSTS'
    return place, value, "a table"


def _may_be_secret(place: values.Place) -> bool:
    return len(place) > 2 and place[2] in ("headers", "basic_auth", "bearer") and place[-1] != "[key]"


def _known_key(place: values.Place) -> str:
    *outer, key = map(str, place)
    tables: dict[str, type[BaseModel]] = {**_SECTIONS, "sources": SourceSettings, "hosts": HostSettings}
    tables |= {"include": FilterRuleSettings, "exclude": FilterRuleSettings}
    # A table within a source is named by the source's key.
    table = outer[2] if len(outer) > 2 else outer[0] if outer else None
    known = list(tables[table].model_fields if table else Settings.model_fields)
    near = difflib.get_close_matches(key, known, n=1)
    near += [f"{section}.{key}" for section, model in _SECTIONS.items() if key in model.model_fields]
    if near:
        return f"a known key (did you mean {near[0]}?)"
    quotes = ", and quotes around the host" if outer[:1] == ["hosts"] else ""
    return f"one of the keys {', '.join(known)}{quotes}"
