"""Choice of the writer for a format that is one stream of bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kzfeed.export import atom, csv_table, json_lines
from kzfeed.export.destination import open_stream
from kzfeed.export.formats import Format
from kzfeed.export.run import Write, Writer


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of articles to be written: its format, its destination, and the time of the export."""

    form: Format
    destination: Path
    standard_output: BinaryIO
    now: datetime
    versions: bool


@contextmanager
def stream_writer(to: Stream) -> Iterator[Write]:
    """The writer of the stream. Raises OSError, and UsageError where a library is missing."""
    make = _maker(to)
    with open_stream(to.destination, to.standard_output) as stream, make(stream) as write:
        yield write


def _maker(to: Stream) -> Callable[[BinaryIO], Writer]:
    match to.form:
        case Format.JSONL:
            return json_lines.writer
        case Format.CSV:
            return csv_table.writer
        case Format.ATOM:
            return partial(atom.writer, now=to.now)
        case Format.PARQUET:
            from kzfeed.export import parquet  # it imports a library that need not be installed

            return partial(parquet.writer, versions=to.versions)
    raise ValueError(f"{to.form} is no stream")
