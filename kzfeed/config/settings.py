"""kzfeed.toml and KZFEED_* become one frozen `Settings`; nothing else of kzfeed reads the environment.

In comes the text of a file and a few variables, out go typed values, or a ConfigError that names every mistake at once:
its key, what stood there, what was expected and where. No password of a URL is ever part of such a message.
"""

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import tomli
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from kzfeed.config import values
from kzfeed.errors import ConfigError
from kzfeed.model import SourceConfig

BUILT_IN: Final = "built-in defaults"
SYSTEM_FILE: Final = Path("/etc/kzfeed/kzfeed.toml")

# --- the settings ----------------------------------------------------------------------------------------------------


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """Where the archive is. A relative SQLite path starts at the working directory; the URL stays as it was written."""

    url: values.DatabaseUrl = Field(default="sqlite:///kzfeed.db", repr=False)


class HttpSettings(_Section):
    """How servers are visited. Sizes are in bytes, `max_body` is that of the decoded body."""

    contact: values.Contact = ""
    """What the User-Agent names beside the version, so that a server's operator finds a person. Empty: nothing."""
    timeout: values.Duration = timedelta(seconds=30)
    """For a whole visit."""
    connect_timeout: values.Duration = timedelta(seconds=10)
    max_body: values.Size = 15 * 2**20
    max_headers: values.Size = 64 * 2**10
    max_redirects: values.CountFromZero = 5
    host_gap: values.Pause = timedelta(seconds=1)
    """The least time between two requests to one host."""
    min_interval: values.Pause = timedelta(minutes=15)
    """The least time between two polls of one source, whatever its rhythm."""
    max_interval: values.Duration = timedelta(hours=2)
    """The longest that `every = "auto"` may wait."""
    max_connections: values.Count = 100


class HostSettings(_Section):
    """A host unlike the others: the least time between two requests (None: `http.host_gap`), the most at one time."""

    gap: values.Pause | None = None
    connections: values.Count = 1


class DefaultSettings(_Section):
    """What a source has that does not say otherwise."""

    every: values.Rhythm = timedelta(hours=1)
    timezone: values.Timezone = "UTC"


class ParseSettings(_Section):
    """What a document may cost before its poll fails. `memory` is in bytes."""

    timeout: values.Duration = timedelta(seconds=10)
    memory: values.Memory = 512 * 2**20
    max_entries: values.Count = 5000


class LogSettings(_Section):
    """`auto` is readable on a terminal and JSON lines elsewhere."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SourceSettings(_Section):
    """A source as it is written down. `timezone` is that of its dates without a zone."""

    name: values.SourceName
    url: values.FeedUrl = Field(repr=False)
    title: values.Text | None = None
    every: values.Rhythm | None = None
    cron: values.Cron | None = None
    """Five crontab fields. Weekdays are kept by name: 1 is Monday, as in crontab(5)."""
    timezone: values.Timezone | None = None


MIRRORS = (
    SourceSettings(name="voa", title="美国之音", url="https://feedx.net/rss/mgzy1.xml", timezone="Asia/Shanghai"),
    SourceSettings(name="bbc", title="BBC 中文", url="https://feedx.net/rss/bbc.xml", timezone="Asia/Shanghai"),
    SourceSettings(name="rfi", title="法广", url="https://feedx.net/rss/rfi.xml", timezone="Asia/Shanghai"),
)


class Settings(_Section):
    """Everything that can be set. `load` makes one from the outside world; made directly, it is all defaults."""

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    hosts: Mapping[values.HostName, HostSettings] = {}
    defaults: DefaultSettings = DefaultSettings()
    parse: ParseSettings = ParseSettings()
    log: LogSettings = LogSettings()
    sources: tuple[SourceSettings, ...] = MIRRORS
    """Nowhere said: these three. `sources = []` is none."""

    _origin: str = PrivateAttr(default=BUILT_IN)

    @property
    def origin(self) -> str:
        """The file they come from, or `built-in defaults`."""
        return self._origin

    def source_configs(self) -> tuple[SourceConfig, ...]:
        """The sources in their order, with the defaults filled in. One that is `auto` begins with an hour."""
        return tuple(map(self._source_config, self.sources))

    def _source_config(self, source: SourceSettings) -> SourceConfig:
        every = source.every or self.defaults.every
        return SourceConfig(
            name=source.name,
            url=source.url,
            title=source.title,
            every=timedelta(hours=1) if every == "auto" else every,
            auto=every == "auto" and source.cron is None,
            cron=source.cron,
            timezone=source.timezone or self.defaults.timezone,
        )


def colours_wanted(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal may be written to in colour (https://no-color.org: any NO_COLOR that is not empty says no)."""
    return not (os.environ if environ is None else environ).get("NO_COLOR")


# --- reading them ----------------------------------------------------------------------------------------------------

_FILE_VARIABLE: Final = "KZFEED_CONFIG"
_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    name: type(field.default) for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)
}
_VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    f"KZFEED_{name}_{key}".upper(): (name, key) for name, model in _SECTIONS.items() for key in model.model_fields
} | {"KZFEED_HOSTS": ("hosts",), "KZFEED_SOURCES": ("sources",)}


class ConfigErrors(ConfigError):  # noqa: N818 - it holds several
    """All mistakes, one a line; the attributes are those of the first."""

    def __init__(self, mistakes: Sequence[ConfigError]) -> None:
        first = mistakes[0]
        super().__init__(first.key, value=first.value, expected=first.expected, origin=first.origin)
        self.mistakes = tuple(mistakes)
        self.args = ("\n".join(map(str, mistakes)),)


class ConfigFileError(ConfigError):
    """A configuration file that cannot be read at all: it is missing, forbidden, or no TOML."""

    def __init__(self, origin: str, problem: str) -> None:
        super().__init__("", value=None, expected="a TOML file", origin=origin)
        self.args = (f"{origin}: {problem}",)


def load(
    config: Path | None = None,
    *,
    database: str | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """The settings of this run.

    The file is `config`, else KZFEED_CONFIG, else `kzfeed.toml` in the working directory, else
    /etc/kzfeed/kzfeed.toml, else none. A value is that of `database`, else of its KZFEED_ variable (KZFEED_SOURCES and
    KZFEED_HOSTS are JSON), else of the file, else built in. An empty variable counts as unset. A file without
    `sources` leaves the built-in ones, `sources = []` has none.

    Raises ConfigErrors for all mistakes together, ConfigFileError where the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    file, document = _read_file(config, environ.get(_FILE_VARIABLE), Path.cwd() if cwd is None else cwd)
    given: dict[values.Place, tuple[str, object]] = {
        place: (f"environment variable {name}", text if len(place) > 1 else _from_json(text))
        for name, place in _VARIABLES.items()
        if (text := environ.get(name))
    }
    if database is not None:
        given["database", "url"] = "--database", database
    for place, (_, value) in given.items():
        table: Any = document.setdefault(str(place[0]), {}) if len(place) > 1 else document
        if isinstance(table, dict):
            table[place[-1]] = value

    ours = [name for name in sorted(environ) if name.startswith("KZFEED_") and environ[name]]
    mistakes = [_unknown(name) for name in ours if name not in (*_VARIABLES, _FILE_VARIABLE)]
    found: list[tuple[values.Place, object, str]] = []
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        found = [_explained(details) for details in error.errors(include_url=False)]
    for place, value, expected in [*found, *values.contradictions(document.get("sources"))]:
        origin = next((given[key][0] for key in (place[:2], place[:1]) if key in given), file)
        name, value = _called(place, document), values.shown(value)
        mistakes.append(ConfigError(name, value=value, expected=expected, origin=origin))
    if mistakes:
        raise ConfigErrors(mistakes)
    settings._origin = file
    return settings


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
        return text  # it is no table either, and judged as such


def _unknown(variable: str) -> ConfigError:
    near = difflib.get_close_matches(variable, [*_VARIABLES, _FILE_VARIABLE], n=1, cutoff=0)[0]
    expected = f"the name of a setting (the nearest is {near})"
    return ConfigError(variable, value=values.UNSEEN, expected=expected, origin="environment")


def _called(place: values.Place, document: Mapping[str, Any]) -> str:
    """The key that stands at this place, a source by its name if that is good and its own."""
    parts = [part for part in place if part != "[key]"]  # where a table's key is itself the mistake
    if len(parts) > 1 and isinstance(number := parts[1], int):
        names = [source.get("name") if isinstance(source, dict) else None for source in document["sources"]]
        name = names[number]
        good = isinstance(name, str) and values.SOURCE_NAME.fullmatch(name) and names.count(name) == 1
        parts[:2] = [f"sources.{name}" if good else f"sources[{number + 1}]"]
    return ".".join(str(values.shown(part)) for part in parts)


def _explained(details: ErrorDetails) -> tuple[values.Place, object, str]:
    """Where the mistake is, what stands there, and what was expected."""
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
        case "tuple_type":
            return place, value, 'a list of tables: [[sources]] in a file, [{"name": …}, …] in KZFEED_SOURCES'
        case "dict_type":
            return place, value, 'a table of hosts: [hosts."feedx.net"] in a file, {"feedx.net": …} in KZFEED_HOSTS'
    return place, value, "a table"


def _known_key(place: values.Place) -> str:
    *outer, key = map(str, place)
    tables: dict[str, type[BaseModel]] = {**_SECTIONS, "sources": SourceSettings, "hosts": HostSettings}
    known = list(tables[outer[0]].model_fields if outer else Settings.model_fields)
    near = difflib.get_close_matches(key, known, n=1)
    near += [f"{section}.{key}" for section, model in _SECTIONS.items() if key in model.model_fields]
    if near:
        return f"a known key (did you mean {near[0]}?)"
    quotes = ", and quotes around the host" if outer[:1] == ["hosts"] else ""
    return f"one of the keys {', '.join(known)}{quotes}"
