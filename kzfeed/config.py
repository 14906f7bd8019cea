"""kzfeed.toml and KZFEED_* become one frozen `Settings`; nothing else of kzfeed reads the environment.

In comes the text of a file and a few variables, out go typed values, or a ConfigError that names every mistake at once:
its key, what stood there, what was expected and where. No password of a URL is ever part of such a message.
"""

import difflib
import os
import re
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from kzfeed.errors import ConfigError
from kzfeed.model import SourceConfig
from kzfeed.redact import HIDDEN, redact_text

BUILT_IN: Final = "built-in defaults"
SYSTEM_FILE: Final = Path("/etc/kzfeed/kzfeed.toml")

_PREFIX: Final = "KZFEED_"
_FILE_VARIABLE: Final = "KZFEED_CONFIG"


class ConfigErrors(ConfigError):  # noqa: N818 - it holds several
    """Several mistakes, one a line; the attributes are those of the first."""

    def __init__(self, mistakes: Sequence[ConfigError]) -> None:
        first = mistakes[0]
        super().__init__(first.key, value=first.value, expected=first.expected, origin=first.origin)
        self.mistakes = tuple(mistakes)
        self.args = ("\n".join(str(mistake) for mistake in mistakes),)


class ConfigFileError(ConfigError):
    """A configuration file that cannot be read at all: it is missing, forbidden, or no TOML."""

    def __init__(self, origin: str, problem: str) -> None:
        super().__init__("", value=None, expected="a TOML file", origin=origin)
        self.args = (f"{origin}: {problem}",)


# --- values: text becomes typed, or says what was expected -----------------------------------------------------------

_DURATION = re.compile(
    r"(?:(?P<days>\d{1,9})d)?(?:(?P<hours>\d{1,9})h)?(?:(?P<minutes>\d{1,9})m)?"
    r"(?:(?P<seconds>\d{1,9})s)?(?:(?P<milliseconds>\d{1,9})ms)?",
    re.ASCII,
)
_LONGEST = timedelta(days=3650)
_SIZE = re.compile(r"(\d{1,15})(B|kB|MB|GB|KiB|MiB|GiB)?", re.ASCII)
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_LARGEST = 2**40
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_DATABASE = re.compile(r"sqlite:///(?!$|:memory:)|(?:postgresql|postgresql\+psycopg|postgres)://.")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")

_SOME_DURATION = 'a duration such as "30s" or "1h30m"'


def _expected(words: str) -> PydanticCustomError:
    return PydanticCustomError("expected", "{words}", {"words": words})


def _duration(value: object) -> timedelta:
    """`1h30m`: whole numbers with the units d, h, m, s, ms, the largest first. A bare number says no unit: refused."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    parts = {unit: int(count) for unit, count in match.groupdict().items() if count} if match else {}
    if not parts:
        raise _expected(_SOME_DURATION)
    length = timedelta(**parts)
    if length > _LONGEST:
        raise _expected(f"{_SOME_DURATION}, of at most {_LONGEST.days}d")
    return length


def _longer_than_zero(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise _expected(f"{_SOME_DURATION}, longer than 0")
    return value


def _size(value: object) -> int:
    """Bytes, from `64KiB` (1,024 each), `500kB` (1,000 each) or a plain number."""
    match = _SIZE.fullmatch(str(value).strip()) if isinstance(value, str | int) else None
    if match is None or not 0 < (size := int(match[1]) * _BYTES[match[2] or "B"]) <= _LARGEST:
        raise _expected('a size from 1 to 1024GiB, such as "15MiB", "500kB" or a number of bytes')
    return size


def _whole_number(least: int) -> BeforeValidator:
    def number(value: object) -> int:
        text = str(value).strip() if isinstance(value, str | int) else ""
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < least:
            raise _expected(f"a whole number from {least} up")
        return int(text)

    return BeforeValidator(number)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _expected("text that is not empty")
    return value.strip()


def _timezone(value: object) -> str:
    name = _text(value)
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(zoneinfo.available_timezones()), n=1)
        hint = f" (the nearest is {near[0]})" if near else ""
        raise _expected(f'an IANA time zone such as "UTC" or "Asia/Shanghai"{hint}') from None
    return name


def _database_url(value: object) -> str:
    url = value.strip() if isinstance(value, str) else ""
    if not _DATABASE.match(url):
        raise _expected('"sqlite:///FILE" or "postgresql://USER@HOST/NAME"')
    return url


def _address(value: str) -> tuple[str, str, int | None, str, str]:
    """What makes two spellings one address: the fragment and a default port do not count, nor the case of the host."""
    parts = urlsplit(value)
    port = None if parts.port == {"http": 80, "https": 443}.get(parts.scheme) else parts.port
    return parts.scheme, parts.hostname or "", port, parts.path or "/", parts.query


def _feed_url(value: object) -> str:
    url = value.strip() if isinstance(value, str) else ""
    try:
        scheme, host, *_ = _address(url)
    except ValueError:  # a port that is no number, a bracket that is not closed
        scheme = host = ""
    if scheme not in ("http", "https") or not host or _BLANK.search(url):
        raise _expected("an http or https URL with a host")
    return url


def _source_name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _expected("1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or a digit first")
    return value


def _contact(value: object) -> str:
    """The contact stands between brackets in the User-Agent: it may hold none, and nothing that ends a header."""
    contact = value.strip() if isinstance(value, str) else " "
    if not re.fullmatch(r"((?=.*(://|@))[!-'*-\[\]-~]{1,200})?", contact):
        raise _expected('a URL or an e-mail address in ASCII, without brackets, of at most 200 characters, or ""')
    return contact


_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAY_ITEM = re.compile(
    r"(?:(?P<all>\*)|(?P<first>[0-7]|[a-z]{3})(?:-(?P<last>[0-7]|[a-z]{3}))?)(?:/(?P<step>[1-7]))?"
)


def _weekday_names(field: str) -> str:
    """Weekdays by name, for crontab(5) counts from Sunday and APScheduler from Monday. What is no weekday stays."""
    numbers = {name: number for number, name in enumerate(_WEEKDAYS)} | {str(number): number for number in range(8)}
    days: list[int] = []
    for item in field.lower().split(","):
        match = _WEEKDAY_ITEM.fullmatch(item)
        if match is None:
            return field
        first, last = ("0", "6") if match["all"] else (match["first"], match["last"] or match["first"])
        if not (first in numbers and last in numbers and numbers[first] <= numbers[last]):
            return field
        days.extend(range(numbers[first], numbers[last] + 1, int(match["step"] or 1)))
    return ",".join(dict.fromkeys(_WEEKDAYS[day % 7] for day in days))


def _cron(value: object) -> str:
    """Five crontab fields that come true some day; numbers of weekdays become names."""
    from apscheduler.triggers.cron import CronTrigger

    fields = value.split() if isinstance(value, str) and value.isascii() else []
    if len(fields) == 5 and re.search(r"\d", fields[4]):
        fields[4] = _weekday_names(fields[4])
    line = " ".join(fields)
    try:
        # A crontab names no year: any start will do to see whether it ever fires (30 February does not).
        fires = CronTrigger.from_crontab(line, timezone=UTC).get_next_fire_time(None, datetime(2024, 1, 1, tzinfo=UTC))
    except ValueError:
        fires = None
    if fires is None:
        raise _expected('crontab fields (minute, hour, day, month, weekday) that come true, such as "7 * * * *"')
    return line


Pause = Annotated[timedelta, BeforeValidator(_duration)]
Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_longer_than_zero)]
Size = Annotated[int, BeforeValidator(_size)]
Count = Annotated[int, _whole_number(1)]
CountFromZero = Annotated[int, _whole_number(0)]
Text = Annotated[str, BeforeValidator(_text)]
Timezone = Annotated[str, BeforeValidator(_timezone)]


# --- the settings ----------------------------------------------------------------------------------------------------


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """Where the archive is. A relative SQLite path starts at the working directory; the URL stays as it was written."""

    url: Annotated[str, BeforeValidator(_database_url)] = Field(default="sqlite:///kzfeed.db", repr=False)


class HttpSettings(_Section):
    """How servers are visited. Sizes are in bytes, `max_body` is that of the decoded body."""

    contact: Annotated[str, BeforeValidator(_contact)] = ""
    """What the User-Agent names beside the version, so that a server's operator finds a person. Empty: nothing."""
    timeout: Duration = timedelta(seconds=30)
    """For a whole visit."""
    connect_timeout: Duration = timedelta(seconds=10)
    max_body: Size = 15 * 2**20
    max_headers: Size = 64 * 2**10
    max_redirects: CountFromZero = 5
    host_gap: Pause = timedelta(seconds=1)
    """The least time between two requests to one host."""
    min_interval: Pause = timedelta(minutes=15)
    """The least time between two polls of one source, whatever its rhythm."""
    max_connections: Count = 100


class DefaultSettings(_Section):
    """What a source has that does not say otherwise."""

    every: Duration = timedelta(hours=1)
    timezone: Timezone = "UTC"


class ParseSettings(_Section):
    """What a document may cost before its poll fails. `memory` is in bytes."""

    timeout: Duration = timedelta(seconds=10)
    memory: Size = 512 * 2**20
    max_entries: Count = 5000


class LogSettings(_Section):
    """`auto` is readable on a terminal and JSON lines elsewhere."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SourceSettings(_Section):
    """A source as it is written down. `timezone` is that of its dates without a zone."""

    name: Annotated[str, BeforeValidator(_source_name)]
    url: Annotated[str, BeforeValidator(_feed_url)] = Field(repr=False)
    title: Text | None = None
    every: Duration | None = None
    cron: Annotated[str, BeforeValidator(_cron)] | None = None
    """Five crontab fields. Weekdays are kept by name: 1 is Monday, as in crontab(5)."""
    timezone: Timezone | None = None

    @field_validator("cron")
    @classmethod
    def _one_rhythm(cls, cron: str | None, source: ValidationInfo) -> str | None:
        if cron is not None and source.data.get("every") is not None:
            raise _expected("no cron beside every: a source has one of them")
        return cron


def _mirror(name: str, title: str, file: str) -> SourceSettings:
    return SourceSettings(name=name, title=title, url=f"https://feedx.net/rss/{file}", timezone="Asia/Shanghai")


class Settings(BaseSettings):
    """Everything that can be set. `load` makes one from the outside world; made directly, it reads nothing."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=_PREFIX, env_nested_delimiter="_", env_nested_max_split=1
    )

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    defaults: DefaultSettings = DefaultSettings()
    parse: ParseSettings = ParseSettings()
    log: LogSettings = LogSettings()
    sources: tuple[SourceSettings, ...] = (
        _mirror("voa", "美国之音", "mgzy1.xml"),
        _mirror("bbc", "BBC 中文", "bbc.xml"),
        _mirror("rfi", "法广", "rfi.xml"),
    )
    """Nowhere said: these three. `sources = []` is none."""

    _origin: str = PrivateAttr(default=BUILT_IN)

    @property
    def origin(self) -> str:
        """The file they come from, or `built-in defaults`."""
        return self._origin

    def source_configs(self) -> tuple[SourceConfig, ...]:
        """The sources in their order, with the defaults filled in."""
        return tuple(
            SourceConfig(
                name=source.name,
                url=source.url,
                title=source.title,
                every=source.every or self.defaults.every,
                cron=source.cron,
                timezone=source.timezone or self.defaults.timezone,
            )
            for source in self.sources
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load` reads the environment itself, to say which variable a mistake stands in."""
        return (init_settings,)


_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}


def environment_names() -> dict[str, tuple[str, ...]]:
    """Every variable that sets something, and the key it sets: `KZFEED_HTTP_MAX_BODY` is `("http", "max_body")`."""
    keys = [(section, key) for section, model in _SECTIONS.items() for key in model.model_fields]
    rest = [(name,) for name in Settings.model_fields if name not in _SECTIONS]
    return {_PREFIX + "_".join(key).upper(): key for key in [*keys, *rest]}


def colours_wanted(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal may be written to in colour (https://no-color.org: any NO_COLOR that is not empty says no)."""
    return not (os.environ if environ is None else environ).get("NO_COLOR")


# --- reading them ----------------------------------------------------------------------------------------------------


def load(
    config: Path | None = None,
    *,
    database: str | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """The settings of this run.

    The file is `config`, else KZFEED_CONFIG, else `kzfeed.toml` in the working directory, else
    /etc/kzfeed/kzfeed.toml, else none. A value is that of `database`, else of its KZFEED_ variable (KZFEED_SOURCES is a
    JSON list of tables), else of the file, else built in. An empty variable counts as unset. A file without `sources`
    leaves the built-in ones, `sources = []` has none. A source is called by its name in an error, or by its place
    (`sources[2]`, counted from 1) where it has no good one.

    Raises ConfigError: ConfigFileError where the file cannot be read, ConfigErrors for several mistakes.
    """
    variables = dict(os.environ if environ is None else environ)
    given = _read_file(config, variables.get(_FILE_VARIABLE), Path.cwd() if cwd is None else cwd)
    _read_variables(given, variables)
    if database is not None:
        given.origins["database", "url"] = "--database"
        given.put(("database", "url"), database)
    return _settings(given)


class _Words(str):
    """Stands in an error for a value that is better not shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_HIDDEN = _Words("…")


@dataclass
class _Given:
    """What was found, on its way to be judged: raw values, where each comes from, the mistakes so far."""

    file: str = BUILT_IN
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    mistakes: list[ConfigError] = field(default_factory=list)

    def put(self, key: tuple[str, ...], value: object) -> None:
        table = self.values
        for part in key[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):  # the file has something else there, which is a mistake of its own
                return
        table[key[-1]] = value

    def mistake(self, loc: tuple[str | int, ...], value: object, expected: str) -> None:
        origin = next((o for key, o in self.origins.items() if key == loc[: len(key)]), self.file)
        self.mistakes.append(ConfigError(self._key(loc), value=_shown(value), expected=expected, origin=origin))

    def _key(self, loc: tuple[str | int, ...]) -> str:
        if len(loc) < 2 or not isinstance(loc[1], int):
            return ".".join(map(str, loc))
        sources = self.values["sources"]
        names = [source.get("name") if isinstance(source, dict) else None for source in sources]
        name = names[loc[1]]
        known = isinstance(name, str) and _NAME.fullmatch(name) and names.count(name) == 1
        return ".".join([f"sources.{name}" if known else f"sources[{loc[1] + 1}]", *map(str, loc[2:])])


def _read_file(argument: Path | None, variable: str | None, cwd: Path) -> _Given:
    if argument is not None or variable:
        path, by = (argument, "--config") if argument is not None else (Path(variable or ""), _FILE_VARIABLE)
        document = _read_toml(cwd / path)
        if document is None:
            raise ConfigFileError(str(cwd / path), f"no such file (named by {by})")
        return _Given(str(cwd / path), document)
    for path in (cwd / "kzfeed.toml", SYSTEM_FILE):
        document = _read_toml(path)
        if document is not None:
            return _Given(str(path), document)
    return _Given()


def _read_toml(path: Path) -> dict[str, Any] | None:
    text = ""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = f"line {line}: not UTF-8"
    except tomllib.TOMLDecodeError as error:
        # The parser's words name a rule and a place, never the text that stands there.
        rule, _, place = str(error).removesuffix(")").rpartition(" (at ")
        lines = text.split("\n")
        place = place.replace("end of document", f"line {len(lines)}, column {len(lines[-1]) + 1}")
        problem = f"{place}: not TOML: {rule}"
    except (ValueError, RecursionError):
        problem = "not TOML that can be read: a number too long or tables too deep"
    raise ConfigFileError(str(path), problem)


# Kubernetes announces a service called kzfeed to every container beside it, in variables of these names.
_SERVICE = "KZFEED_SERVICE_HOST"
_ANNOUNCED = re.compile(
    _SERVICE + r"|KZFEED_SERVICE_PORT(_\w+)?|KZFEED_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)


def _read_variables(given: _Given, variables: Mapping[str, str]) -> None:
    names = environment_names()
    source = EnvSettingsSource(Settings)
    for variable, value in sorted(variables.items()):
        if not variable.startswith(_PREFIX) or variable == _FILE_VARIABLE:
            continue
        if _SERVICE in variables and _ANNOUNCED.fullmatch(variable):
            continue
        key = names.get(variable)
        if key is None:
            given.origins[variable,] = "environment"
            nearest = difflib.get_close_matches(variable, [*names, _FILE_VARIABLE], n=1, cutoff=0)[0]
            given.mistake((variable,), _HIDDEN, f"the name of a setting (the nearest is {nearest})")
        elif value:
            given.origins[key] = f"environment variable {variable}"
            source.env_vars = {variable.lower(): value}
            try:
                found: Any = source()
            except SettingsError:
                given.mistake(key, _HIDDEN, 'a JSON list of tables: [{"name": "…", "url": "…"}, …]')
                continue
            for part in key:
                found = found.get(part)
            given.put(key, found)


def _settings(given: _Given) -> Settings:
    for key in [key for key in given.values if key not in Settings.model_fields]:
        given.mistake((key,), _HIDDEN, _known_key(key, Settings))
    try:
        settings = Settings(**{key: given.values[key] for key in Settings.model_fields if key in given.values})
    except ValidationError as error:
        for details in error.errors(include_url=False):
            given.mistake(details["loc"], *_value_and_expectation(details))
    for loc, value, expected in _twins(given.values.get("sources")):
        given.mistake(loc, value, expected)
    if given.mistakes:
        raise given.mistakes[0] if len(given.mistakes) == 1 else ConfigErrors(given.mistakes)
    settings._origin = given.file
    return settings


# --- mistakes, in words ----------------------------------------------------------------------------------------------


def _shown(value: object) -> object:
    """A value as an error may show it: short, and without anything that could be a password."""
    match value:
        case _Words():
            return value
        case dict():
            return _Words("a table")
        case list() | tuple():
            return _Words("a list")
        case str():
            # A password may hold what a URL would have to escape: where there is one, all up to the last @ goes.
            userinfo = r"^([A-Za-z][\w+.-]*:(?=/))?/*[^/@:]*:(?!//).*@"
            text = redact_text(re.sub(userinfo, rf"\1//{HIDDEN}@", value, flags=re.DOTALL))
            return text if len(text) <= 100 else text[:97] + "..."
    return value


def _value_and_expectation(details: ErrorDetails) -> tuple[object, str]:
    match details["type"]:
        case "expected":
            return details["input"], details["msg"]
        case "missing":
            return _Words("nothing"), "a value: every source has a name and a url"
        case "extra_forbidden":
            section = details["loc"][0]
            return _HIDDEN, _known_key(str(details["loc"][-1]), _SECTIONS.get(str(section), SourceSettings))
        case "literal_error":
            return details["input"], f"one of {details['ctx']['expected']}"
        case "tuple_type":
            return details["input"], "a list of tables, each written [[sources]]"
        case "model_type" | "model_attributes_type":
            return details["input"], "a table"
    return details["input"], details["msg"]


def _known_key(key: str, model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(key, model.model_fields, n=1)
    near += [f"{section}.{key}" for section, other in _SECTIONS.items() if key in other.model_fields]
    if near:
        return f"a known key (did you mean {near[0]}?)"
    return f"one of the keys {', '.join(model.model_fields)}"


def _twins(sources: object) -> Iterator[tuple[tuple[str | int, ...], object, str]]:
    """Sources that share a name or an address, whatever else is wrong with them."""
    tables = [source if isinstance(source, dict) else {} for source in sources] if isinstance(sources, list) else []
    for key in ("name", "url"):
        first: dict[object, int] = {}
        for place, table in enumerate(tables):
            value = table.get(key)
            if not isinstance(value, str):
                continue
            try:
                same = _address(value.strip()) if key == "url" else value
            except ValueError:
                same = value
            if first.setdefault(same, place) != place:
                where = f"sources[{first[same] + 1}]"
                yield ("sources", place, key), value, f"a {key} of its own: {where} has it already"
