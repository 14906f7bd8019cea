"""Warnings about a configuration that is valid: what kzfeed accepts and its operator hardly wants.

Each is a ConfigError that is not raised: its file and line, its key, the value there, and what was expected.
"""

import re
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from kzfeed.config import values
from kzfeed.config.secrets import Secret
from kzfeed.config.settings import Settings, SourceSettings
from kzfeed.config.toml_text import key_line
from kzfeed.errors import ConfigError

_HAS_PASSWORD = re.compile(r"^[a-z][\w+.-]*://[^/?#]*:[^/?#]*@", re.IGNORECASE)


def warnings(settings: Settings) -> Iterator[ConfigError]:
    """The warnings about these settings. Files of secrets are looked at, neither the network nor the database is."""
    yield from _sections(settings)
    for source in settings.sources:
        yield from _intervals(settings, source)
    yield from exposed_secrets(settings)


def exposed_secrets(settings: Settings) -> Iterator[ConfigError]:
    """The warnings about secrets that everybody on this machine can read."""
    for key, url in (("database.url", settings.database.url), ("http.proxy", settings.http.proxy or "")):
        warning = _of_section(settings, key, values.UNSEEN, _for_owner_only(settings.origin))
        if _HAS_PASSWORD.match(url) and _is_readable_by_all(Path(warning.origin)):
            yield warning
    token = settings.fleet.token
    file = settings.folder / token.file if isinstance(token, Secret) and token.file else None
    if file is None and isinstance(token, str):
        file = Path(settings.origin_of("fleet.token"))
    if file and _is_readable_by_all(file):
        yield _of_section(settings, "fleet.token", values.UNSEEN, _for_owner_only(str(file)))
    for source in settings.sources:
        yield from _secrets(settings, source)


def with_line(error: ConfigError) -> ConfigError:
    """The error with the line of its key in the file, where that can be found and the error does not have it yet."""
    path = Path(error.origin)
    if error.line is not None or not error.key or not path.is_file():
        return error
    line = key_line(path.read_text("utf-8-sig"), error.key.split("."))
    found = ConfigError(error.key, value=error.value, expected=error.expected, origin=error.origin, line=line)
    return found if line else error


def _sections(settings: Settings) -> Iterator[ConfigError]:
    http = settings.http
    if not http.contact:
        expected = "a URL or an e-mail address, at which publishers reach you before they block you"
        yield _of_section(settings, "http.contact", "", expected)
    every = settings.defaults.every
    if isinstance(every, timedelta) and every < http.min_interval:
        yield _of_section(settings, "defaults.every", values.duration_text(every), _at_least(settings))
    path = settings.database.url.partition("sqlite:///")[2]
    if path and not path.startswith("/"):
        expected = "an absolute path, with four slashes: this one depends on the folder in which kzfeed is started"
        yield _of_section(settings, "database.url", settings.database.url, expected)
    if settings.fleet.servers and path:
        expected = "database.url with PostgreSQL, which the members of a fleet share: `kzfeed run` refuses this one"
        yield _of_section(settings, "fleet.servers", " ".join(settings.fleet.servers), expected)
    folder = settings.archive.directory
    if folder and not folder.is_absolute():
        expected = "an absolute path: this one depends on the folder in which kzfeed is started"
        yield _of_section(settings, "archive.directory", str(folder), expected)


def _intervals(settings: Settings, source: SourceSettings) -> Iterator[ConfigError]:
    if isinstance(source.every, timedelta) and source.every < settings.http.min_interval:
        yield settings.mistake(source.name, "every", values.duration_text(source.every), _at_least(settings))


def _at_least(settings: Settings) -> str:
    least = values.duration_text(settings.http.min_interval)
    return f"at least http.min_interval, which is {least}: kzfeed does not poll more often"


def _secrets(settings: Settings, source: SourceSettings) -> Iterator[ConfigError]:
    """The warnings about secrets of this source that everybody on this machine can read."""
    places: dict[str, object] = {"basic_auth": source.basic_auth, "bearer": source.bearer}
    places |= {f"headers.{name}": value for name, value in source.headers.items()}
    for key, place in places.items():
        if isinstance(place, Secret) and place.file and _is_readable_by_all(settings.folder / place.file):
            expected = _for_owner_only(str(settings.folder / place.file))
            yield settings.mistake(source.name, key, values.UNSEEN, expected)
    for key, url in (("url", source.url), ("proxy", source.proxy or "")):
        if _HAS_PASSWORD.match(url):
            file = settings.mistake(source.name, key, values.UNSEEN, "").origin
            if _is_readable_by_all(Path(file)):
                yield settings.mistake(source.name, key, values.UNSEEN, _for_owner_only(file))


def _for_owner_only(file: str) -> str:
    return f"a file that not everybody on this machine can read, because it holds a secret: chmod 640 {file}"


def _is_readable_by_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # a variable, or a file of which another error says that it cannot be read


def _of_section(settings: Settings, key: str, value: object, expected: str) -> ConfigError:
    """The warning about this key, with what gave its value, and the line in the file."""
    return with_line(ConfigError(key, value=values.shown(value), expected=expected, origin=settings.origin_of(key)))
