"""Archive files in folders, with a list of them that `backfill` restores from.

Two exports of one database are identical trees. Each file appears whole or not at all.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kzfeed.article.archive_file import render
from kzfeed.article.build import file_of_article
from kzfeed.atomic_file import atomic_file
from kzfeed.export.formats import Layout
from kzfeed.export.run import Write
from kzfeed.export_list import ExportedFile, NameSet, lines_of_article, read_lines
from kzfeed.file_reader import EXPORT_LIST
from kzfeed.model.articles import StoredArticle
from kzfeed.store.records import ArticleRecord, SourceRecord, Values
from kzfeed.text import json_line


class FileTree:
    """The folder of an export, which is made if it is missing, and what happened to its files.

    Other files stay unchanged, and those that an earlier export listed stay listed.
    """

    def __init__(self, folder: Path, layout: Layout, total: int) -> None:
        self.written = self.unchanged = 0
        """How many files were written, and how many existed already with the same bytes."""
        self._folder = folder
        self._path_of = _in_tree if layout == "tree" else _numbered(total)

    @contextmanager
    def writer(self) -> Iterator[Write]:
        """Writes each article as an archive file, and its older versions beside it."""
        names = NameSet()
        number = 0
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._folder / EXPORT_LIST) as temporary, temporary.open("wb") as listing:

            def write(article: StoredArticle, record: ArticleRecord, sources: Sequence[SourceRecord]) -> None:
                nonlocal number
                files, lines = _files(self._path_of(number, article), article, record, sources)
                number += 1
                for name, data in files.items():
                    names.add(name)
                    if _write(self._folder / name, data):
                        self.written += 1
                    else:
                        self.unchanged += 1
                listing.write(lines)

            yield write
            for line in _listed_before(self._folder, names):
                listing.write(line)


def _files(
    path: Path, article: StoredArticle, record: ArticleRecord, sources: Sequence[SourceRecord]
) -> tuple[dict[str, bytes], bytes]:
    """The files of an article by name, and its lines in the list."""
    older = {
        str(path.with_suffix(f".v{values['revision']}.txt")): archive_file(_version_of(article, values))
        for values in record.versions
    }
    newest = {str(path): archive_file(article)}
    exported = [ExportedFile(name, hashlib.sha256(data).hexdigest()) for name, data in (older | newest).items()]
    return older | newest, lines_of_article(record, exported[-1], exported[:-1], sources)


def _version_of(article: StoredArticle, values: Values) -> StoredArticle:
    columns = {name: values[name] for name in ("title", "content", "published_at", "published_raw") if name in values}
    return replace(article, **columns)


def _listed_before(folder: Path, names: NameSet) -> Iterator[bytes]:
    """The lines of an earlier export into this folder whose files still exist and are not listed anew."""
    path = folder / EXPORT_LIST
    if not path.is_file():
        return
    for line in read_lines(path):
        name = line.given.get("name")
        if isinstance(name, str) and name not in names and (folder / name).is_file():
            yield json_line(line.given).encode() + b"\n"


def archive_file(article: StoredArticle) -> bytes:
    """The article in the archive file format."""
    return render(file_of_article(article))


def _in_tree(_number: int, article: StoredArticle) -> Path:
    published = article.published_at
    when = Path(f"{published.year:04}", f"{published.month:02}") if published else Path("undated")
    return Path(article.source, when, f"{article.url_hash[:16]}.txt")


def _numbered(total: int) -> Callable[[int, StoredArticle], Path]:
    width = max(3, len(str(total - 1)))
    return lambda number, article: Path(f"{number:0{width}}_{article.url_hash[:16]}.txt")


def _write(path: Path, data: bytes) -> bool:
    """Write the file unless it holds these bytes already; whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)
    return True
