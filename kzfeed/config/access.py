"""What the requests of a source hold by its configuration, with its secrets, which are read here.

Secrets are read at a start and at each reload. They are in no message and are never stored.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kzfeed.config import values
from kzfeed.config.load import ConfigErrors
from kzfeed.config.secrets import Secret, sendable
from kzfeed.config.settings import Settings, SourceSettings
from kzfeed.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Request:
    """The headers of a source, which may be secret, its own User-Agent, and its file of certificate authorities."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    user_agent: str | None = None
    authorities: Path | None = None


def requests_of(settings: Settings) -> dict[str, Request]:
    """What the requests of each source hold, by its name, for sources with such settings.

    Raises ConfigErrors for all secrets together that cannot be read or sent.
    """
    mistakes: list[ConfigError] = []
    requests = {}
    for source in settings.sources:
        if source.headers or source.basic_auth or source.bearer or source.user_agent or source.tls_ca:
            requests[source.name] = _request(source, settings, mistakes)
    if mistakes:
        raise ConfigErrors(mistakes)
    return requests


def _request(source: SourceSettings, settings: Settings, mistakes: list[ConfigError]) -> Request:
    headers: list[tuple[str, str]] = []

    def add(key: str, name: str, value: str | Secret, written: Callable[[str], str]) -> None:
        try:
            found = value.read(settings.folder, settings.environ) if isinstance(value, Secret) else value
            headers.append((name, written(found)))
        except ValueError as error:
            place = f"sources.{source.name}.{key}"
            mistakes.append(ConfigError(place, value=values.UNSEEN, expected=str(error), origin=settings.origin))

    for name, value in source.headers.items():
        add(f"headers.{name}", name, value, sendable)
    if source.basic_auth:
        add("basic_auth", "Authorization", source.basic_auth, _basic)
    if source.bearer:
        add("bearer", "Authorization", source.bearer, lambda token: f"Bearer {sendable(token)}")
    authorities = settings.folder / source.tls_ca if source.tls_ca else None
    return Request(tuple(headers), source.user_agent, authorities)


def _basic(credentials: str) -> str:
    """Basic credentials (RFC 7617), in UTF-8."""
    if ":" not in credentials:
        raise ValueError('a secret such as "NAME:PASSWORD"')
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
