"""Headers, credentials, User-Agent and secrets: the values of kzfeed.toml that are sent to servers.

As in `values`, each function converts a value or raises ValueError, whose message completes "expected …" and never
repeats the value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import PlainValidator

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_OWN: Final = frozenset(
    [
        *("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "range", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    ]
)
"""Headers by which kzfeed and HTTP itself decide how a request is read and answered."""
_MAX_SECRET = 64 << 10


@dataclass(frozen=True, slots=True)
class Secret:
    """The place of a secret: the path of a file, or the name of an environment variable."""

    file: str | None = None
    env: str | None = None

    def read(self, folder: Path, environ: Mapping[str, str]) -> str:
        """The secret, without white space around it. Relative paths start at `folder`. Raises ValueError."""
        if self.env is not None:
            place = f"the environment variable {self.env}"
            content = environ.get(self.env, "").encode(errors="surrogateescape")
        else:
            place = f"the file {folder / (self.file or '')}"
            try:
                with (folder / (self.file or "")).open("rb") as file:
                    content = file.read(_MAX_SECRET + 1)
            except OSError as error:
                raise ValueError(f"a secret in {place}, which cannot be read: {error.strerror}") from None
        if len(content) > _MAX_SECRET:
            raise ValueError(f"a secret in {place}, which has more than {_MAX_SECRET:,} bytes")
        try:
            found = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"a secret in {place}, which is not UTF-8") from None
        if not found.strip():
            raise ValueError(f"a secret in {place}, which is {'not set or empty' if self.env else 'empty'}")
        return found.strip()


def secret(value: object) -> Secret:
    """A table that says where a secret is."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, place),) = value.items()
        if key in ("file", "env") and isinstance(place, str) and place.strip() and "\0" not in place:
            return Secret(**{key: place.strip()})
    raise ValueError('a table { file = "PATH" } or { env = "VARIABLE" }, because a secret must not stand here itself')


def header_name(value: object) -> str:
    """The name of a header that a source may set."""
    name = value.strip() if isinstance(value, str) else ""
    if not _TOKEN.fullmatch(name):
        raise ValueError('the name of a header, such as "X-Api-Key"')
    lower = name.lower()
    if lower == "user-agent":
        raise ValueError("another header: the key user_agent of the source sets this one")
    if lower in _OWN or lower.startswith(("if-", "proxy-")):
        raise ValueError("another header: kzfeed sets this one itself, or sends none")
    return name


def header_value(value: object) -> str | Secret:
    """The value of a header, or where it is."""
    return secret(value) if isinstance(value, dict) else sendable(value)


def sendable(value: object) -> str:
    """Text that a header can hold."""
    found = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(r"[\t -~]{1,8192}", found):
        raise ValueError("text in ASCII, in one line that is not empty")
    return found


def user_agent(value: object) -> str:
    """A User-Agent in place of kzfeed's own."""
    found = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(r"[ -~]{1,500}", found):
        raise ValueError("a User-Agent in ASCII, of at most 500 characters")
    return found


SecretValue = Annotated[Secret, PlainValidator(secret)]
HeaderName = Annotated[str, PlainValidator(header_name)]
HeaderValue = Annotated[str | Secret, PlainValidator(header_value)]
UserAgent = Annotated[str, PlainValidator(user_agent)]
