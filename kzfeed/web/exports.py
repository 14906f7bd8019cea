"""Exports of the articles that pass a filter, as JSON Lines or CSV: streamed, without a limit on their number.

Articles come page by page, the newest first, so that no statement lasts long. Records of sources are left out.
"""

from collections.abc import Callable, Iterator
from io import BytesIO

from starlette.responses import Response, StreamingResponse

from kzfeed.export import csv_table, json_lines
from kzfeed.export.run import Writer
from kzfeed.store.article_list import position_of
from kzfeed.web.article_filter import ArticleFilter, parse_filter
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
    # The first page is read before the answer begins, so that an error still has a status of its own.
    first = wanted.first(request, None, BATCH)
    parts = _parts(
        request, wanted, [row["id"] for row in first], position_of(first[-1]).key if first else "", make_writer
    )
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(parts, media_type=media_type, headers=headers)


def _parts(
    request: PageRequest, wanted: ArticleFilter, ids: list[int], last: str, make_writer: MakeWriter
) -> Iterator[bytes]:
    """The export in pieces, each of one page of articles."""
    stream = BytesIO()

    def written() -> bytes:
        data = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return data

    with make_writer(stream) as write:
        while ids:
            for article, record in request.archive.records(ids):
                write(article, record, [])
            yield written()
            rows = wanted.first(request, last, BATCH)
            ids, last = [row["id"] for row in rows], position_of(rows[-1]).key if rows else ""
    yield written()
