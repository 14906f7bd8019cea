"""The flow of an export: articles from the store, one at a time, to a writer."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from kzfeed.model.articles import StoredArticle
from kzfeed.store.engine import Database
from kzfeed.store.queries.article_queries import Selection
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord, stream_records

Write = Callable[[StoredArticle, ArticleRecord, list[SourceRecord]], None]
"""A function that writes one article, and the sources that no article before has mentioned."""

Writer = AbstractContextManager[Write]
"""A writer of one format. The block writes articles, and the export is complete when the block has ended."""


def export(
    database: Database,
    selection: Selection,
    writer: Writer,
    *,
    versions: bool = False,
    on_article: Callable[[int], None] = lambda done: None,
) -> tuple[int, tuple[int, ...]]:
    """Write the selected articles in the order of `article_queries.stream`; older versions too with `versions`.

    Returns how many articles were written, and the ids of articles on damaged pages of the database, which are
    incomplete or missing in the export. `on_article` is called with the number of articles done. Raises DatabaseError,
    OSError.
    """
    done = 0
    unreadable: set[int] = set()
    with writer as write:
        for article, record, sources in stream_records(database, selection, unreadable.add, versions=versions):
            write(article, record, sources)
            done += 1
            on_article(done)
    return done, tuple(sorted(unreadable))
