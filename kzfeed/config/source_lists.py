"""Sources in lists, those of other readers and those of the database, and the names that kzfeed gives them."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kzfeed.config.values import duration_text
from kzfeed.hosts import host_of
from kzfeed.model.polls import Source
from kzfeed.source_names import source_name_from
from kzfeed.text import without_userinfo

_SUFFIX = 7
"""The length of a suffix: a hyphen and six hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class ListedSource:
    """A source in a list: the line, the address, the title, the folders.

    `name` and `settings` are what an export of kzfeed says beside them. `leads_to` is where a visit was redirected to.
    """

    line: int
    url: str
    title: str | None = None
    tags: tuple[str, ...] = ()
    name: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    leads_to: str | None = None

    def table(self, name: str) -> dict[str, Any]:
        """The source as a table of kzfeed.toml."""
        found: dict[str, Any] = {"name": name, "url": self.url}
        if self.title:
            found["title"] = self.title
        if self.tags:
            found["tags"] = list(self.tags)
        return {**found, **self.settings}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry of a list that is no source of kzfeed: its line, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class SourceList:
    """What a list holds, in its order."""

    sources: tuple[ListedSource, ...]
    left_out: tuple[LeftOut, ...] = ()


def listed_source(source: Source, timezone: str) -> ListedSource:
    """A source of the database as the configuration would name it. `timezone` is that of all sources."""
    return ListedSource(
        line=0,
        url=source.configured_url or source.url,
        title=source.title,
        name=source.name,
        settings=_settings_of(source, timezone),
    )


def _settings_of(source: Source, timezone: str) -> dict[str, Any]:
    """The settings of a source of the database, as kzfeed.toml has them."""
    reading = source.reading
    found: dict[str, Any] = {
        "every": None if source.cron else "auto" if source.auto else duration_text(source.every),
        "cron": source.cron,
        "timezone": None if source.timezone == timezone else source.timezone,
        "enabled": None if source.enabled else False,
        "full_text": source.full_text,
        "link_from": None if reading.link_from == "link" else reading.link_from,
        "content_from": list(reading.content_from),
        "encoding": reading.encoding,
    }
    for key, rules in (("include", source.filters.include), ("exclude", source.filters.exclude)):
        found[key] = [rule.patterns() for rule in rules]
    return {key: value for key, value in found.items() if value not in (None, [])}


def names_for(listed: Sequence[ListedSource], taken: Collection[str] = ()) -> list[str]:
    """A name for each source, whatever their order.

    The name is the one in the list, else the title in small letters with `-` for every run of characters that a name
    cannot have, else the host without `www.`. A name that is taken or that several sources would have gets a suffix:
    a hyphen and the first six hexadecimal digits of the SHA-256 hash of the source's URL.
    """
    own = Counter(source.name for source in listed if source.name)
    used = {*taken, *own}
    wanted = [source.name or _name_from(source) for source in listed]
    counts = Counter(wanted)
    return [
        name if counts[name] == 1 and name not in (taken if source.name else used) else _with_suffix(name, source.url)
        for name, source in zip(wanted, listed, strict=True)
    ]


def _name_from(source: ListedSource) -> str:
    return source_name_from(source.title or "") or source_name_from(host_of(source.url).removeprefix("www."))


def _with_suffix(name: str, url: str) -> str:
    digits = hashlib.sha256(without_userinfo(url).encode()).hexdigest()[: _SUFFIX - 1]
    return f"{name[: 64 - _SUFFIX].rstrip('.-')}-{digits}"
