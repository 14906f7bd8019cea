"""Settings of one run, from kzfeed.toml and KZFEED_* variables. No other module of kzfeed reads the environment.

A mistake is a ConfigError that says its key, its value, what was expected, and its file or variable. All mistakes are
reported together. No message holds the password of a URL.
"""

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import tomli
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from kzfeed.config import values
from kzfeed.config.proxies import LOOPBACK, ProxyUrls, proxies_of_environment
from kzfeed.errors import ConfigError
from kzfeed.model.polls import SourceConfig
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.source_names import is_source_name
from kzfeed.text import without_userinfo

BUILT_IN: Final = "built-in defaults"
SYSTEM_FILE: Final = Path("/etc/kzfeed/kzfeed.toml")

# --- the settings ----------------------------------------------------------------------------------------------------


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """The URL of the database. A relative SQLite path starts at the working directory."""

    url: values.DatabaseUrl = Field(default="sqlite:///kzfeed.db", repr=False)


class HttpSettings(_Section):
    """Limits of HTTP requests. Sizes are in bytes; `max_body` bounds the decoded body."""

    contact: values.Contact = ""
    """An address in the User-Agent for the operators of servers; may be empty."""
    timeout: values.Duration = timedelta(seconds=30)
    """The longest duration of a whole visit."""
    connect_timeout: values.Duration = timedelta(seconds=10)
    max_body: values.Size = 15 * 2**20
    max_headers: values.Size = 64 * 2**10
    max_redirects: values.CountFromZero = 5
    host_gap: values.Pause = timedelta(seconds=1)
    """The shortest time between two requests to one host."""
    min_interval: values.Pause = timedelta(minutes=15)
    """The shortest time between two polls of one source, whatever its interval."""
    max_interval: values.Duration = timedelta(hours=2)
    """The longest interval that `every = "auto"` chooses."""
    max_connections: values.Count = 100
    proxy: values.ProxyUrl | None = Field(default=None, repr=False)
    """The proxy of every source that has none of its own (None: that of the environment; empty: no proxy)."""


class HostSettings(_Section):
    """An exception for one host: the shortest time between requests (None: `http.host_gap`), and how many at once."""

    gap: values.Pause | None = None
    connections: values.Count = 1


class DefaultSettings(_Section):
    """Settings of sources that have none of their own."""

    every: values.Rhythm = timedelta(hours=1)
    timezone: values.Timezone = "UTC"


class ParseSettings(_Section):
    """Limits for parsing one document; its poll fails beyond them. `memory` is in bytes."""

    timeout: values.Duration = timedelta(seconds=10)
    memory: values.Memory = 512 * 2**20
    max_entries: values.Count = 5000


class LogSettings(_Section):
    """The log's format and level; the format `auto` is `console` on a terminal and `json` elsewhere."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SourceSettings(_Section):
    """A configured source. `timezone` is the zone of its dates that name none."""

    name: values.SourceName
    url: values.FeedUrl = Field(repr=False)
    title: values.Text | None = None
    every: values.Rhythm | None = None
    cron: values.Cron | None = None
    """Five crontab fields."""
    timezone: values.Timezone | None = None
    proxy: values.ProxyUrl | None = Field(default=None, repr=False)
    """None: that of all sources; empty: no proxy."""


MIRRORS = (
    SourceSettings(name="voa", title="美国之音", url="https://feedx.net/rss/mgzy1.xml", timezone="Asia/Shanghai"),
    SourceSettings(name="bbc", title="BBC 中文", url="https://feedx.net/rss/bbc.xml", timezone="Asia/Shanghai"),
    SourceSettings(name="rfi", title="法广", url="https://feedx.net/rss/rfi.xml", timezone="Asia/Shanghai"),
)


class Settings(_Section):
    """All settings. `load` reads them; `Settings()` has the defaults."""

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    hosts: Mapping[values.HostName, HostSettings] = {}
    defaults: DefaultSettings = DefaultSettings()
    parse: ParseSettings = ParseSettings()
    log: LogSettings = LogSettings()
    sources: tuple[SourceSettings, ...] = MIRRORS
    """The three built-in sources where no file was read; none where the file has no `sources` (see `names_sources`)."""

    _origin: str = PrivateAttr(default=BUILT_IN)
    _leaves_sources: bool = PrivateAttr(default=False)
    _ignored: tuple[str, ...] = PrivateAttr(default=())
    _environment_proxies: ProxyUrls = PrivateAttr(default=ProxyUrls(direct=LOOPBACK))

    @property
    def origin(self) -> str:
        """The file that was read, or `built-in defaults`."""
        return self._origin

    @property
    def names_sources(self) -> bool:
        """Whether the file or KZFEED_SOURCES says which sources there are. `sources = []` says that there are none."""
        return "sources" in self.model_fields_set and not self._leaves_sources

    @property
    def ignored_variables(self) -> tuple[str, ...]:
        """The KZFEED_ variables that Kubernetes sets for a service called kzfeed, and that are not settings."""
        return self._ignored

    def proxies(self, own: str | None = None) -> ProxyUrls:
        """The proxies of a source; `own` is the one that the source itself names."""
        if own is not None:
            return ProxyUrls(own or None, own or None)
        if (general := self.http.proxy) is not None:
            return ProxyUrls(general or None, general or None, self._environment_proxies.direct)
        return self._environment_proxies

    def interval_bounds(self) -> IntervalBounds:
        """The bounds of the intervals of all sources."""
        return IntervalBounds(min_interval=self.http.min_interval, max_interval=self.http.max_interval)

    def source_configs(self) -> tuple[SourceConfig, ...]:
        """The sources in order, with the defaults filled in and without passwords in their URLs.

        The first interval of an `auto` source is an hour.
        """
        return tuple(map(self._source_config, self.sources))

    def urls_with_passwords(self) -> dict[str, str]:
        """The URLs of the sources that have a user name or password in them, by name. They are secret."""
        return {source.name: source.url for source in self.sources if without_userinfo(source.url) != source.url}

    def _source_config(self, source: SourceSettings) -> SourceConfig:
        every = source.every or self.defaults.every
        return SourceConfig(
            name=source.name,
            url=without_userinfo(source.url),
            title=source.title,
            every=timedelta(hours=1) if every == "auto" else every,
            auto=every == "auto" and source.cron is None,
            cron=source.cron,
            timezone=source.timezone or self.defaults.timezone,
        )


def colours_wanted(environ: Mapping[str, str] | None = None) -> bool:
    """Whether colours are allowed on a terminal: not where NO_COLOR is set and not empty (https://no-color.org)."""
    return not (os.environ if environ is None else environ).get("NO_COLOR")


# --- reading them ----------------------------------------------------------------------------------------------------

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

    leaves_sources = file != BUILT_IN and "sources" not in document
    if leaves_sources:
        document["sources"] = []
    unknown = [
        name
        for name in sorted(environ)
        if name.startswith("KZFEED_") and environ[name] and name not in (*_VARIABLES, _FILE_VARIABLE)
    ]
    ignored = tuple(filter(_OF_KUBERNETES.fullmatch, unknown))
    mistakes: list[ConfigError] = [_unknown(name) for name in unknown if name not in ignored]
    try:
        proxies = proxies_of_environment(environ)
    except ConfigError as error:
        mistakes.append(error)
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
    settings._origin, settings._ignored = file, ignored  # noqa: SLF001 - the class is this module's own
    settings._leaves_sources = leaves_sources  # noqa: SLF001 - the same
    settings._environment_proxies = proxies  # noqa: SLF001 - the same
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
    return ".".join(str(values.shown(part)) for part in parts)


def _explained(details: ErrorDetails) -> tuple[values.Place, object, str]:
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
