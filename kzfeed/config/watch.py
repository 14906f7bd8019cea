"""Changes of the configuration's files, seen by their modification times."""

from pathlib import Path

import tomli

from kzfeed.config.files import Location, include_patterns, matches
from kzfeed.errors import ConfigError

FileState = tuple[Path, int, int, int] | tuple[Path]
"""A file with its modification time, size and inode; only the path where there is none."""


class ConfigWatch:
    """The states of kzfeed.toml and of the files that it includes, when they were read last and when looked at last."""

    def __init__(self, where: Location) -> None:
        self._where = where
        self._patterns: tuple[FileState, tuple[str, ...]] = ((Path(),), ())
        self._read = self._seen = self._states()

    def note_reading(self) -> None:
        """Remember the files as they are now: they are about to be read."""
        self._read = self._seen = self._states()

    def has_changed(self) -> bool:
        """Whether the files have changed since they were read, and are as they were when this was asked last.

        A file that somebody is writing right now is left alone until it stays the same.
        """
        before, self._seen = self._seen, self._states()
        is_quiet, is_new = self._seen == before, self._seen != self._read
        return is_quiet and is_new

    def _states(self) -> tuple[FileState, ...]:
        mains = [_state(path) for path in self._where.paths]
        used = next((state for state in mains if len(state) > 1), None)
        if used is None:
            return tuple(mains)
        included = [path for pattern in self._patterns_of(used) for path in matches(used[0], pattern)]
        return *mains, *map(_state, included)

    def _patterns_of(self, main: FileState) -> tuple[str, ...]:
        """The patterns of the file's `include`; while the file is wrong, those that it had before."""
        if self._patterns[0] != main:
            try:
                document = tomli.loads(main[0].read_text("utf-8-sig"))
                patterns = tuple(include_patterns(document.get("include", []), main[0]))
            except (OSError, ValueError, RecursionError, ConfigError):
                patterns = self._patterns[1]
            self._patterns = main, patterns
        return self._patterns[1]


def _state(path: Path) -> FileState:
    try:
        found = path.stat()
    except OSError:
        return (path,)
    return path, found.st_mtime_ns, found.st_size, found.st_ino
