"""Folders of archive files into the archive: paths in, a tally out, in batches that are each stored whole.

Running it again, also after a kill, stores what is missing and touches nothing else.
"""

import filecmp
import os
import re
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from pathlib import Path

import structlog

from kzfeed.article import url
from kzfeed.article.file import parse
from kzfeed.article.normalise import from_file, is_storable
from kzfeed.errors import ArchiveFileError, UsageError
from kzfeed.model import Article, Tally
from kzfeed.store.archive import store_files
from kzfeed.store.engine import Database

SUFFIXES = (".txt", ".md")
MAX_FILE_BYTES = 64 * 2**20
BATCH_FILES = 500
BATCH_BYTES = 16 * 2**20

log = structlog.get_logger()

SourceOf = Callable[[Path, Article], str]
"""Which source a file's article belongs to."""


@dataclass(slots=True)
class Progress:
    """How far a backfill is: files looked at, files refused, and what became of the others."""

    files: int = 0
    refused: int = 0
    tally: Tally = field(default_factory=Tally)
    leniencies: Counter[str] = field(default_factory=Counter)


def backfill(
    database: Database,
    files: Iterable[Path],
    *,
    source_of: SourceOf,
    clock: Callable[[], datetime],
    quarantine: Path | None = None,
    on_batch: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Store every one of the archive files; one that cannot be read is refused by name and the run goes on.

    Refused files are copied into the folder `quarantine`. `on_batch` hears of the progress after each batch is stored.
    Raises DatabaseError; what was stored stays stored.
    """
    progress = Progress()
    batch: list[tuple[str, Article]] = []
    size = 0
    for path in files:
        progress.files += 1
        try:
            article = _read(path, progress.leniencies)
        except ArchiveFileError as refusal:
            progress.refused += 1
            log.warning("file refused", error=str(refusal))
            if quarantine:
                _set_aside(path, quarantine)
            continue
        batch.append((source_of(path, article), article))
        size += len(article.content)
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            progress.tally += store_files(database, batch, clock())
            on_batch(progress)
            batch, size = [], 0
    if batch:
        progress.tally += store_files(database, batch, clock())
    on_batch(progress)
    for leniency, files_so_read in sorted(progress.leniencies.items()):
        log.warning("files read leniently", leniency=leniency, files=files_so_read)
    return progress


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


def _read(path: Path, leniencies: Counter[str]) -> Article:
    file = parse(_bytes(path), path)
    warnings = [*file.warnings] if is_storable(file) else [*file.warnings, "U+0000 replaced by U+FFFD"]
    if warnings:
        leniencies.update(warnings)
        log.debug("file read leniently", path=str(path), leniencies=warnings)
    return from_file(file)


def _bytes(path: Path) -> bytes:
    """All of the file, as it was from the first byte to the last: one that is still being written is refused."""
    try:
        # A pipe or a device must not be waited for, not even to be opened.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise ArchiveFileError(path, line=1, expected="a regular file", found=stat.filemode(before.st_mode))
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


def _set_aside(path: Path, quarantine: Path) -> None:
    """Copy a refused file, under its name or the first numbered one that is free; once, however often it is refused."""
    try:
        if not path.is_file():
            return
        names = chain([path.name], (f"{path.stem}.{number}{path.suffix}" for number in count(2)))
        for place in (quarantine / name for name in names):
            if not place.exists():
                break
            if filecmp.cmp(path, place, shallow=False):
                return
        unfinished = place.with_name(f".{place.name}.tmp")
        try:
            shutil.copyfile(path, unfinished)
            unfinished.replace(place)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        log.error("file not copied aside", path=str(path), error=str(error))


# --- which source ----------------------------------------------------------------------------------------------------


def by_host(_path: Path, article: Article) -> str:
    """The article's host without `www.`."""
    host = url.host_of(article.url or "") or ""
    return slug(host.removeprefix("www.")) or "unknown"


def by_folder(path: Path, _article: Article) -> str:
    """The name of the folder that holds the file."""
    return slug(path.absolute().parent.name) or "unknown"


def by_name(name: str) -> SourceOf:
    """The source that the operator named. Raises UsageError where that is no name of a source."""
    if slug(name) != name:
        raise UsageError(
            f"{name!r} is no name of a source: small letters, digits, . _ and - please, for example {slug(name)!r}"
        )
    return lambda path, article: name


def slug(text: str) -> str:
    """The text as the name of a source: safe as a folder's name on every system."""
    return re.sub(r"[^\w.-]+", "-", text.lower()).strip(".-")[:64]
