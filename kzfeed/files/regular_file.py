"""Regular files opened for reading: a pipe, a device or a folder in the place of one is refused."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class NotRegularFile(OSError):  # noqa: N818 - it says what the file is
    """A path leads to something else than a regular file; `kind` says to what."""

    def __init__(self, path: Path, kind: str) -> None:
        super().__init__(None, "it is not a regular file", str(path))
        self.kind = kind


@contextmanager
def open_regular_file(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file. Raises NotRegularFile, and OSError where it cannot be opened."""
    # Opening a pipe would wait for a writer.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise NotRegularFile(path, _KINDS.get(stat.S_IFMT(mode), "something else"))
        yield file
