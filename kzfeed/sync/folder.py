"""A folder of archive files on disk, and what kzfeed notes about it in the hidden folder `.kzfeed` inside.

`state.json` says up to where the folder holds the log of the database, `files` names the files that kzfeed made,
`uncommitted` the changes that git has not committed yet, and `committed` exists while git has all others. Git ignores
the hidden folder.
"""

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kzfeed.backfill.file_reader import LISTS
from kzfeed.export.files import write_file
from kzfeed.files.atomic_file import atomic_file
from kzfeed.store.transfer.article_log import LogMark

HIDDEN = ".kzfeed"
NOT_OURS = frozenset({HIDDEN, ".git"})
"""Folders that kzfeed does not look into."""

ChangeKind = Literal["new", "revised", "moved", "removed", "list"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A change of a file: `path` is written (None: nothing is), and the paths `removed` are removed.

    `source` and `title` are those of the article; a list has no title.
    """

    kind: ChangeKind
    source: str
    title: str
    path: str | None
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderState:
    """What the folder holds: the articles up to `mark`. With `lists_due` some lists may be old.

    `archive_id` is the identity of the database that wrote the folder. A kzfeed before schema 0023 noted the url_hash
    of its first article instead.
    """

    mark: LogMark
    lists_due: bool
    archive_id: str | None
    first_article: str | None = None


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something in the folder that keeps a file from being written: its path, and what it is."""

    path: str
    description: str


class Folder:
    """A folder of archive files. Its methods raise OSError."""

    def __init__(self, root: Path, *, uses_git: bool = False) -> None:
        """Take the folder, which need not exist. With `uses_git`, changes are noted until they are committed."""
        self.root = root
        self._hidden = root / HIDDEN
        self._uses_git = uses_git
        self._git_has_files = self._hidden / "committed"
        self._found: set[Obstacle] = set()

    @contextmanager
    def lock(self, *, wait: bool) -> Iterator[bool]:
        """Whether the block is the only one that writes the folder, in all processes. It makes the folder.

        Without `wait` it is False while another process writes the folder.
        """
        if self.root.is_dir() and (found := self.obstacle(f"{HIDDEN}/lock")):
            raise FileExistsError(
                errno.EEXIST, f"is {found.description}: move it out of the folder", str(self.root / found.path)
            )
        self._hidden.mkdir(parents=True, exist_ok=True)
        write_file(self._hidden / ".gitignore", b"*\n")
        # A file that is opened for appending stays as it is.
        with (self._hidden / "lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True

    # --- state -------------------------------------------------------------------------------------------------------

    def state(self) -> FolderState | None:
        """The state as it was written; None if there is none that can be read."""
        try:
            given = json.loads((self._hidden / "state.json").read_bytes())
            identity = given.get("archive_id"), given.get("first_article")
            return FolderState(LogMark(**given["mark"]), bool(given["lists_due"]), *identity)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def set_state(self, state: FolderState) -> None:
        """Write the state, after the files that it speaks of."""
        with atomic_file(self._hidden / "state.json") as temporary:
            temporary.write_text(json.dumps(asdict(state)))

    # --- files -------------------------------------------------------------------------------------------------------

    def has(self, path: Path) -> bool:
        """Whether there is such a file, which is not reached by a link to another folder."""
        return (self.root / path).is_file() and self.obstacle(path) is None

    def is_news(self, found: Obstacle) -> bool:
        """Whether this obstacle is found for the first time."""
        is_new = found not in self._found
        self._found.add(found)
        return is_new

    def read(self, path: str | Path) -> bytes | None:
        """The bytes of a file; None if there is no regular file."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def obstacle(self, path: str | Path) -> Obstacle | None:
        """What stands where this file or a folder above it belongs, if anything.

        A symbolic link to a folder is one too: files would be written outside of the archive folder.
        """
        for above in reversed(Path(path).parents[:-1]):
            place = self.root / above
            if place.is_symlink():
                return Obstacle(above.as_posix(), "a symbolic link, and no folder")
            if place.exists() and not place.is_dir():
                return Obstacle(above.as_posix(), "a file, and no folder")
        place = self.root / path
        is_folder = place.is_dir() and not place.is_symlink()
        return Obstacle(Path(path).as_posix(), "a folder, and no file") if is_folder else None

    def note(self, changes: Sequence[FileChange]) -> None:
        """Note changes before they are made: after a kill kzfeed still knows which files it made."""
        names = [change.path for change in changes if change.path and not (self.root / change.path).exists()]
        _append(self._hidden / "files", names)
        if self._uses_git:
            _append(self._hidden / "uncommitted", [json.dumps(asdict(change)) for change in changes])
        elif changes:
            self.set_uncommitted()

    def remove(self, path: str) -> None:
        """Remove a file, and the folders above it that are empty then."""
        file = self.root / path
        file.unlink(missing_ok=True)
        for folder in file.parents:
            if folder == self.root:
                return
            with suppress(OSError):  # it is not empty
                folder.rmdir()

    def made(self) -> Iterator[str]:
        """The paths of all files that kzfeed has made, also of some that do not exist any more."""
        with suppress(FileNotFoundError), (self._hidden / "files").open("rb") as file:
            # After a crash of the machine the last line may be torn.
            yield from (line.decode(errors="replace").rstrip("\n") for line in file)

    @contextmanager
    def made_anew(self) -> Iterator[Callable[[str], object]]:
        """A writer of the paths of all files that kzfeed has made, which replace those noted before."""
        with atomic_file(self._hidden / "files") as temporary, temporary.open("wb") as file:
            yield lambda name: file.write(name.encode() + b"\n")

    def all_files(self) -> Iterator[str]:
        """The paths of all files in the folder, without those of git and of kzfeed."""
        for place, folders, files in os.walk(self.root):
            if Path(place) == self.root:
                folders[:] = [name for name in folders if name not in NOT_OURS]
            for name in files:
                yield (Path(place) / name).relative_to(self.root).as_posix()

    # --- git ---------------------------------------------------------------------------------------------------------

    def uncommitted(self) -> list[FileChange]:
        """The changes that are noted and not committed yet; all files, as new ones, if it is unknown what git has."""
        changes: list[FileChange] = []
        with suppress(FileNotFoundError), (self._hidden / "uncommitted").open("rb") as file:
            for line in file:
                with suppress(ValueError, TypeError):  # torn by a crash of the machine
                    given = json.loads(line)
                    changes.append(FileChange(**given | {"removed": tuple(given["removed"])}))
        if not self._git_has_files.exists():
            noted = {change.path for change in changes}
            changes += [_unknown(name) for name in self.made() if name not in noted]
        return changes

    def set_committed(self) -> None:
        """Forget the changes that are noted: git has committed them."""
        (self._hidden / "uncommitted").unlink(missing_ok=True)
        self._git_has_files.touch()

    def set_uncommitted(self) -> None:
        """Note that it is unknown which files git has."""
        self._git_has_files.unlink(missing_ok=True)


def _unknown(name: str) -> FileChange:
    """The change that made a file of which nothing is known but its name."""
    source = name.partition("/")[0]
    return FileChange("list" if source == LISTS else "new", source, "", name)


def _append(file: Path, lines: Sequence[str]) -> None:
    """Append lines to a file, which is on the disk afterwards."""
    if not lines:
        return
    with file.open("a+b") as stream:
        # After a crash of the machine the last line may be torn: what follows begins a new one.
        torn = stream.tell() > 0 and os.pread(stream.fileno(), 1, stream.tell() - 1) != b"\n"
        stream.write(("\n" * torn + "".join(f"{line}\n" for line in lines)).encode())
        stream.flush()
        os.fsync(stream.fileno())
