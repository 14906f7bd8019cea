"""Files that may be compressed with Zstandard (RFC 8878): a name with the ending `.zst` says so."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from kzfeed.files.regular_file import open_regular_file

ENDING = ".zst"

_READ_BYTES = 1 << 10
"""A block of 4 bytes may be 128 KiB long (RFC 8878 §3.1.1.2.3), so a kilobyte becomes 32 MiB at most."""


def is_compressed(path: Path) -> bool:
    """Whether the file's name says that it is compressed."""
    return path.name.lower().endswith(ENDING)


@contextmanager
def compressing(stream: BinaryIO) -> Iterator[BinaryIO]:
    """A stream whose bytes are written to `stream` compressed, complete at the end of the block."""
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    with compressor.stream_writer(stream, closefd=False) as compressed:
        yield cast(BinaryIO, compressed)


@contextmanager
def open_decompressed(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a regular file, decompressed where its name says that it is compressed.

    Raises NotRegularFile, and OSError where it cannot be opened; reading raises OSError where compressed bytes are
    damaged or cut off.
    """
    with open_regular_file(path) as file:
        yield cast(BinaryIO, io.BufferedReader(_Decompressed(file), 1 << 16)) if is_compressed(path) else file


class _Decompressed(io.RawIOBase):
    """The bytes of a compressed file. A file that ends within a frame is an error and never a short text."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._file.read(_READ_BYTES)
            if not data:
                if self._frame:
                    raise OSError(None, "the file is cut off: its compressed data has no end")
                return 0
            self._ready = memoryview(self._decompress(data))
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._ready))
        target[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _decompress(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        while data:
            self._frame = self._frame or self._decompressor.decompressobj()
            try:
                pieces.append(self._frame.decompress(data))
            except zstandard.ZstdError as error:
                raise OSError(None, f"the file is not what {ENDING} says: {error}") from error
            data = b""
            if self._frame.eof:
                data, self._frame = self._frame.unused_data, None
        return b"".join(pieces)
