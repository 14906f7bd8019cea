"""Archive files on disk: found in folders, and read in the order of their names.

The first files are read here. Where more follow, other processes read ahead, so that every core has work.
"""

import hashlib
import multiprocessing
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import structlog

from kzfeed.article.archive_file import parse
from kzfeed.article.build import article_of_file, keeps_every_character
from kzfeed.errors import ArchiveFileError, UsageError
from kzfeed.files.regular_file import NotRegularFile, open_regular_file
from kzfeed.model.articles import Article
from kzfeed.sandbox.process import end_with_parent

SUFFIXES = (".txt", ".md")
_NOT_RESTORED = (".csv", ".csv.zst", ".parquet")
EXPORT_LIST = "kzfeed-export.jsonl"
"""The name of the list that an export writes of its files."""
LISTS = "lists"
"""The folder of an archive folder in which the lists of its newest articles are."""
MAX_FILE_BYTES = 64 * 2**20
READ_WITHOUT_PROCESSES = 500
"""The number of files that are read without starting processes."""
CHUNK_FILES = 50
CHUNK_BYTES = 4 * 2**20
"""A process reads at most this many files, or this many bytes, at a time."""
MAX_PROCESSES = 4

# Month and day, if they are known, and the title. An archive file begins with `<` or, leniently, with `-`.
_LIST_LINE = re.compile(rb"(?:[0-9]{1,2}-[0-9]{1,2} )?\[")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to be read, or a file or folder that must not or cannot be, with the reason in `refusal`.

    If `sha256` is given, the file is refused unless this is the hash of its bytes.
    """

    path: Path
    refusal: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class FileRead:
    """The result of reading a file: its article and the leniencies that reading it took, or the reason of refusal."""

    article: Article | None
    leniencies: tuple[str, ...] = ()
    refusal: str | None = None


# --- finding ---------------------------------------------------------------------------------------------------------


def find_files(
    paths: Iterable[Path], *, excluded: Path | None = None, follow_links: bool = False
) -> Iterator[FoundFile]:
    """The archive files under these paths, folder by folder in the order of their names, without the folder `excluded`.

    A path that is itself a file is found whatever its name, and the list of an export before all files that it may
    name. A symbolic link that leads out of the paths is refused, unless `follow_links`: otherwise a folder of somebody
    else's could show a private file. A folder that cannot be read is refused too. Raises UsageError where a path does
    not exist.
    """
    roots = list(paths)
    for root in roots:
        if not _exists(root):
            hint = " (standard input cannot be restored: save it as a file first)" if str(root) == "-" else ""
            raise UsageError(f"{root}: no such file or folder{hint}")
        if root.name.lower().endswith(_NOT_RESTORED) and root.is_file():
            raise UsageError(
                f"{root}: CSV and Parquet cannot be restored: give archive files, JSON Lines (.jsonl) or Atom (.atom)"
            )
    visited = {_identity(excluded)} if excluded and excluded.is_dir() else set()
    allowed = None if follow_links else [os.path.realpath(root) for root in roots]
    return chain.from_iterable(
        _walk(root, set(visited), allowed) if root.is_dir() else [FoundFile(root)] for root in roots
    )


def lists_above(paths: Iterable[Path]) -> list[Path]:
    """The lists of exports that lie in folders above these paths, so that `find_files` does not find them."""
    return sorted(
        {
            folder / EXPORT_LIST
            for path in paths
            if not (path / EXPORT_LIST).is_file() and path.name != EXPORT_LIST
            for folder in path.absolute().parents
            if (folder / EXPORT_LIST).is_file()
        }
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _walk(root: Path, visited: set[tuple[int, int]], allowed: Sequence[str] | None) -> Iterator[FoundFile]:
    """The files under one folder. `visited` are folders not to be entered: a link may lead back to one above it."""
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            is_folder = path.is_dir()
            if not is_folder and not path.name.lower().endswith((*SUFFIXES, EXPORT_LIST)):
                continue
            if path != root and path.is_symlink() and _leads_out(path, allowed):
                yield FoundFile(path, f"{path}: a symbolic link out of the folder; --follow-links reads such files")
            elif not is_folder:
                if not _is_article_list(path):
                    yield FoundFile(path)
            elif (identity := _identity(path)) not in visited:
                visited.add(identity)
                waiting.extend(sorted(path.iterdir(), key=lambda each: (each.name != EXPORT_LIST, each), reverse=True))
        except OSError as error:
            yield FoundFile(path, f"{path}: this folder cannot be read: {error.strerror}")


def _is_article_list(path: Path) -> bool:
    """Whether this is a list of articles in an archive folder (`lists/SOURCE.md`), which holds no article itself."""
    if path.parent.name != LISTS or path.suffix != ".md" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return bool(_LIST_LINE.match(file.read(16)))
    except OSError:
        return False  # reading it will report the error


def _leads_out(link: Path, allowed: Sequence[str] | None) -> bool:
    target = os.path.realpath(link)
    return allowed is not None and not any(Path(target).is_relative_to(root) for root in allowed)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_files(files: Iterable[FoundFile]) -> Iterator[tuple[FoundFile, FileRead]]:
    """Read every file, in the order of `files`; a few megabytes of them are in memory at a time."""
    remaining = iter(files)
    first = list(islice(remaining, READ_WITHOUT_PROCESSES))
    following = next(remaining, None)
    if following is None:
        yield from zip(first, map(read_file, first), strict=True)
    else:
        yield from _read_ahead(first, _chunks(chain([following], remaining)))


def _read_ahead(first: Sequence[FoundFile], chunks: Iterator[list[FoundFile]]) -> Iterator[tuple[FoundFile, FileRead]]:
    processes = min(os.cpu_count() or 1, MAX_PROCESSES)
    # Spawned, because a fork would copy locks that other threads hold.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, end_with_parent, (os.getpid(),))
    try:
        ahead = deque((chunk, _submit(pool, chunk)) for chunk in islice(chunks, 2 * processes))
        # While the processes start.
        yield from zip(first, map(read_file, first), strict=True)
        while ahead:
            read = _results(*ahead.popleft())
            ahead.extend((chunk, _submit(pool, chunk)) for chunk in islice(chunks, 1))
            yield from read
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    chunk: list[FoundFile] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += _size(file.path)
        if len(chunk) >= CHUNK_FILES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it will report the error


def _submit(pool: ProcessPoolExecutor, chunk: list[FoundFile]) -> "Future[list[FileRead]] | None":
    try:
        return pool.submit(_read_chunk, chunk)
    except BrokenProcessPool:
        return None


def _results(chunk: list[FoundFile], future: "Future[list[FileRead]] | None") -> Iterator[tuple[FoundFile, FileRead]]:
    try:
        read = future.result() if future else None
    except BrokenProcessPool as error:
        log.warning("a process that read files ahead has ended; they are read without it", error=str(error))
        read = None
    return zip(chunk, read if read is not None else map(read_file, chunk), strict=True)


def _read_chunk(chunk: Sequence[FoundFile]) -> list[FileRead]:
    return [read_file(file) for file in chunk]


def read_file(found: FoundFile) -> FileRead:
    """Read one file. Never raises: an error becomes the reason of refusal."""
    if found.refusal:
        return FileRead(None, refusal=found.refusal)
    try:
        data = _bytes(found.path)
        if found.sha256 and hashlib.sha256(data).hexdigest() != found.sha256:
            return FileRead(None, refusal=f"{found.path}: the file was changed after the export")
        file = parse(data, found.path)
    except ArchiveFileError as refusal:
        return FileRead(None, refusal=str(refusal))
    article, leniencies = article_of_file(file), file.warnings
    if not keeps_every_character(file):
        leniencies += ("U+0000 replaced by U+FFFD",)
    if article.published_at is None and file.stamp is not None:
        leniencies += ("a date outside the years 1 to 9999, which makes the article undated",)
    return FileRead(article, leniencies)


def _bytes(path: Path) -> bytes:
    """The whole file. Raises ArchiveFileError, also where the file changes while it is read."""
    try:
        with open_regular_file(path) as file:
            before = os.fstat(file.fileno())
            if before.st_size > MAX_FILE_BYTES:
                expected = f"at most {MAX_FILE_BYTES} bytes"
                raise ArchiveFileError(path, line=1, expected=expected, found=f"{before.st_size} bytes")
            data = file.read(MAX_FILE_BYTES + 1)
            after = os.fstat(file.fileno())
    except NotRegularFile as error:
        raise ArchiveFileError(path, line=1, expected="a regular file", found=error.kind) from error
    except OSError as error:
        raise ArchiveFileError(path, line=1, expected="a readable file", found=error.strerror or "") from error
    if len(data) != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ArchiveFileError(path, line=1, expected="a complete file", found="one that is being written")
    return data
