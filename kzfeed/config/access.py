"""Headers, credentials, User-Agent and certificate authorities of each source, with the secrets, which are read here.

Secrets are read at a start and at each reload. They are in no message and are never stored.
"""

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from kzfeed.config import values
from kzfeed.config.files import Location, read_files
from kzfeed.config.load import ConfigErrors
from kzfeed.config.secrets import Secret, sendable
from kzfeed.config.settings import Provenance, Settings, SourceSettings
from kzfeed.config.source_tables import SourceTables
from kzfeed.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """The headers of a source, which may be secret, its own User-Agent, and its file of certificate authorities."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    user_agent: str | None = None
    authorities: Path | None = None


def access_settings(settings: Settings) -> dict[str, AccessSettings]:
    """The access settings of each source that has any, by its name.

    Raises ConfigErrors for all secrets together that cannot be read or sent.
    """
    mistakes: list[ConfigError] = []
    found = {}
    for source in settings.sources:
        if source.headers or source.basic_auth or source.bearer or source.user_agent or source.tls_ca:
            found[source.name] = _read(source, settings, mistakes)
    if mistakes:
        raise ConfigErrors(mistakes)
    return found


def right_sources(where: Location) -> Settings:
    """The settings with those sources alone that are right, in files with mistakes elsewhere."""
    files = read_files(where)
    tables = SourceTables(files.document.get("sources", []), files)
    right = []
    for table in tables.tables if isinstance(tables.tables, list) else []:
        with suppress(ValidationError):
            right.append(SourceSettings.model_validate(table))
    origin = str(files.main)
    provenance = Provenance(origin=origin, environ=os.environ, place_of=partial(tables.place_of, main=origin))
    return Settings(sources=tuple(right)).with_provenance(provenance)


def _read(source: SourceSettings, settings: Settings, mistakes: list[ConfigError]) -> AccessSettings:
    headers: list[tuple[str, str]] = []

    def add(key: str, name: str, value: str | Secret, written: Callable[[str], str]) -> None:
        try:
            text = value.read(settings.folder, settings.environ) if isinstance(value, Secret) else value
            headers.append((name, written(text)))
        except ValueError as error:
            mistakes.append(settings.mistake(source.name, key, values.UNSEEN, str(error)))

    for name, value in source.headers.items():
        add(f"headers.{name}", name, value, sendable)
    if source.basic_auth:
        add("basic_auth", "Authorization", source.basic_auth, _basic)
    if source.bearer:
        add("bearer", "Authorization", source.bearer, lambda token: f"Bearer {sendable(token)}")
    authorities = settings.folder / source.tls_ca if source.tls_ca else None
    return AccessSettings(tuple(headers), source.user_agent, authorities)


def _basic(credentials: str) -> str:
    """Basic credentials (RFC 7617), in UTF-8."""
    if ":" not in credentials:
        raise ValueError('a secret such as "NAME:PASSWORD"')
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
