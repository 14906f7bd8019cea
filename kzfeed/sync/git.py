"""Commits of an archive folder, made by the program `git` (2.26 or newer).

Only files that kzfeed has written or removed are committed; what the user has staged stays staged. Git is called
without a shell, a terminal and the variables `GIT_*`. No hook runs, because it could take as long as it likes, and no
commit is signed, because nobody is there to type a passphrase.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from kzfeed.errors import KzfeedError
from kzfeed.sync.commit_message import message_of
from kzfeed.sync.folder import FileChange
from kzfeed.text import redacted

LIMIT_S = 300.0
"""How long one call of git may take."""
PATIENCE_S = 10
"""How long git may take to end and to remove its locks once it was told to."""
_SAFE = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "commit.gpgSign=false"),
    *("-c", "core.autocrlf=false"),
)
_KZFEED = {"user.name": "kzfeed", "user.email": "kzfeed@localhost"}
"""The author of commits where git's configuration names none."""


class GitError(KzfeedError):
    """A call of git that failed: what git said, that it is missing, or that it took too long."""


class Git:
    """The git repository of a folder: the one that the folder is in. Each method raises GitError."""

    def __init__(self, folder: Path, *, limit_s: float = LIMIT_S) -> None:
        """Take the folder, and how many seconds one call of git may take."""
        self._folder = folder
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None

    def make_repository(self) -> bool:
        """Make a repository of the folder, unless it is in one; whether one was made."""
        if any((each / ".git").exists() for each in (self._folder.absolute(), *self._folder.absolute().parents)):
            return False
        self._run("init", "--quiet")
        return True

    def commit(self, changes: Sequence[FileChange]) -> bool:
        """Commit the changed files, and return whether there was anything to commit."""
        paths = {path for change in changes for path in (change.path, *change.removed) if path}
        # Unlike `git add`, it takes paths that git has never seen and that do not exist any more.
        self._run("update-index", "--add", "--remove", "-z", "--stdin", given=_lines(paths))
        differing = self._run("diff", "--cached", "--name-only", "--no-renames", "--relative", "-z")
        ours = paths & {os.fsdecode(path) for path in differing.split(b"\0")}
        if not ours:
            return False
        options = ("--quiet", "--only", "--cleanup=whitespace", f"--message={message_of(changes)}")
        from_input = ("--pathspec-from-file=-", "--pathspec-file-nul")
        literally = ("--literal-pathspecs", *self._author())
        self._run("commit", *options, *from_input, options=literally, given=_lines(ours))
        return True

    def push(self) -> None:
        """Push the current branch to where git's configuration says."""
        self._run("push", "--quiet")

    def stop(self) -> None:
        """Tell the git under way to end, from another thread. What it has not finished is done by the next commit."""
        if process := self._process:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def _author(self) -> list[str]:
        """Options that name an author, where git's configuration does not."""
        said = os.fsdecode(self._run("config", "--list", "--name-only", "-z")).split("\0")
        return [word for name, value in _KZFEED.items() if name not in said for word in ("-c", f"{name}={value}")]

    def _run(self, command: str, *arguments: str, options: Sequence[str] = (), given: bytes = b"") -> bytes:
        """What git prints. Raises GitError, also after a time that is too long."""
        program = shutil.which("git")
        if program is None:
            raise GitError("there is no program git on the PATH: install git, or set archive.git = false")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        with subprocess.Popen(  # noqa: S603 - no shell
            [program, "--no-pager", *_SAFE, *options, command, *arguments],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # without a terminal, on which ssh would ask for a passphrase
        ) as process:
            self._process = process
            try:
                printed, errors = process.communicate(given, timeout=self._limit_s)
            except subprocess.TimeoutExpired as error:
                _end(process)
                raise GitError(f"git {command} took longer than {self._limit_s:g} s") from error
            finally:
                self._process = None
        if process.returncode:
            said = redacted(" ".join(errors.decode(errors="replace").split()))
            raise GitError(f"git {command} ended with {process.returncode}: {said}")
        return printed


def _lines(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in sorted(paths))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End git and what it has started. It removes its lock files when it is told to end, not when it is killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
