"""Backfill: archive files and exports become stored articles, in batches that are each one transaction.

Files of an export are restored as its list says, JSON Lines as they say; any other file is known by its URL alone.
Running it again, also after it was killed, stores what is missing and changes nothing else.
"""

import filecmp
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, count
from pathlib import Path

import structlog

from kzfeed.backfill.exports import ExportList, ExportStream
from kzfeed.backfill.file_reader import EXPORT_LIST, FoundFile, read_files
from kzfeed.backfill.stream import is_export_stream
from kzfeed.errors import UsageError
from kzfeed.files.atomic_file import atomic_file
from kzfeed.hosts import host_of
from kzfeed.model.articles import Article, Tally
from kzfeed.source_names import expected_name, is_source_name, source_name_from
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database

BATCH_FILES = 100
BATCH_CHARACTERS = 8 * 2**20
LENIENT_FILES_NAMED = 10
"""The most files that a warning about lenient reading names; the debug log names all."""

log = structlog.get_logger()

SourceOf = Callable[[Path, Article], str]
"""A function that names the source of a file's article."""


@dataclass(slots=True)
class Progress:
    """The progress of a backfill: files (or lines) read, those refused, the tally of the others, files by leniency."""

    files: int = 0
    refused: int = 0
    tally: Tally = field(default_factory=Tally)
    leniencies: dict[str, list[Path]] = field(default_factory=dict)


@dataclass(slots=True)
class _Batch:
    """Articles to be stored together, each with the name of its source, and the number of files read and refused."""

    articles: list[tuple[str, Article]]
    files: int
    refused: int


def backfill(
    database: Database,
    files: Iterable[FoundFile],
    *,
    source_of: SourceOf,
    clock: Callable[[], datetime],
    quarantine: Path | None = None,
    on_batch: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Store the articles of all files. A file that cannot be read is refused and logged, and the others are stored.

    Refused files are copied into the folder `quarantine`. `on_batch` is called with the progress after each
    transaction. Raises DatabaseError; earlier batches stay stored.
    """
    progress = Progress()
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:

        def restore(exported: ExportList | ExportStream) -> None:
            for step in exported.restore(database):
                progress.files += step.files
                progress.refused += step.refused
                progress.tally += step.tally
                on_batch(progress)

        # The next batch is read while one is written.
        batches = _batches(_restore_exports(files, restore), source_of, quarantine, progress.leniencies)
        upcoming: _Batch | None = next(batches)
        while upcoming:
            batch = upcoming
            stored = writer.submit(store_files, database, batch.articles, clock())
            upcoming = next(batches, None)
            progress.tally += stored.result()
            progress.files += batch.files
            progress.refused += batch.refused
            on_batch(progress)
    for leniency, paths in sorted(progress.leniencies.items()):
        named = [str(path) for path in paths[:LENIENT_FILES_NAMED]]
        log.warning("files read leniently", leniency=leniency, files=len(paths), paths=named)
    return progress


def _restore_exports(
    files: Iterable[FoundFile], restore: Callable[[ExportList | ExportStream], None]
) -> Iterator[FoundFile]:
    """Restore each export as soon as it is found; yields the archive files that no list of one names."""
    lists: list[ExportList] = []
    for found in files:
        if found.path.name == EXPORT_LIST and found.refusal is None:
            lists.append(ExportList(found.path, _log_refusal))
            restore(lists[-1])
        elif is_export_stream(found.path):
            restore(ExportStream(found.path, _log_refusal))
        elif not any(exported.names(found.path) for exported in lists):
            refusals = (exported.refusal_of(found.path) for exported in lists)
            yield replace(found, refusal=found.refusal or next(filter(None, refusals), None))


def _batches(
    files: Iterable[FoundFile], source_of: SourceOf, quarantine: Path | None, leniencies: dict[str, list[Path]]
) -> Iterator[_Batch]:
    """The files as batches, the last of which may be empty."""
    batch = _Batch([], 0, 0)
    size = 0
    for found, read in read_files(files):
        path = found.path
        batch.files += 1
        if read.article is None:
            batch.refused += 1
            _log_refusal(read.refusal or "")
            if quarantine and not found.refusal:
                _quarantine(path, quarantine)
            continue
        if read.leniencies:
            for leniency in read.leniencies:
                leniencies.setdefault(leniency, []).append(path)
            log.debug("file read leniently", path=str(path), leniencies=read.leniencies)
        batch.articles.append((source_of(path, read.article), read.article))
        size += len(read.article.content)
        if len(batch.articles) >= BATCH_FILES or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = _Batch([], 0, 0), 0
    yield batch


def _log_refusal(reason: str) -> None:
    log.warning("file refused", error=reason)


def _quarantine(path: Path, quarantine: Path) -> None:
    """Copy a refused file under its own name, numbered where another file has that name. A second copy is not made."""
    try:
        if not path.is_file():
            log.warning("file not copied to the quarantine", path=str(path), error="it is not a regular file")
            return
        names = chain([path.name], (f"{path.stem}.{number}{path.suffix}" for number in count(2)))
        for copy in (quarantine / name for name in names):
            if not copy.exists():
                break
            if filecmp.cmp(path, copy, shallow=False):
                return
        with atomic_file(copy) as temporary:
            shutil.copyfile(path, temporary)
    except OSError as error:
        log.error("file not copied to the quarantine", path=str(path), error=str(error))


def make_quarantine(folder: Path) -> None:
    """Make the folder for refused files unless it exists. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        is_taken = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "there is a file of that name" if is_taken else error.strerror or str(error)
        raise UsageError(f"{folder}: cannot make this folder for refused files: {reason}") from error


# --- the source of an article -----------------------------------------------------------------------------------------


def by_host(_path: Path, article: Article) -> str:
    """The article's host without `www.`."""
    host = host_of(article.url or "")
    return source_name_from(host.removeprefix("www.")) or "unknown"


def by_folder(path: Path, _article: Article) -> str:
    """The name of the file's folder."""
    return source_name_from(path.absolute().parent.name) or "unknown"


def by_name(name: str) -> SourceOf:
    """One source for all files. Raises UsageError where `name` is not allowed as a source's name."""
    if not is_source_name(name):
        example = source_name_from(name) or "archive-2022"
        raise UsageError(f"{name!r} is no name of a source: expected {expected_name(name)}, as in {example!r}")
    return lambda path, article: name
