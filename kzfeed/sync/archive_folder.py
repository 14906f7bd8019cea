"""The archive folder as the configuration wants it: files, lists, commits. A failure is a warning."""

from collections.abc import Callable
from pathlib import Path

import structlog

from kzfeed.store.engine import Database
from kzfeed.sync.folder import Folder
from kzfeed.sync.git import Git, GitError
from kzfeed.sync.writing import Counts, catch_up, is_of_another_database, make_equal

COMMIT_BATCHES = 50
"""The most batches in one commit."""
_ANOTHER = "another database wrote it: `kzfeed sync {}` makes the folder follow this one"
NOT_WRITTEN = "archive folder not written, trying again"
NOT_COMMITTED = "archive folder not committed, trying again"

log = structlog.get_logger()


class ArchiveFolder:
    """The archive folder as the configuration wants it: written from the database, committed and pushed."""

    def __init__(self, database: Database, root: Path, *, commits: bool = False, pushes: bool = False) -> None:
        """Take the folder; with `commits` changes are committed by git, with `pushes` commits are pushed."""
        self._database = database
        self.folder = Folder(root, uses_git=commits)
        self._git = Git(root)
        self._commits, self._pushes = commits, pushes
        self._push_due = False
        self._said = ""

    def write(self, *, wait: bool, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Bring the folder up to date, and return whether that worked. A failure is logged, once.

        While another process writes the folder, this one waits, or without `wait` does nothing. Raises DatabaseError.
        """
        try:
            with self.folder.lock(wait=wait) as is_ours:
                if not is_ours:
                    return True
                if is_of_another_database(self._database, self.folder):
                    return self._failed("archive folder not written", _ANOTHER.format(self.folder.root))
                self._catch_up(go_on)
            self._push()
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            return self._failed(NOT_WRITTEN, reason)
        except GitError as error:
            return self._failed(NOT_COMMITTED, str(error))
        if self._said:
            log.info("archive folder up to date again", folder=str(self.folder.root))
        self._said = ""
        return True

    def stop(self) -> None:
        """Tell git to end, from another thread."""
        self._git.stop()

    def make_equal(self, on_path: Callable[[str], None]) -> tuple[Counts, int]:
        """Make the folder equal to the database (see `writing.make_equal`), and commit. A failure of git is logged."""
        with self.folder.lock(wait=True):
            result = make_equal(self._database, self.folder, on_path=on_path)
            try:
                self._commit()
                self._push()
            except GitError as error:
                self._failed(NOT_COMMITTED, str(error))
        return result

    def _catch_up(self, go_on: Callable[[], bool]) -> None:
        while counts := catch_up(self._database, self.folder, go_on=_at_most(COMMIT_BATCHES, go_on)):
            if changed := {kind: count for kind, count in counts.items() if kind != "unchanged"}:
                log.debug("archive folder written", folder=str(self.folder.root), **changed)
            self._commit()
        # What was not committed when kzfeed ended last.
        self._commit()

    def _commit(self) -> None:
        """Commit what is not committed yet, where the configuration says so. The folder is locked."""
        if self._commits and (changes := self.folder.uncommitted()):
            if self._git.make_repository():
                log.info("made a git repository of the archive folder", folder=str(self.folder.root))
                self.folder.set_uncommitted()
                changes = self.folder.uncommitted()
            self._push_due |= self._git.commit(changes)
            self.folder.set_committed()

    def _push(self) -> None:
        """Push new commits, where the configuration says so."""
        if self._pushes and self._push_due:
            self._git.push()
            self._push_due = False

    def _failed(self, event: str, error: str) -> bool:
        if error != self._said:
            log.warning(event, folder=str(self.folder.root), error=error)
        self._said = error
        return False


def _at_most(times: int, go_on: Callable[[], bool]) -> Callable[[], bool]:
    """A function that answers as `go_on` so many times, and then no."""
    remaining = iter(range(times))
    return lambda: next(remaining, None) is not None and go_on()
