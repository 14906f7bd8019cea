"""Settings of one run: types, defaults, and what they mean for sources, proxies and intervals. `load` reads them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from kzfeed.config import addresses, secrets, values
from kzfeed.config.filters import FilterRuleSettings
from kzfeed.config.proxies import LOOPBACK, ProxyUrls
from kzfeed.errors import ConfigError
from kzfeed.model.articles import FeedReading
from kzfeed.model.filters import Filters
from kzfeed.model.polls import SourceConfig
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.text import without_userinfo

BUILT_IN: Final = "built-in defaults"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """The URL of the database. A relative SQLite path starts at the working directory."""

    url: addresses.DatabaseUrl = Field(default="sqlite:///kzfeed.db", repr=False)


class HttpSettings(_Section):
    """Limits of HTTP requests. Sizes are in bytes; `max_body` bounds the decoded body."""

    contact: addresses.Contact = ""
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
    proxy: addresses.ProxyUrl | None = Field(default=None, repr=False)
    """The proxy of every source that has none of its own (None: that of the environment; empty: no proxy)."""


class HostSettings(_Section):
    """An exception for one host: the shortest time between requests (None: `http.host_gap`), and how many at once."""

    gap: values.Pause | None = None
    connections: values.Count = 1


class DefaultSettings(_Section):
    """Settings of sources that have none of their own."""

    every: values.Interval = timedelta(hours=1)
    timezone: values.Timezone = "UTC"


class ParseSettings(_Section):
    """Limits for parsing one document; its poll fails beyond them. `memory` is in bytes."""

    timeout: values.Duration = timedelta(seconds=10)
    memory: values.Memory = 512 * 2**20
    max_entries: values.Count = 5000


class ArchiveSettings(_Section):
    """The archive as a folder of files. A relative path starts at the working directory; None: there is no folder."""

    directory: values.FolderPath | None = None
    git: values.Flag = False
    """Whether changes of the folder are committed by git."""
    git_push: values.Flag = False
    """Whether the commits are pushed."""

    @model_validator(mode="after")
    def _fits_together(self) -> "ArchiveSettings":
        for key, needed in (("git", "directory"), ("git_push", "git")):
            if getattr(self, key) and not getattr(self, needed):
                raise ValueError(f"{needed} where there is {key} = true")
        return self


class ServerSettings(_Section):
    """Where monitors ask for health and metrics: host and port, or the path of a Unix socket; None: nowhere."""

    listen: addresses.ListenAddress | None = None


class WebSettings(_Section):
    """The archive browser: where it listens, by which names it may be called, and whether a proxy is in front of it."""

    listen: addresses.ListenAddress | None = None
    """None: 127.0.0.1:8087."""
    hosts: addresses.HostNames = ()
    """Names in its addresses, beside localhost and the loopback addresses."""
    passwords: values.Text | None = None
    """A file of those who may read, relative to the folder of kzfeed.toml; None: all who reach the address may."""
    behind_proxy: values.Flag = False
    """Whether a proxy in front of it decides who may read."""


class FleetSettings(_Section):
    """The servers of NATS through which several daemons share the sources; none: the daemon is not in a fleet."""

    servers: addresses.BrokerUrls | None = None
    token: secrets.HeaderValue | None = Field(default=None, repr=False)
    """The token that the servers ask for, or where it is."""


class MaintenanceSettings(_Section):
    """What the daemon does to keep the database small. Polls are summed up by day after `keep_polls`; 0: never."""

    keep_polls: values.Retention = timedelta(days=400)


class LogSettings(_Section):
    """The log's format and level; the format `auto` is `console` on a terminal and `json` elsewhere."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SourceSettings(_Section):
    """A configured source. `timezone` is the zone of its dates without one."""

    name: values.SourceName
    url: addresses.FeedUrl = Field(repr=False)
    title: values.Text | None = None
    every: values.Interval | None = None
    cron: values.Cron | None = None
    """Five crontab fields."""
    timezone: values.Timezone | None = None
    proxy: addresses.ProxyUrl | None = Field(default=None, repr=False)
    """None: that of all sources; empty: no proxy."""
    enabled: values.Flag = True
    tags: values.Tags = ()
    """The folders of a reader that the source is in; `/` stands between a folder and the folder in it."""
    headers: Mapping[secrets.HeaderName, secrets.HeaderValue] = Field(default={}, repr=False)
    basic_auth: secrets.SecretValue | None = None
    bearer: secrets.SecretValue | None = None
    user_agent: secrets.UserAgent | None = None
    tls_ca: values.Text | None = None
    """A file of certificate authorities."""
    include: tuple[FilterRuleSettings, ...] = ()
    exclude: tuple[FilterRuleSettings, ...] = ()
    full_text: values.FullText | None = None
    """Where the text of an article is on its page: `css:SELECTOR` or `auto`."""
    link_from: Literal["link", "guid"] = "link"
    """The field with the address of an article."""
    content_from: values.ContentFields = ()
    """The fields that are tried for the content of an article before the usual ones."""
    encoding: values.Encoding | None = None
    """The encoding of the feed, whatever its server and the document say."""

    @model_validator(mode="after")
    def _sends_each_header_once(self) -> Self:
        names = [name.lower() for name in self.headers]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"each of the headers once: {twice} is there twice")
        credentials = {
            "basic_auth": self.basic_auth,
            "bearer": self.bearer,
            "headers.Authorization": "authorization" in names,
            "a password in the url": self.url != without_userinfo(self.url),
        }
        given = [name for name, value in credentials.items() if value]
        if len(given) > 1:
            raise ValueError(f"one kind of credentials: it has {' and '.join(given)}")
        return self

    def reading(self) -> FeedReading:
        """How its documents are read."""
        return FeedReading(self.link_from, self.content_from, self.encoding)

    def filters(self) -> Filters:
        """Which of its articles are archived."""
        include, exclude = (tuple(each.rule() for each in rules) for rules in (self.include, self.exclude))
        return Filters(include, exclude)


MIRRORS = (
    SourceSettings(name="voa", title="美国之音", url="https://feedx.net/rss/mgzy1.xml", timezone="Asia/Shanghai"),
    SourceSettings(name="bbc", title="BBC 中文", url="https://feedx.net/rss/bbc.xml", timezone="Asia/Shanghai"),
    SourceSettings(name="rfi", title="法广", url="https://feedx.net/rss/rfi.xml", timezone="Asia/Shanghai"),
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where settings come from: the file that `load` read, and what the environment said.

    `leaves_sources` says that the file names no sources, so that those of the database stay. `ignored_variables` are
    those that Kubernetes sets for a service called kzfeed, and that are not settings. `environ` has the variables that
    secrets may be in. `tables` are the sources as they are written, all with a name; they may hold passwords.
    `left_out` are sentences about outlines of included OPML files that are no sources. `given` has the
    places of the values that are not from the file, each with the variable or option that gave it. `place_of` gives the
    file or variable of a source, by its name, and the line there.
    """

    origin: str = BUILT_IN
    leaves_sources: bool = False
    ignored_variables: tuple[str, ...] = ()
    proxies: ProxyUrls = ProxyUrls(direct=LOOPBACK)  # noqa: RUF009 - frozen
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    tables: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    left_out: tuple[str, ...] = ()
    given: Mapping[values.Place, str] = field(default_factory=dict)
    place_of: Callable[[str], tuple[str, int | None]] = field(default=lambda _: (BUILT_IN, None), compare=False)


class Settings(_Section):
    """All settings. `load` reads them; `Settings()` has the defaults."""

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    hosts: Mapping[addresses.HostName, HostSettings] = {}
    defaults: DefaultSettings = DefaultSettings()
    parse: ParseSettings = ParseSettings()
    archive: ArchiveSettings = ArchiveSettings()
    server: ServerSettings = ServerSettings()
    web: WebSettings = WebSettings()
    fleet: FleetSettings = FleetSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    log: LogSettings = LogSettings()
    sources: tuple[SourceSettings, ...] = MIRRORS
    """The three built-in sources where no file was read; none where the file has no `sources` (see `names_sources`)."""

    _provenance: Provenance = PrivateAttr(default=Provenance())

    @property
    def origin(self) -> str:
        """The file that was read, or `built-in defaults`."""
        return self._provenance.origin

    def mistake(self, source: str, key: str, value: object, expected: str) -> ConfigError:
        """The error that says that this key of the source is wrong, which was found after the files were read."""
        origin, line = self._provenance.place_of(source)
        return ConfigError(f"sources.{source}.{key}", value=value, expected=expected, origin=origin, line=line)

    @property
    def names_sources(self) -> bool:
        """Whether the file or KZFEED_SOURCES says which sources there are. `sources = []` says that there are none."""
        return "sources" in self.model_fields_set and not self._provenance.leaves_sources

    @property
    def ignored_variables(self) -> tuple[str, ...]:
        """The KZFEED_ variables that Kubernetes sets for a service called kzfeed, and that are not settings."""
        return self._provenance.ignored_variables

    @property
    def folder(self) -> Path:
        """The folder at which relative paths of secrets start: that of the file, or the working directory."""
        return Path() if self.origin == BUILT_IN else Path(self.origin).parent

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables, for secrets that are in them."""
        return self._provenance.environ

    @property
    def left_out(self) -> tuple[str, ...]:
        """Sentences about outlines of included OPML files that are no sources."""
        return self._provenance.left_out

    @property
    def source_tables(self) -> tuple[dict[str, Any], ...]:
        """The sources as tables of kzfeed.toml, all with a name. They may hold passwords."""
        return self._provenance.tables

    @property
    def sources_variable(self) -> bool:
        """Whether KZFEED_SOURCES holds the sources, in the place of those in files."""
        return ("sources",) in self._provenance.given

    def origin_of(self, key: str) -> str:
        """What gave the value of a key such as `http.timeout`: a variable, an option, or the file."""
        return self._provenance.given.get(tuple(key.split(".")), self.origin)

    def proxies(self, own: str | None = None) -> ProxyUrls:
        """The proxies of a source; `own` is the one that the source itself names."""
        if own is not None:
            return ProxyUrls(own or None, own or None)
        if (general := self.http.proxy) is not None:
            return ProxyUrls(general or None, general or None, self._provenance.proxies.direct)
        return self._provenance.proxies

    def interval_bounds(self) -> IntervalBounds:
        """The bounds of the intervals of all sources."""
        return IntervalBounds(min_interval=self.http.min_interval, max_interval=self.http.max_interval)

    def source_at(self, url: str) -> SourceSettings | None:
        """The source that has this address, however it is written; None if there is none. Raises ValueError."""
        wanted = addresses.address(url)
        return next((source for source in self.sources if addresses.address(source.url) == wanted), None)

    def source_configs(self) -> tuple[SourceConfig, ...]:
        """The sources in order, with the defaults filled in and without passwords in their URLs.

        The first interval of an `auto` source is an hour.
        """
        return tuple(map(self._source_config, self.sources))

    def urls_with_passwords(self) -> dict[str, str]:
        """The URLs of the sources that have a user name or password in them, by name. They are secret."""
        return {source.name: source.url for source in self.sources if without_userinfo(source.url) != source.url}

    def with_provenance(self, provenance: Provenance) -> "Settings":
        """These settings, with where they come from."""
        self._provenance = provenance
        return self

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
            filters=source.filters(),
            enabled=source.enabled,
            full_text=source.full_text,
            reading=source.reading(),
        )
