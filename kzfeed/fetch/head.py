"""The bytes of a connection in, the same bytes out once the response's head has proved sound: it is bounded as a whole,
its framing (RFC 9112 §6) is unambiguous, and validators that cannot be echoed are gone.

aiohttp's parser comes after it; it bounds single lines only and is lenient where a lenient reader can be led astray.
"""

import asyncio
import re

from aiohttp.client_proto import ResponseHandler

from kzfeed.fetch.errors import VisitError

MAX_FIELDS = 500
MAX_VALIDATOR = 4096
_MAX_INTERIM = 1000
_MAX_OVERHEAD = 1 << 20
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] +([1-9][0-9]{2})(?: |$)")
_VALIDATORS = (b"etag", b"last-modified")
_WATCHED = frozenset((*_VALIDATORS, b"content-length", b"transfer-encoding"))
_FOLDS = (b" ", b"\t")
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class SoundHead:
    """Takes bytes until the head of the final response is whole; interim responses (1xx) are dropped.

    `limit` is the size in bytes that a head may have. Raises VisitError("bad-response").
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self._scanned = 0
        self._interim = 0

    @property
    def flooded(self) -> bool:
        """Whether there were so many interim responses that no more are read."""
        return self._interim > _MAX_INTERIM

    @property
    def begun(self) -> bool:
        """Whether there are bytes of a head that is not whole."""
        return bool(self._bytes)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """The mended head and what follows it, as soon as the head is whole; None until then."""
        # As a rule the head is whole in the first piece, with much of the body behind it that is not to be copied.
        held: bytes | bytearray = data
        if self._bytes:
            self._bytes += data
            held = self._bytes
        while not self.flooded:
            end = _EMPTY_LINE.search(held, max(0, self._scanned - 3))
            if (end.end() if end else len(held)) > self._limit:
                raise VisitError("bad-response", f"the headers have more than {self._limit:,} bytes")
            _check_start(held)
            if end is None:
                self._scanned = len(held)
                if held is not self._bytes:
                    self._bytes = bytearray(held)
                return None
            head, rest = bytes(held[: end.start()]).removesuffix(b"\r"), bytes(held[end.end() :])
            mended, status = mend_head(head)
            if status == 101 or status >= 200:
                self._bytes.clear()
                return mended, rest
            self._interim += 1
            held = rest
            self._scanned = 0
        self._bytes.clear()
        return None


def _check_start(data: bytes | bytearray) -> None:
    """Tell HTTP/0.9 and other protocols by their first bytes, or they would be read up to the limit."""
    if not data.startswith(b"HTTP/1.") and not b"HTTP/1.".startswith(bytes(data[:7])):
        raise VisitError("bad-response", f"the answer is not HTTP/1: it begins with {bytes(data[:20])!r}")


def mend_head(head: bytes) -> tuple[bytes, int]:
    """A head as the parser may have it, and its status. `head` is without the empty line at its end."""
    first, *lines = head.removesuffix(b"\r").replace(b"\r\n", b"\n").split(b"\n")
    status_line = _STATUS_LINE.match(first)
    if status_line is None:
        raise VisitError("bad-response", f"the status line is {first[:60]!r}")
    if len(lines) > MAX_FIELDS:
        raise VisitError("bad-response", f"there are {len(lines):,} header lines, more than {MAX_FIELDS}")
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, _ = line.partition(b":")
        folded = line[:1] in _FOLDS
        if colon and not folded:
            fields.append((name.strip().lower(), line))
        elif fields and fields[-1][0] in _VALIDATORS:
            fields[-1] = (fields[-1][0], b"\x00")  # a line break inside a validator: it cannot be echoed
        elif folded and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b" " + line.strip())  # RFC 9112 §5.2
        else:
            fields.append((name.strip().lower(), line))
    return b"\r\n".join((first, *_sound_lines(fields), b"", b"")), int(status_line[1])


def _sound_lines(fields: list[tuple[bytes, bytes]]) -> list[bytes]:
    """The lines of the fields, without validators that cannot be echoed and with one Content-Length at most; an error
    if the body's end is open to question.
    """
    lines: list[bytes] = []
    lengths: set[bytes] = set()
    codings: list[bytes] = []
    for key, line in fields:
        if key not in _WATCHED:
            lines.append(line)
            continue
        value = line.partition(b":")[2].strip()
        if key == b"content-length":
            # RFC 9110 §8.6: the same length several times is that length.
            lengths.update(each.strip() for each in value.split(b","))
        elif key == b"transfer-encoding":
            lines.append(line)
            codings.append(value.lower())
        elif len(value) <= MAX_VALIDATOR and not _UNSENDABLE.search(line):
            lines.append(line)
    if len(lengths) > 1 or not all(length.isdigit() for length in lengths):
        raise VisitError("bad-response", f"conflicting Content-Length: {b', '.join(sorted(lengths))[:60]!r}")
    if codings and lengths:
        raise VisitError("bad-response", "both Transfer-Encoding and Content-Length")
    if codings and codings != [b"chunked"]:
        raise VisitError("bad-response", f"unknown Transfer-Encoding: {b', '.join(codings)[:60]!r}")
    return lines + [b"Content-Length: " + length for length in lengths]


class GuardedProtocol(ResponseHandler):
    """aiohttp's client protocol behind a SoundHead of `max_head` bytes, a new one for each response.

    After the head, what is not body is counted too: chunks of one byte, endless chunk extensions, endless trailers.
    A byte outside of a response ends the connection: whatever it belongs to, it answers no request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, max_head: int) -> None:
        super().__init__(loop)
        self._max_head = max_head
        self._head: SoundHead | None = None
        self._wire = 0
        self._awaits_response = False
        self.heard = False
        """Whether a byte has come since the last request."""

    @property
    def is_fit(self) -> bool:
        """Whether another request may be sent: the last response has come whole, and nothing speaks against it."""
        return self.is_connected() and not self._awaits_response and not self.should_close

    def expect_response(self) -> None:
        """A request is about to be sent: what comes from now on is its response."""
        self._head = SoundHead(self._max_head)
        self._payload = None
        self._wire = 0
        self._awaits_response = True
        self.heard = False
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=self._max_head,
            max_field_size=self._max_head,
            max_headers=MAX_FIELDS,
        )

    def data_received(self, data: bytes) -> None:
        """Called by the event loop; by aiohttp too, with no data, to go on with what its parser held back."""
        if self._exception is not None or not (data or self._awaits_response):
            return
        self.heard = True
        try:
            if not self._awaits_response:
                raise VisitError("bad-response", "the server says something that it was not asked for")
            for piece in self._guard(data):
                self._take(piece)
        except VisitError as exc:
            self.set_exception(exc)
            if self.transport is not None:
                self.transport.abort()
        if self._exception is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(broken_http(self._exception))

    def _take(self, piece: bytes) -> None:
        if not self._awaits_response:
            raise VisitError("bad-response", "there are bytes after the end of the response")
        if self._exception is None:
            super().data_received(piece)
        self._awaits_response = self._payload is None or not self._payload.is_eof()

    def _guard(self, data: bytes) -> tuple[bytes, ...]:
        """The bytes in pieces for aiohttp's parser.

        The head goes by itself: aiohttp would drop it for an error in what follows. So does the last byte: the parser
        does not say where in its bytes a response ends, and what has ended without the last byte has bytes after it.
        """
        if self._head is None:
            self._wire += len(data)
            body = 0 if self._payload is None else self._payload.total_bytes
            if self._wire > 2 * body + len(data) + _MAX_OVERHEAD:
                raise VisitError("bad-response", "the body comes wrapped in far more bytes than it has")
            return _last_byte_apart(data)
        sound = self._head.feed(data)
        if sound is None:
            if self._head.flooded and self.transport is not None:
                self.transport.pause_reading()  # the deadline ends it, and meanwhile it costs nothing
            return ()
        self._head = None
        head, rest = sound
        return (head, *_last_byte_apart(rest)) if rest else (head,)

    def pause_reading(self) -> None:
        """Called where the body comes faster than it is read. The parser then holds bytes back, and whether some are
        left after the end cannot be told: the connection is not kept.
        """
        self.force_close()
        super().pause_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        """A head that is cut off, and a body that is broken off, are errors even where aiohttp would take the body."""
        if self._head is not None and self._head.begun and self._exception is None:
            self.set_exception(VisitError("bad-response", "the connection was closed in the middle of the headers"))
        elif exc is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(VisitError("connect", f"the connection broke off: {exc}"))
        super().connection_lost(exc)


def _last_byte_apart(data: bytes) -> tuple[bytes, ...]:
    return (data[:-1], data[-1:]) if len(data) > 1 else (data,)


def broken_http(exc: BaseException) -> VisitError:
    """The parser's error. Its first line says what is wrong, the others quote the bytes; aiohttp wraps it."""
    if isinstance(exc, VisitError):
        return exc
    message = getattr(exc, "message", "") or getattr(exc.__cause__, "message", "") or exc
    words = str(message).strip().splitlines() or [type(exc).__name__]
    return VisitError("bad-response", f"the answer breaks HTTP: {words[0]}")
