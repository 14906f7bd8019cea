"""Reader of exports that hold whole articles in one file: JSON Lines and Atom.

They are read line by line, or entry by entry; docs/export.md has the fields.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import URN, article_of_file, has_fingerprint
from kzfeed.article.strings import is_storable
from kzfeed.backfill.atom import read_entries
from kzfeed.backfill.export_list import ListLine, lines_of
from kzfeed.backfill.file_reader import EXPORT_LIST
from kzfeed.files.compressed import ENDING, open_decompressed
from kzfeed.model.articles import Article
from kzfeed.store.transfer.record_json import article_of_json
from kzfeed.store.transfer.records import ArticleRecord, Values

MAX_LINE_BYTES = 256 * 2**20
"""A line holds the texts of all versions of an article."""
JSON_LINES, ATOM = (".jsonl",), (".atom", ".xml")


def is_export_stream(path: Path) -> bool:
    """Whether a file's name says that it holds whole articles. The list of an export holds none."""
    return path.name != EXPORT_LIST and _plain_name(path).endswith(JSON_LINES + ATOM)


def _plain_name(path: Path) -> str:
    return path.name.lower().removesuffix(ENDING)


def read_stream(path: Path) -> Iterator[ListLine]:
    """The lines of the file, one at a time in memory. If reading fails, the last one is a refusal that says so."""
    number = 0
    try:
        with open_decompressed(path) as file:
            is_atom = _plain_name(path).endswith(ATOM)
            for line in read_entries(file) if is_atom else lines_of(file, MAX_LINE_BYTES):
                number = line.number
                yield line
    except OSError as error:
        yield ListLine(number + 1, {}, error.strerror or str(error))


def streamed_article(given: dict[str, Any]) -> ArticleRecord:
    """The article of a line, with its texts. Raises ValueError, which says what is wrong.

    `text` is derived from the content again, because anybody may have written the line.
    """
    record = article_of_json(given)
    row = record.article
    newest = _article("the article", given, row)
    older = [
        _article(f"version {values['revision']}", version, row)
        for values, version in zip(record.versions, given.get("versions", []), strict=True)
    ]
    return with_texts(record, newest, older)


def with_texts(record: ArticleRecord, newest: Article, older: Sequence[Article]) -> ArticleRecord:
    """The record with the texts of these articles, and with their fingerprint unless its own one fits them."""
    row = _with_text(record.article, newest)
    if not has_fingerprint(newest, row["fingerprint"]):
        row["fingerprint"] = newest.fingerprint
    versions = tuple(_with_text(values, article) for values, article in zip(record.versions, older, strict=True))
    return replace(record, article=row, versions=versions)


def _article(what: str, given: dict[str, Any], row: Values) -> Article:
    title, content = given.get("title"), given.get("content")
    for name, text in (("title", title), ("content", content)):
        if not isinstance(text, str) or not is_storable(text):
            raise ValueError(f"the {name} of {what} is {text!r:.80}: expected text that can be stored")
    address = URN + row["url_hash"] if row["url"] is None else row["url"]
    return article_of_file(ArchiveFile(None, str(title), address, str(content)))


def _with_text(values: Values, article: Article) -> Values:
    return values | {"title": article.title, "content": article.content, "text": article.text}
