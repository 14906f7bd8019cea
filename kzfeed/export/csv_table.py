"""CSV (RFC 4180) in UTF-8: a row for each article, with the columns of `articles`, its tags and its media.

Texts are written as they are stored: docs/export.md says how to open them in a spreadsheet, which may take a text
that begins with `=` for a formula.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO

from kzfeed.export.run import Write
from kzfeed.instants import iso_text
from kzfeed.model.articles import StoredArticle
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord, article_columns, whole_row

TAG_SEPARATOR = "; "
MEDIA_SEPARATOR = " "
"""Addresses have no spaces in them."""


@contextmanager
def writer(stream: BinaryIO) -> Iterator[Write]:
    """Writes a line of column names, then a row for each article."""
    rows = csv.writer(_Encoded(stream))  # its lines end with CRLF
    columns = list(article_columns())
    rows.writerow([*columns, "tags", "media"])

    def write(article: StoredArticle, record: ArticleRecord, _sources: Sequence[SourceRecord]) -> None:
        values = whole_row(article, record)
        tags = TAG_SEPARATOR.join(row["tag"] for row in record.belonging.get("tags", ()))
        media = MEDIA_SEPARATOR.join(row["url"] for row in record.belonging.get("media", ()))
        rows.writerow([*(_cell(values.get(name)) for name in columns), tags, media])

    yield write


class _Encoded:
    """A stream of text that writes UTF-8 to a stream of bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


def _cell(value: Any) -> Any:
    return iso_text(value) if isinstance(value, datetime) else value
