"""Parquet for DuckDB, pandas and others: instants with their zone, tags as lists, media as lists of structs.

It needs pyarrow, which the extra `kzfeed[parquet]` installs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from kzfeed.errors import UsageError
from kzfeed.export.run import Write
from kzfeed.model.articles import StoredArticle
from kzfeed.store.column_kinds import columns_of_article, columns_of_lists
from kzfeed.store.records import ArticleRecord, SourceRecord, Values, whole_row

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as error:
    raise UsageError(f"Parquet needs pyarrow: install kzfeed[parquet] ({error})") from error

GROUP_ROWS = 10_000
GROUP_CHARACTERS = 16 * 2**20
"""The size of a row group, which is in memory as a whole."""

_TYPES: dict[str, Callable[[], Any]] = {
    "text": pa.string,
    "instant": lambda: pa.timestamp("ms", tz="UTC"),
    "whole": pa.int32,
    "large": pa.int64,
    "true or false": pa.bool_,
}


@contextmanager
def writer(stream: BinaryIO, *, versions: bool) -> Iterator[Write]:
    """Writes a row for each article, in groups of a bounded size. Older versions are a list of structs."""
    schema = _schema(versions=versions)
    rows: list[Values] = []
    size = 0
    with parquet.ParquetWriter(stream, schema, compression="zstd") as file:

        def flush() -> None:
            nonlocal size
            file.write_table(pa.Table.from_pylist(rows, schema=schema))
            rows.clear()
            size = 0

        def write(article: StoredArticle, record: ArticleRecord, _sources: Sequence[SourceRecord]) -> None:
            nonlocal size
            rows.append(_row(article, record))
            size += len(article.content) + len(article.text)
            size += sum(len(each["content"]) + len(each["text"]) for each in record.versions)
            if len(rows) >= GROUP_ROWS or size >= GROUP_CHARACTERS:
                flush()

        yield write
        flush()


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
