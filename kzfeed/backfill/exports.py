"""Restore of an export: its list and files, JSON Lines or Atom feed become the articles that were exported.

The export may come from anybody. What does not fit is refused with the number of its line, and the rest is restored.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kzfeed.backfill.export_list import (
    ListedArticle,
    ListLine,
    NameSet,
    UnreadableList,
    exported_file,
    listed_article,
    read_lines,
)
from kzfeed.backfill.file_reader import FileRead, FoundFile, read_files
from kzfeed.backfill.stream import read_stream, streamed_article, with_texts
from kzfeed.model.articles import Tally
from kzfeed.store.engine import Database
from kzfeed.store.transfer.record_json import source_of_json
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord
from kzfeed.store.transfer.restore import Restored, restore_articles, restore_sources

BATCH_ARTICLES = 100
BATCH_CHARACTERS = 8 * 2**20
BATCH_SOURCES = 50

OnRefused = Callable[[str], None]
"""A callback with the reason why a file or a line of the list is refused."""


@dataclass(frozen=True, slots=True)
class RestoreStep:
    """How many files or lines were restored or refused since the last step, and the tally of the restored ones."""

    files: int = 0
    refused: int = 0
    tally: Tally = Tally()  # noqa: RUF009 - frozen


class ExportList:
    """A list of an export in its folder: it says which files it names, and restores the articles that it describes."""

    def __init__(self, path: Path, on_refused: OnRefused) -> None:
        self.path = path
        self._folder = path.parent
        self._on_refused = on_refused
        self._names, self._restorable = NameSet(), NameSet()
        self._unreadable = ""
        """What of the list cannot be read, as part of a sentence."""

    def names(self, file: Path) -> bool:
        """Whether a line names this file."""
        return file.is_relative_to(self._folder) and file.relative_to(self._folder).as_posix() in self._names

    def refusal_of(self, file: Path) -> str | None:
        """Why a file that no line names is refused: what cannot be read of the list may be about it."""
        if self._unreadable and file.is_relative_to(self._folder):
            return f"{file}: not in {self.path}, {self._unreadable}"
        return None

    def restore(self, database: Database) -> Iterator[RestoreStep]:
        """Restore all articles of the list, a few in each step. Raises DatabaseError; earlier steps stay stored."""
        try:
            yield from self._restore_sources(database)
            yield from self._restore_articles(database)
        except UnreadableList as error:
            self._unreadable = "which cannot be read"
            yield self._refuse(str(error))

    # --- the first reading: names and sources ------------------------------------------------------------------------

    def _restore_sources(self, database: Database) -> Iterator[RestoreStep]:
        """Learn the names of the files, and restore the sources, so that they are there before their articles."""
        sources: list[SourceRecord] = []
        for line in read_lines(self.path):
            if line.refusal:
                self._note_unreadable(line)
                yield self._refuse(self._at(line.number, line.refusal))
                continue
            self._learn_names(line)
            try:
                sources += map(source_of_json, _list(line.given, "sources"))
            except ValueError as error:
                yield self._refuse(self._at(line.number, str(error)))
            if len(sources) >= BATCH_SOURCES:
                restore_sources(database, sources)
                sources = []
        if sources:
            restore_sources(database, sources)

    def _learn_names(self, line: ListLine) -> None:
        try:
            self._names.add(exported_file(line.given).name)
        except ValueError:  # the second reading refuses it
            self._note_unreadable(line)
        if line.given.get("newest") is True:
            for version in _list(line.given, "versions"):
                if isinstance(version, dict) and isinstance(version.get("name"), str):
                    self._restorable.add(version["name"])

    def _note_unreadable(self, line: ListLine) -> None:
        self._unreadable = self._unreadable or f"of which line {line.number} cannot be read"

    # --- the second reading: articles --------------------------------------------------------------------------------

    def _restore_articles(self, database: Database) -> Iterator[RestoreStep]:
        refused: list[RestoreStep] = []
        batch: list[tuple[ListedArticle, ArticleRecord]] = []
        size = 0
        for listed, read in self._read(refused):
            yield from refused
            refused.clear()
            try:
                record = _restorable(listed, read)
            except ValueError as error:
                yield self._refuse(self._at(listed.line, f"{listed.file.name}: {error}"), len(read))
                continue
            batch.append((listed, record))
            size += sum(len(each["content"]) for each in (record.article, *record.versions))
            if len(batch) >= BATCH_ARTICLES or size >= BATCH_CHARACTERS:
                yield from self._store(database, batch)
                batch, size = [], 0
        yield from refused
        if batch:
            yield from self._store(database, batch)

    def _read(self, refused: list[RestoreStep]) -> Iterator[tuple[ListedArticle, list[FileRead]]]:
        """The articles of the list with their files read, the newest version last. Appends the others to `refused`."""
        waiting: deque[ListedArticle] = deque()

        def files() -> Iterator[FoundFile]:
            for line in read_lines(self.path):
                try:
                    listed = self._listed(line)
                except ValueError as error:
                    refused.append(self._refuse(self._at(line.number, str(error))))
                    continue
                if listed:
                    waiting.append(listed)
                    for file in (*listed.versions, listed.file):
                        yield self._found(file.name, file.sha256)

        read: list[FileRead] = []
        for _, each in read_files(files()):
            read.append(each)
            if len(read) == len(waiting[0].versions) + 1:
                yield waiting.popleft(), read
                read = []

    def _listed(self, line: ListLine) -> ListedArticle | None:
        """The article of a line; None for a line of an older version, which is restored with its newest one."""
        if line.refusal:
            return None  # the first reading has refused it
        if line.given.get("newest") is True:
            return listed_article(line)
        if exported_file(line.given).name not in self._restorable:
            raise ValueError("no line of a newest version names this older version")
        return None

    def _found(self, name: str, sha256: str) -> FoundFile:
        path = self._folder / name
        if not path.resolve().is_relative_to(self._folder.resolve()):
            return FoundFile(path, f"{path}: a symbolic link out of the folder")
        return FoundFile(path, sha256=sha256)

    def _store(self, database: Database, batch: list[tuple[ListedArticle, ArticleRecord]]) -> Iterator[RestoreStep]:
        results = restore_articles(database, [record for _, record in batch])
        for (listed, _), result in zip(batch, results, strict=True):
            files = len(listed.versions) + 1
            yield RestoreStep(files, 0, _tally(result, files))

    def _refuse(self, reason: str, files: int = 1) -> RestoreStep:
        self._on_refused(reason)
        return RestoreStep(files=files, refused=files)

    def _at(self, line: int, reason: str) -> str:
        return f"{self.path}: line {line}: {reason}"


class ExportStream:
    """A file of whole articles, such as JSON Lines."""

    def __init__(self, path: Path, on_refused: OnRefused) -> None:
        self.path = path
        self._on_refused = on_refused

    def restore(self, database: Database) -> Iterator[RestoreStep]:
        """Restore all articles of the file, a few in each step. Raises DatabaseError; earlier steps stay stored."""
        # In a reading of their own, because the lines may be in any order.
        sources: list[SourceRecord] = []
        for line in read_stream(self.path):
            with suppress(ValueError):  # the second reading refuses it
                sources += map(source_of_json, _list(line.given, "sources"))
            if len(sources) >= BATCH_SOURCES:
                restore_sources(database, sources)
                sources = []
        if sources:
            restore_sources(database, sources)
        yield from self._restore_articles(database)

    def _restore_articles(self, database: Database) -> Iterator[RestoreStep]:
        batch: list[ArticleRecord] = []
        size = 0
        for line in read_stream(self.path):
            try:
                record = _streamed(line)
            except ValueError as error:
                self._on_refused(f"{self.path}: line {line.number}: {error}")
                yield RestoreStep(files=1, refused=1)
                continue
            batch.append(record)
            size += sum(len(each["content"]) for each in (record.article, *record.versions))
            if len(batch) >= BATCH_ARTICLES or size >= BATCH_CHARACTERS:
                yield self._store(database, batch)
                batch, size = [], 0
        if batch:
            yield self._store(database, batch)

    def _store(self, database: Database, batch: list[ArticleRecord]) -> RestoreStep:
        tally = Tally()
        for record, result in zip(batch, restore_articles(database, batch), strict=True):
            tally += _tally(result, len(record.versions) + 1 if result == "new" else 1)
        return RestoreStep(files=len(batch), tally=tally)


def _streamed(line: ListLine) -> ArticleRecord:
    if line.refusal:
        raise ValueError(line.refusal)
    for source in _list(line.given, "sources"):
        source_of_json(source)
    return streamed_article(line.given)


def _tally(result: Restored, files: int) -> Tally:
    if result == "new":
        return Tally(new=1, revised=files - 1)
    return Tally(revised=1, unchanged=files - 1) if result == "merged" else Tally(unchanged=files)


def _restorable(listed: ListedArticle, read: list[FileRead]) -> ArticleRecord:
    """The record with the texts of its files. Raises ValueError where a file was refused or does not fit."""
    articles = []
    for each in read:
        if each.article is None:
            raise ValueError(each.refusal)
        articles.append(each.article)
    *older, newest = articles
    record = with_texts(listed.record, newest, older)
    row = record.article
    for values, article in ((row, newest), *zip(record.versions, older, strict=True)):
        if article.url != row["url"] or (article.url is None and article.url_hash != row["url_hash"]):
            raise ValueError(f"url is {row['url']!r}, and the file has {article.url or article.url_hash!r}")
        if article.published_at != values.get("published_at", row["published_at"]):
            raise ValueError("published_at is another date than that of the file")
    return record


def _list(given: dict[str, object], key: str) -> list[object]:
    found = given.get(key)
    return found if isinstance(found, list) else []
