"""Choice of the writer for a format that is one stream of bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kzfeed.export import atom, csv_table, json_lines
from kzfeed.export.destination import open_stream
from kzfeed.export.formats import Format
from kzfeed.export.run import Write, Writer


@contextmanager
def stream_writer(
    form: Format, destination: Path, standard_output: BinaryIO, *, now: datetime, versions: bool
) -> Iterator[Write]:
    """The writer of a stream of articles; `now` is the time of the export.

    Raises OSError, and UsageError where a library is missing.
    """
    make = _maker(form, now, versions=versions)
    with open_stream(destination, standard_output) as stream, make(stream) as write:
        yield write


def _maker(form: Format, now: datetime, *, versions: bool) -> Callable[[BinaryIO], Writer]:
    match form:
        case Format.JSONL:
            return json_lines.writer
        case Format.CSV:
            return csv_table.writer
        case Format.ATOM:
            return partial(atom.writer, head=atom.exported(now))
        case Format.PARQUET:
            from kzfeed.export import parquet  # it imports a library that need not be installed

            return partial(parquet.writer, versions=versions)
    raise ValueError(f"{form} is no stream")
