"""Parquet for DuckDB, pandas and others: instants with their zone, tags as lists, media as lists of structs.

It needs pyarrow, which the extra `kzfeed[parquet]` installs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from kzfeed.errors import UsageError
from kzfeed.export.run import Write
from kzfeed.model.articles import StoredArticle
from kzfeed.store.transfer.column_kinds import columns_of_article, columns_of_lists
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord, Values, whole_row

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as error:
    raise UsageError(f"Parquet needs pyarrow: install kzfeed[parquet] ({error})") from error

GROUP_ROWS = 10_000
GROUP_BYTES = 16 * 2**20
"""The most rows of a row group, and the size at which it ends: it is in memory as a whole."""
_PART_ROWS = 200
_PART_CHARACTERS = 2**20
"""The rows that are turned into columns together. As Python's objects they take several times the memory."""

_TYPES: dict[str, Callable[[], Any]] = {
    "text": pa.string,
    "instant": lambda: pa.timestamp("ms", tz="UTC"),
    "integer": pa.int32,
    "bigint": pa.int64,
    "double": pa.float64,
    "boolean": pa.bool_,
}


@contextmanager
def writer(stream: BinaryIO, *, versions: bool) -> Iterator[Write]:
    """Writes a row for each article, in groups of a bounded size. Older versions are a list of structs."""
    schema = _schema(versions=versions)
    with parquet.ParquetWriter(stream, schema, compression="zstd") as file:
        group = _RowGroup(file, schema)
        yield group.add
        group.write()


class _RowGroup:
    """The row group that is being gathered."""

    def __init__(self, file: Any, schema: Any) -> None:
        self._file, self._schema = file, schema
        self._parts: list[Any] = []
        self._rows: list[Values] = []
        self._characters = 0

    def add(self, article: StoredArticle, record: ArticleRecord, _sources: Sequence[SourceRecord]) -> None:
        """Add an article, and write the group if it is full."""
        self._rows.append(_row(article, record))
        self._characters += len(article.content) + len(article.text)
        self._characters += sum(len(each["content"]) + len(each["text"]) for each in record.versions)
        if len(self._rows) >= _PART_ROWS or self._characters >= _PART_CHARACTERS:
            self._end_part()
            rows, size = sum(part.num_rows for part in self._parts), sum(part.nbytes for part in self._parts)
            if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                self.write()

    def write(self) -> None:
        """Write the gathered rows as one row group, and begin another."""
        self._end_part()
        self._file.write_table(pa.concat_tables(self._parts))
        self._parts.clear()

    def _end_part(self) -> None:
        self._parts.append(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()
        self._characters = 0


def _schema(*, versions: bool) -> Any:
    fields = [(name, _TYPES[kind]()) for name, kind in columns_of_article().items()]
    for name, columns in columns_of_lists().items():
        if name == "tags":
            fields.append((name, pa.list_(pa.string())))
        elif name != "versions" or versions:
            fields.append((name, pa.list_(pa.struct([(column, _TYPES[kind]()) for column, kind in columns.items()]))))
    return pa.schema(fields)


def _row(article: StoredArticle, record: ArticleRecord) -> Values:
    tags = [row["tag"] for row in record.belonging.get("tags", ())]
    return {**whole_row(article, record), **record.belonging, "tags": tags, "versions": record.versions}
