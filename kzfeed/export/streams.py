"""The writer of each format that is one stream of bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kzfeed.export import csv_table, json_lines
from kzfeed.export.destination import Format, open_stream
from kzfeed.export.run import Write, Writer

_WRITERS: dict[Format, Callable[[BinaryIO], Writer]] = {
    Format.JSONL: json_lines.writer,
    Format.CSV: csv_table.writer,
}


@contextmanager
def stream_writer(form: Format, destination: Path, standard_output: BinaryIO) -> Iterator[Write]:
    """The writer of a format to a file or to standard output. Raises OSError."""
    with open_stream(destination, standard_output) as stream, _WRITERS[form](stream) as write:
        yield write
