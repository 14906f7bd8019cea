"""Errors of kzfeed. Each message says what failed, where, and what to do about it.

The command line prints a KzfeedError as one line and exits with its `exit_code`.
"""

from pathlib import Path
from typing import ClassVar

from kzfeed.model.polls import FailureKind


class KzfeedError(Exception):
    """Base class of all errors that kzfeed raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(KzfeedError):
    """The arguments of a command cannot work."""

    exit_code = 2


class ConfigError(KzfeedError):
    """A setting is wrong: its key, its value, what was expected, and the file or variable that holds it.

    `line` is the line in the file where it is known.
    """

    exit_code = 2

    def __init__(self, key: str, *, value: object, expected: str, origin: str, line: int | None = None) -> None:
        self.key, self.value, self.expected, self.origin, self.line = key, value, expected, origin, line
        where = origin if line is None else f"{origin}, line {line}"
        super().__init__(f"{where}: {key} = {value!r}: expected {expected}")


class ListenError(KzfeedError):
    """An address on which kzfeed should listen cannot be used."""

    exit_code = 2


class DatabaseError(KzfeedError):
    """The database cannot be used. The current transaction was rolled back."""

    exit_code = 3


class DatabaseMissing(DatabaseError):  # noqa: N818 - a command may do without it
    """There is no database at this address, or none of kzfeed."""


class StatementTimeout(DatabaseError):  # noqa: N818 - it is an event
    """The database stopped a statement that took longer than it may."""


class DatabaseFileReplaced(DatabaseError):  # noqa: N818 - it is an event, and the file need not be wrong
    """The file of an SQLite database was deleted, moved or replaced while kzfeed had it open."""


class ClaimExpired(KzfeedError):  # noqa: N818 - it is an event
    """The claim on a source or a page has expired: another daemon may have taken it over."""


class ArchiveFileError(KzfeedError):
    """A file is not an archive file: its path, the line, what was expected there, and what was found."""

    def __init__(self, path: Path | str, *, line: int, expected: str, found: str) -> None:
        self.path, self.line, self.expected, self.found = path, line, expected, found
        shown = found if len(found) <= 80 else found[:77] + "..."
        super().__init__(f"{path}: line {line}: expected {expected}, found {shown!r}")


class DocumentError(KzfeedError):
    """A body cannot be read as a feed. `kind` is recorded with the poll."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        self.kind: FailureKind = kind
        super().__init__(message)

    def __reduce__(self) -> tuple[type["DocumentError"], tuple[FailureKind, str]]:
        return DocumentError, (self.kind, str(self))
