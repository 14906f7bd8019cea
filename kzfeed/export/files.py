"""Archive files in folders, with a list of them that `backfill` restores from.

Two exports of one database are identical trees. Each file appears whole or not at all.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kzfeed.article.archive_file import render, render_with
from kzfeed.article.build import file_of_article
from kzfeed.backfill.export_list import ExportedFile, NameSet, lines_of_article, read_lines
from kzfeed.backfill.file_reader import EXPORT_LIST
from kzfeed.export.formats import Layout
from kzfeed.export.run import Write
from kzfeed.files.atomic_file import atomic_file
from kzfeed.model.articles import StoredArticle
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord, Values
from kzfeed.text import json_line


class FileTree:
    """The folder of an export, which is made if it is missing, and what happened to its files.

    Other files stay unchanged, and those that an earlier export listed stay listed. Only `HASH.v1.txt`, as the first
    kzfeed named an older version, becomes `HASH.r1.txt`.
    """

    def __init__(self, folder: Path, layout: Layout, total: int, *, front_matter: bool = False) -> None:
        self.written = self.unchanged = 0
        """How many files were written, and how many existed already with the same bytes."""
        self._folder = folder
        self._front_matter = front_matter
        self._path_of = _in_tree if layout == "tree" else _numbered(total)

    @contextmanager
    def writer(self) -> Iterator[Write]:
        """Writes each article as an archive file, and its older versions beside it."""
        names = NameSet()
        number = 0
        self._folder.mkdir(parents=True, exist_ok=True)
        listed = _versions_listed_before(self._folder)
        with atomic_file(self._folder / EXPORT_LIST) as temporary, temporary.open("wb") as listing:

            def write(article: StoredArticle, record: ArticleRecord, sources: Sequence[SourceRecord]) -> None:
                nonlocal number
                versions = [*(_version_of(article, values) for values in record.versions), article]
                path = self._path_of(number, article)
                number += 1
                exported = [self._write(_path_of_version(path, each, article), each) for each in versions]
                for file in exported:
                    names.add(file.name)
                for each in record.versions:
                    (self._folder / path.with_suffix(f".v{each['revision']}.txt")).unlink(missing_ok=True)
                before = [] if record.versions else listed.get(article.url_hash, [])
                still = [
                    each
                    for each in before
                    if each["revision"] < article.revision and (self._folder / each["name"]).is_file()
                ]
                listing.write(lines_of_article(record, exported[-1], exported[:-1], sources, still))

            yield write
            for line in _listed_before(self._folder, names):
                listing.write(line)

    def _write(self, path: Path, version: StoredArticle) -> ExportedFile:
        data = archive_file_bytes(version, front_matter=self._front_matter)
        if write_file(self._folder / path, data):
            self.written += 1
        else:
            self.unchanged += 1
        return ExportedFile(str(path), hashlib.sha256(data).hexdigest())


_OF_VERSION = ("revision", "title", "content", "published_at", "published_raw", "front_matter")


def _version_of(article: StoredArticle, values: Values) -> StoredArticle:
    return replace(article, **{name: values[name] for name in _OF_VERSION if name in values})


def _path_of_version(path: Path, version: StoredArticle, newest: StoredArticle) -> Path:
    return path if version is newest else path.with_suffix(f".r{version.revision}.txt")


def _versions_listed_before(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The older versions in the list of an earlier export into this folder, by url_hash."""
    path = folder / EXPORT_LIST
    if not path.is_file():
        return {}
    found = {}
    for line in read_lines(path):
        versions = line.given.get("versions")
        if isinstance(versions, list) and versions and all(isinstance(each, dict) for each in versions):
            named = [
                each for each in versions if isinstance(each.get("name"), str) and isinstance(each.get("revision"), int)
            ]
            found[str(line.given.get("url_hash"))] = named
    return found


def _listed_before(folder: Path, names: NameSet) -> Iterator[bytes]:
    """The lines of an earlier export into this folder whose files still exist and are not listed anew."""
    path = folder / EXPORT_LIST
    if not path.is_file():
        return
    for line in read_lines(path):
        name = line.given.get("name")
        if isinstance(name, str) and name not in names and (folder / name).is_file():
            yield json_line(line.given).encode() + b"\n"


def archive_file_bytes(article: StoredArticle, *, front_matter: bool = False) -> bytes:
    """The article in the archive file format, with `front_matter` after that of its file, if there was any."""
    file = file_of_article(article)
    return render_with(article.front_matter or "", file) if front_matter else render(file)


def _in_tree(_number: int, article: StoredArticle) -> Path:
    return tree_path(article.source, article.published_at, article.url_hash)


def tree_path(source: str, published_at: datetime | None, url_hash: str) -> Path:
    """The path of an article's file in the layout `tree`."""
    when = Path(f"{published_at.year:04}", f"{published_at.month:02}") if published_at else Path("undated")
    return Path(source, when, f"{url_hash[:16]}.txt")


def _numbered(total: int) -> Callable[[int, StoredArticle], Path]:
    width = max(3, len(str(total - 1)))
    return lambda number, article: Path(f"{number:0{width}}_{article.url_hash[:16]}.txt")


def write_file(path: Path, data: bytes) -> bool:
    """Write the file unless it holds these bytes already; whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)
    return True
