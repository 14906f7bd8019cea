"""Folders of archive files into the archive: paths in, a tally out, in batches that are each stored whole.

Running it again, also after a kill, stores what is missing and touches nothing else.
"""

import filecmp
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from pathlib import Path

import structlog

from kzfeed.errors import UsageError
from kzfeed.files import read_files
from kzfeed.hosts import host_of
from kzfeed.model import Article, Tally
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database

BATCH_FILES = 100
BATCH_CHARACTERS = 8 * 2**20

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


@dataclass(slots=True)
class _Batch:
    """Articles that are stored together, each with its source's name, and how far the reading was by then."""

    articles: list[tuple[str, Article]]
    files: int
    refused: int


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
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:
        # While one batch is written, the next one is read.
        batches = _batches(files, source_of, quarantine, progress.leniencies)
        upcoming: _Batch | None = next(batches)
        while upcoming:
            batch = upcoming
            stored = writer.submit(store_files, database, batch.articles, clock())
            upcoming = next(batches, None)
            progress.tally += stored.result()
            progress.files, progress.refused = batch.files, batch.refused
            on_batch(progress)
    for leniency, files_so_read in sorted(progress.leniencies.items()):
        log.warning("files read leniently", leniency=leniency, files=files_so_read)
    return progress


def _batches(
    paths: Iterable[Path], source_of: SourceOf, quarantine: Path | None, leniencies: Counter[str]
) -> Iterator[_Batch]:
    """The files as batches; the last may be empty."""
    batch = _Batch([], 0, 0)
    size = 0
    for path, read in read_files(paths):
        batch.files += 1
        if read.article is None:
            batch.refused += 1
            log.warning("file refused", error=read.refusal)
            if quarantine:
                _set_aside(path, quarantine)
            continue
        if read.leniencies:
            leniencies.update(read.leniencies)
            log.debug("file read leniently", path=str(path), leniencies=read.leniencies)
        batch.articles.append((source_of(path, read.article), read.article))
        size += len(read.article.content)
        if len(batch.articles) >= BATCH_FILES or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = _Batch([], batch.files, batch.refused), 0
    yield batch


def _set_aside(path: Path, quarantine: Path) -> None:
    """Copy a refused file, under its name or the first numbered one that is free; once, however often it is refused."""
    try:
        if not path.is_file():
            log.warning(
                "file not copied aside", path=str(path), error="it is no regular file: a copy would say nothing"
            )
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


def make_quarantine(folder: Path) -> None:
    """Make the folder that refused files are copied into, unless it is there. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        is_taken = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a file is in the way" if is_taken else f"the system says {(error.strerror or str(error))!r}"
        raise UsageError(f"{folder}: no folder for refused files can be made there: {reason}") from error


# --- which source ----------------------------------------------------------------------------------------------------


def by_host(_path: Path, article: Article) -> str:
    """The article's host without `www.`."""
    host = host_of(article.url or "")
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
