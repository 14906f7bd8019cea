"""Exports of the articles that pass a filter, as JSON Lines or CSV: streamed, without a limit on their number.

Articles are read in batches, the newest first, so that no query takes long. Records of sources are left out.
"""

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import chain, islice

from starlette.responses import Response, StreamingResponse

from kzfeed.export import csv_table, json_lines
from kzfeed.export.run import Writer
from kzfeed.store.queries.article_list import position_of
from kzfeed.web.archive import Archive
from kzfeed.web.article_filter import ArticleFilter, parse_filter, unindexed_header
from kzfeed.web.page import PageRequest

BATCH = 100

MakeWriter = Callable[[BytesIO], Writer]


def as_json_lines(request: PageRequest) -> Response:
    """The filtered articles as JSON Lines."""
    return _stream(request, json_lines.writer, "application/jsonl", "articles.jsonl")


def as_csv(request: PageRequest) -> Response:
    """The filtered articles as CSV."""
    return _stream(request, csv_table.writer, "text/csv; charset=utf-8", "articles.csv")


def _stream(request: PageRequest, make_writer: MakeWriter, media_type: str, name: str) -> Response:
    wanted = parse_filter(request)
    unindexed = unindexed_header(wanted.unindexed(request.archive))
    batches = _batches(request, wanted)
    # The first batch is read before the answer begins, so that an error still has a status of its own.
    first = list(islice(batches, 1))
    parts = _parts(request.archive, chain(first, batches), make_writer)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(parts, media_type=media_type, headers=headers | unindexed)


def _batches(request: PageRequest, wanted: ArticleFilter) -> Iterator[list[int]]:
    """The ids of the articles, some at a time."""
    after = None
    while rows := wanted.first(request, after, BATCH):
        yield [row["id"] for row in rows]
        after = position_of(rows[-1]).key


def _parts(archive: Archive, batches: Iterable[list[int]], make_writer: MakeWriter) -> Iterator[bytes]:
    """The export in pieces, each of one batch of articles."""
    stream = BytesIO()

    def written() -> bytes:
        data = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return data

    with make_writer(stream) as write:
        for ids in batches:
            for article, record in archive.records(ids):
                write(article, record, [])
            yield written()
    yield written()
