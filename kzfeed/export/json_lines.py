"""JSON Lines: an object in each line, with all that the database holds of an article. `backfill` restores from them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from kzfeed.export.run import Write
from kzfeed.model.articles import StoredArticle
from kzfeed.store.transfer.record_json import json_of_whole_article
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord
from kzfeed.text import json_line


@contextmanager
def writer(stream: BinaryIO) -> Iterator[Write]:
    """Writes a line for each article. A line describes the sources that no line before has mentioned."""

    def write(article: StoredArticle, record: ArticleRecord, sources: Sequence[SourceRecord]) -> None:
        stream.write(json_line(json_of_whole_article(article, record, sources)).encode() + b"\n")

    yield write
