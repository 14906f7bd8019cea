"""The list `kzfeed-export.jsonl` of an export: a line of JSON for each file, with all that archive files cannot say.

The line of an article's newest version restores the article with all its versions; docs/export.md has the fields.
"""

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from kzfeed.backfill.file_reader import SUFFIXES
from kzfeed.errors import KzfeedError
from kzfeed.files.compressed import open_decompressed
from kzfeed.store.transfer.record_json import article_of_json, json_of_article, json_of_source, json_of_version
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord

MAX_LINE_BYTES = 16 * 2**20
MAX_NAME_LENGTH = 1024


class UnreadableList(KzfeedError):  # noqa: N818 - it says what the list is
    """The list of an export cannot be read at all."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export: its path in the export's folder, with `/`, and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ListLine:
    """A line of a list or of JSON Lines, or an entry of an Atom feed: its number, and its JSON object or `refusal`."""

    number: int
    given: dict[str, Any]
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class ListedArticle:
    """An article as a list describes it: its record without texts, its file, and the files of its older versions."""

    line: int
    record: ArticleRecord
    file: ExportedFile
    versions: tuple[ExportedFile, ...]


# --- writing ---------------------------------------------------------------------------------------------------------


def lines_of_article(
    record: ArticleRecord,
    file: ExportedFile,
    older: Sequence[ExportedFile],
    sources: Iterable[SourceRecord],
    listed: Sequence[dict[str, Any]] = (),
) -> bytes:
    """The lines of an article: one for each older version, then that of the newest one.

    `older` are the files of the record's versions, in their order; `sources` are described in the newest one's line.
    `listed` are older versions in the list of an earlier export, which have their lines already.
    """
    article = record.article
    versions = [
        {"name": each.name, "sha256": each.sha256} | json_of_version(values)
        for each, values in zip(older, record.versions, strict=True)
    ]
    shared = {"url_hash": article["url_hash"], "url": article["url"]}
    newest: dict[str, Any] = {"name": file.name, "sha256": file.sha256, "newest": True}
    newest |= {"guid": _guid(record), **json_of_article(record), "versions": [*listed, *versions]}
    if described := [json_of_source(source) for source in sources]:
        newest["sources"] = described
    objects = [*({**version, "newest": False, **shared} for version in versions), newest]
    return b"".join(json.dumps(each, ensure_ascii=False, allow_nan=False).encode() + b"\n" for each in objects)


def _guid(record: ArticleRecord) -> str | None:
    """The guid given by the source that had the article first."""
    guids = {row["source"]: row["guid"] for row in record.belonging.get("sightings", ())}
    guid: str | None = guids.get(record.article["source"])
    return guid


# --- reading ---------------------------------------------------------------------------------------------------------


def read_lines(path: Path) -> Iterator[ListLine]:
    """The lines of a list, one at a time in memory. Raises UnreadableList."""
    try:
        with open_decompressed(path) as file:
            yield from lines_of(file, MAX_LINE_BYTES)
    except OSError as error:
        raise UnreadableList(f"{path}: this list of an export cannot be read: {error.strerror}") from error


def lines_of(file: BinaryIO, most: int) -> Iterator[ListLine]:
    """The lines of a file of JSON Lines. One that is longer than `most` bytes is refused. Raises OSError."""
    number = 0
    while line := file.readline(most + 1):
        number += 1
        if len(line) > most:
            while line and not line.endswith(b"\n"):
                line = file.readline(most)
            yield ListLine(number, {}, f"expected at most {most} bytes")
        else:
            yield _parsed(number, line)


def _parsed(number: int, line: bytes) -> ListLine:
    try:
        given = json.loads(line.decode().rstrip("\r\n"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return ListLine(number, {}, f"expected UTF-8: {error.reason}")
    except json.JSONDecodeError as error:
        return ListLine(number, {}, f"expected JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return ListLine(number, {}, f"expected JSON: {error or 'nested too deep'}")
    if not isinstance(given, dict):
        return ListLine(number, {}, "expected a JSON object")
    return ListLine(number, given)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def exported_file(given: dict[str, Any]) -> ExportedFile:
    """The file that a line or a version in it names. Raises ValueError if the name may lead out of the folder."""
    name, sha256 = given.get("name"), given.get("sha256")
    if not isinstance(name, str) or not _is_safe(name):
        raise ValueError(f"name is {name!r:.80}: expected the path of a .txt or .md file in the folder of the list")
    if not isinstance(sha256, str) or not sha256:
        raise ValueError(f"sha256 is {sha256!r:.80}: expected 64 hexadecimal digits")
    return ExportedFile(name, sha256)


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        str(path) == name
        and len(name) <= MAX_NAME_LENGTH
        and name.isprintable()
        and name.endswith(SUFFIXES)
        and not path.is_absolute()
        and ".." not in path.parts
    )


def listed_article(line: ListLine) -> ListedArticle:
    """The article that a newest version's line describes. Raises ValueError, which says what is wrong."""
    file, record = exported_file(line.given), article_of_json(line.given)
    return ListedArticle(line.number, record, file, tuple(map(exported_file, line.given.get("versions", []))))


class NameSet:
    """A set of file names in eight bytes each. It is fast if all names are added before the first is looked up."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._is_sorted = True

    def add(self, name: str) -> None:
        """Add a name."""
        # A process has a secret of its own for hashes of strings: nobody can choose names that collide.
        self._hashes.append(hash(name))
        self._is_sorted = False

    def __contains__(self, name: str) -> bool:
        if not self._is_sorted:
            self._hashes, self._is_sorted = array("q", sorted(self._hashes)), True
        place = bisect_left(self._hashes, hash(name))
        return place < len(self._hashes) and self._hashes[place] == hash(name)
