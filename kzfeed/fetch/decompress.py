"""Decompression of response bodies under a bound. A decoder never holds more than its limit and a few MiB.

A stream that is cut off, or that is not what Content-Encoding says, is an error and never a short body.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

from kzfeed.fetch.errors import VisitError

ACCEPT_ENCODING = "gzip, deflate, br, zstd"
MAX_CODINGS = 2

_MIB = 1 << 20
_MAX_FRAMES = 10_000
_MAX_PIECES = 4096
_BROTLI_OUTPUT = 256 << 10
_ZSTD_WINDOW = 8 * _MIB  # RFC 9659 §3
_ZSTD_WRITE = 32 << 10

# The input of one step, small enough that its output stays within 9 MiB: deflate expands a byte to 1,032 bytes at most,
# and a zstd block of 4 bytes to 128 KiB (RFC 8878 §3.1.1.2.3).
_DEFLATE_STEP = 4 << 10
_ZSTD_STEP = 256


class BodyDecoder:
    """Decoder of one body by its Content-Encoding (RFC 9110 §8.4).

    `limit` is the greatest number of decoded bytes, at every stage of a chain such as `gzip, gzip`. Raises VisitError:
    "bad-encoding" (unknown, false, cut off, more than MAX_CODINGS) or "too-large".
    """

    def __init__(self, content_encoding: str, *, limit: int) -> None:
        self._coding = content_encoding
        self._limit = limit
        # Codings are listed in the order in which they were applied.
        self._stages = [_stage(name) for name in reversed(_codings(content_encoding))]
        self._sizes = [0] * (len(self._stages) + 1)
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Decode the next piece of the body."""
        try:
            self._push(0, data)
        except (zlib.error, zstandard.ZstdError, brotli.error) as exc:
            raise VisitError("bad-encoding", f"the body is not {self._coding}: {exc}") from exc

    def finish(self) -> bytes:
        """The decoded body, after the last piece. It is empty if no piece had a byte."""
        if self._sizes[0] and not all(stage.complete for stage in self._stages):
            raise VisitError("bad-encoding", f"the {self._coding} body is cut off")
        return b"".join(self._pieces)

    def _push(self, depth: int, data: bytes) -> None:
        self._sizes[depth] += len(data)
        if self._sizes[depth] > self._limit:
            raise VisitError("too-large", f"the body has more than {self._limit:,} bytes")
        if depth == len(self._stages):
            self._pieces.append(data)
            # Every bytes object has an overhead, which must not multiply a body that comes byte by byte.
            if len(self._pieces) > _MAX_PIECES:
                self._pieces = [b"".join(self._pieces)]
            return
        for piece in self._stages[depth].feed(data):
            self._push(depth + 1, piece)


class _Stage(Protocol):
    @property
    def complete(self) -> bool:
        """Whether the stream has reached its end mark."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded data, in pieces of bounded size."""


class _Decompressor(Protocol):
    """The common interface of zlib's and zstandard's decompressors."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Frames:
    """Decoder of frames (gzip calls them members) that follow each other.

    After a whole frame, bytes that do not begin another one are ignored, as in browsers: some servers add padding.
    """

    def __init__(self, new: Callable[[], _Decompressor], *, step: int, magics: tuple[bytes, ...]) -> None:
        self._new, self._step, self._magics = new, step, magics
        self._frame = new()
        self._frames = 1
        self._between = False
        self._over = False
        self._held = b""

    @property
    def complete(self) -> bool:
        return self._between and not self._held

    def feed(self, data: bytes) -> Iterator[bytes]:
        data = self._held + data
        self._held = b""
        start = 0
        while start < len(data) and not self._over:
            if self._between and not self._begin_frame(data[start : start + 4]):
                return
            piece = self._frame.decompress(data[start : start + self._step])
            start += self._step
            if self._frame.eof:
                start = min(start, len(data)) - len(self._frame.unused_data)
                self._between = True
            if piece:
                yield piece

    def _begin_frame(self, ahead: bytes) -> bool:
        """Start another frame if one follows. Bytes that may begin one are kept until more of them have come."""
        if any(ahead.startswith(magic) for magic in self._magics):
            self._frames += 1
            if self._frames > _MAX_FRAMES:
                raise VisitError("bad-encoding", f"the body is packed in more than {_MAX_FRAMES:,} pieces")
            self._frame = self._new()
            self._between = False
            return True
        if any(magic.startswith(ahead) for magic in self._magics):
            self._held = ahead
        else:
            self._over = True
        return False


class _Deflate:
    """Decoder of deflate: zlib's format (RFC 9110 §8.4.1.2) or, from some servers, the raw stream inside it.

    The two bytes of zlib's header tell them apart.
    """

    def __init__(self) -> None:
        self._head = b""
        self._stream: _Frames | None = None

    @property
    def complete(self) -> bool:
        return self._stream is not None and self._stream.complete

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            is_zlib = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0  # RFC 1950 §2.2
            bits = zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
            self._stream = _Frames(lambda: zlib.decompressobj(bits), step=_DEFLATE_STEP, magics=())
        yield from self._stream.feed(data)


class _Brotli:
    """Decoder of Brotli. It has no frames, so bytes after the end are an error."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream.is_finished() and data:
            raise VisitError("bad-encoding", "the br body goes on after its end")
        while not self._stream.is_finished():
            piece = self._stream.process(data, output_buffer_limit=_BROTLI_OUTPUT)
            # It accepts more data as soon as its input is used up, even while it still holds output.
            if not piece and self._stream.can_accept_more_data():
                return
            yield piece
            data = b""


def _gzip() -> _Stage:
    return _Frames(lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), step=_DEFLATE_STEP, magics=(b"\x1f\x8b",))


def _zstd() -> _Stage:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    # A frame, or one of the sixteen kinds of skippable frames (RFC 8878 §3.1.2).
    magics = (b"\x28\xb5\x2f\xfd", *(bytes((kind, 0x2A, 0x4D, 0x18)) for kind in range(0x50, 0x60)))
    return _Frames(lambda: decompressor.decompressobj(write_size=_ZSTD_WRITE), step=_ZSTD_STEP, magics=magics)


_STAGES: dict[str, Callable[[], _Stage]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,  # RFC 9110 §8.4.1.3
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _zstd,
}


def _codings(content_encoding: str) -> list[str]:
    names = [name.strip().lower() for name in content_encoding.split(",")]
    codings = [name for name in names if name not in ("", "identity")]
    if len(codings) > MAX_CODINGS:
        raise VisitError("bad-encoding", f"the body is encoded {len(codings)} times over")
    return codings


def _stage(coding: str) -> _Stage:
    try:
        return _STAGES[coding]()
    except KeyError:
        raise VisitError("bad-encoding", f"unknown Content-Encoding {coding[:40]!r}") from None
