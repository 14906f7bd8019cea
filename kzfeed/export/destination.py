"""The destination of an export: the format that its name asks for, and the stream of bytes to write to."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from kzfeed.errors import UsageError
from kzfeed.export.formats import STANDARD_OUTPUT, Format
from kzfeed.files.atomic_file import atomic_file
from kzfeed.files.compressed import ENDING, compressing, is_compressed

_BY_ENDING = {
    ".jsonl": Format.JSONL,
    ".csv": Format.CSV,
    ".parquet": Format.PARQUET,
    ".atom": Format.ATOM,
    ".xml": Format.ATOM,
}
_NO_FOLDERS = frozenset(
    {
        *(".7z", ".bz2", ".gz", ".tar", ".tgz", ".xz", ".zip"),
        *(".db", ".json", ".ndjson", ".ods", ".rss", ".sql", ".sqlite", ".tsv", ".xlsx", ".yaml"),
        *(".doc", ".docx", ".epub", ".htm", ".html", ".md", ".mobi", ".odt", ".pdf", ".txt"),
    }
)
"""Endings of files that kzfeed does not write: a folder with such a name is probably not wanted."""


def format_for(destination: Path, given: Format | None) -> Format:
    """The given format, or the one that the destination's name asks for. Raises UsageError if the two do not fit."""
    plain = Path(destination.name[: -len(ENDING)]) if is_compressed(destination) else destination
    if given is None and destination != STANDARD_OUTPUT:
        given = Format.FILES if destination.is_dir() else _BY_ENDING.get(plain.suffix.lower())
        if given is None and (is_compressed(destination) or plain.suffix.lower() in _NO_FOLDERS):
            known = ", ".join(_BY_ENDING)
            raise UsageError(f"{destination}: no format has this ending ({known}, or a folder): give --format")
    if destination == STANDARD_OUTPUT and given in (None, Format.FILES, Format.PARQUET):
        reason = {
            None: "give --format jsonl, csv or atom",
            Format.FILES: "archive files need a folder",
            Format.PARQUET: "a reader of Parquet seeks in its file, so name a file",
        }
        raise UsageError(f"standard output is one stream: {reason[given]}")
    if given == Format.PARQUET and is_compressed(destination):
        raise UsageError(f"{destination}: Parquet is compressed inside: leave {ENDING} out")
    if given not in (None, Format.FILES) and destination.is_dir():
        raise UsageError(f"{destination} is a folder: {given} needs the name of a file")
    if given in (None, Format.FILES) and destination.exists() and not destination.is_dir():
        raise UsageError(f"{destination} is not a folder: archive files need one")
    return given or Format.FILES


@contextmanager
def open_stream(destination: Path, standard_output: BinaryIO) -> Iterator[BinaryIO]:
    """The stream of bytes to write to. A file appears whole or not at all, and folders above it are made.

    Raises OSError, which names the destination.
    """
    try:
        with ExitStack() as stack:
            if destination == STANDARD_OUTPUT:
                stream = standard_output
            elif destination.exists() and not destination.is_file():  # a pipe or a device
                stream = stack.enter_context(destination.open("wb"))
            else:
                destination.parent.mkdir(parents=True, exist_ok=True)
                temporary = stack.enter_context(atomic_file(destination))
                stream = stack.enter_context(temporary.open("wb"))
            if is_compressed(destination):
                stream = stack.enter_context(compressing(stream))
            yield stream
            if destination == STANDARD_OUTPUT:
                stream.flush()
    except OSError as error:
        if error.filename is None:
            error.filename = "standard output" if destination == STANDARD_OUTPUT else str(destination)
        raise
