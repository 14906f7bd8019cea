"""Archive files on disk: folders in, and what each of their files holds out, in the order of their names.

The first files are read here; where more follow, other processes read ahead, so that every core has something to do.
"""

import multiprocessing
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import structlog

from kzfeed.article.archive_file import parse
from kzfeed.article.build import from_file, is_storable
from kzfeed.errors import ArchiveFileError, UsageError
from kzfeed.model import Article
from kzfeed.sandbox.process import live_and_die_with

SUFFIXES = (".txt", ".md")
MAX_FILE_BYTES = 64 * 2**20
FEW = 500
"""For so many files no other process is worth its start."""
CHUNK_FILES = 50
CHUNK_BYTES = 4 * 2**20
"""A process reads so many files at a time, or fewer with so many bytes."""
MOST_PROCESSES = 4

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FileRead:
    """What became of a file: its article and how leniently it was read, or else in `refusal` why it was refused."""

    article: Article | None
    leniencies: tuple[str, ...] = ()
    refusal: str | None = None


def find_files(paths: Iterable[Path], *, beside: Path | None = None) -> Iterator[Path]:
    """The archive files under these paths, folder by folder in the order of their names, without the folder `beside`.

    A path that is itself a file is one whatever it is called. Raises UsageError where a path does not exist.
    """
    wanted = list(paths)
    for path in wanted:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
    left_out = {_identity(beside)} if beside and beside.is_dir() else set()
    return chain.from_iterable(_walk(path, left_out) if path.is_dir() else [path] for path in wanted)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _walk(folder: Path, left_out: Iterable[tuple[int, int]]) -> Iterator[Path]:
    visited = set(left_out)
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            if path.is_dir():
                # A link may lead back to a folder above it.
                identity = _identity(path)
                if identity not in visited:
                    visited.add(identity)
                    waiting.extend(sorted(path.iterdir(), reverse=True))
            elif path.suffix.lower() in SUFFIXES:
                yield path
        except OSError as error:
            log.warning("folder refused", path=str(path), error=error.strerror)


def read_files(paths: Iterable[Path]) -> Iterator[tuple[Path, FileRead]]:
    """Every file with what it holds, in the order of `paths`; a few megabytes of them are in memory at a time."""
    coming = iter(paths)
    few = list(islice(coming, FEW))
    first = next(coming, None)
    if first is None:
        yield from zip(few, map(read_file, few), strict=True)
    else:
        yield from _read_ahead(few, _chunks(chain([first], coming)))


def _read_ahead(few: Sequence[Path], chunks: Iterator[list[Path]]) -> Iterator[tuple[Path, FileRead]]:
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    # Started afresh: a fork would take along locks that other threads hold.
    afresh = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, afresh, live_and_die_with, (os.getpid(),))
    try:
        ahead = deque((chunk, _handed_over(pool, chunk)) for chunk in islice(chunks, 2 * processes))
        # While the processes start.
        yield from zip(few, map(read_file, few), strict=True)
        while ahead:
            read = _come_back(*ahead.popleft())
            ahead.extend((chunk, _handed_over(pool, chunk)) for chunk in islice(chunks, 1))
            yield from read
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(paths: Iterable[Path]) -> Iterator[list[Path]]:
    chunk: list[Path] = []
    size = 0
    for path in paths:
        chunk.append(path)
        size += _size(path)
        if len(chunk) >= CHUNK_FILES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it will say why


def _handed_over(pool: ProcessPoolExecutor, chunk: list[Path]) -> "Future[list[FileRead]] | None":
    try:
        return pool.submit(_read_chunk, chunk)
    except BrokenProcessPool:
        return None


def _come_back(chunk: list[Path], future: "Future[list[FileRead]] | None") -> Iterator[tuple[Path, FileRead]]:
    try:
        read = future.result() if future else None
    except BrokenProcessPool as error:
        log.warning("a process that read ahead ended, going on without", error=str(error))
        read = None
    return zip(chunk, read if read is not None else map(read_file, chunk), strict=True)


def _read_chunk(chunk: Sequence[Path]) -> list[FileRead]:
    return [read_file(path) for path in chunk]


def read_file(path: Path) -> FileRead:
    """The file, read. Never raises."""
    try:
        file = parse(_bytes(path), path)
    except ArchiveFileError as refusal:
        return FileRead(None, refusal=str(refusal))
    leniencies = file.warnings if is_storable(file) else (*file.warnings, "U+0000 replaced by U+FFFD")
    return FileRead(from_file(file), leniencies)


def _bytes(path: Path) -> bytes:
    """All of the file, as it was from the first byte to the last: one that is still being written is refused."""
    try:
        # A pipe or a device must not be waited for, not even to be opened.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                found = _KINDS.get(stat.S_IFMT(before.st_mode), "something else")
                raise ArchiveFileError(path, line=1, expected="a regular file", found=found)
            if before.st_size > MAX_FILE_BYTES:
                expected = f"at most {MAX_FILE_BYTES} bytes"
                raise ArchiveFileError(path, line=1, expected=expected, found=f"{before.st_size} bytes")
            data = file.read(MAX_FILE_BYTES + 1)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise ArchiveFileError(path, line=1, expected="a readable file", found=error.strerror or "") from error
    if len(data) != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ArchiveFileError(path, line=1, expected="a file that stays as it is", found="one that is being written")
    return data
