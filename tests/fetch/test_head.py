"""What may pass as the head of a response, whatever pieces it comes in."""

import pytest

from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.head import SoundHead, mend_head

OK = b"HTTP/1.1 200 OK\r\n"


def fed(data: bytes, step: int = 1, limit: int = 1000) -> bytes | None:
    head = SoundHead(limit)
    for start in range(0, len(data), step):
        sound = head.feed(data[start : start + step])
        if sound is not None:
            return b"".join(sound) + data[start + step :]
    return None


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize(
    ("data", "passed_on"),
    [
        (OK + b"A: b\r\n\r\nbody\r\n\r\nmore", OK + b"A: b\r\n\r\nbody\r\n\r\nmore"),
        (b"HTTP/1.0 304\nA: b\n\n", b"HTTP/1.0 304\r\nA: b\r\n\r\n"),
        (OK + b"\r\n", OK + b"\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK + b"\r\nx", OK + b"\r\nx"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + OK + b"\r\nx", OK + b"\r\nx"),
        (b"HTTP/1.1 101 Switching\r\n\r\nx", b"HTTP/1.1 101 Switching\r\n\r\nx"),
        (OK + b"A: b\r\n  c\r\n\td\r\n\r\n", OK + b"A: b c d\r\n\r\n"),
    ],
)
def test_a_sound_head_passes(data: bytes, passed_on: bytes, step: int) -> None:
    assert fed(data, step) == passed_on


def test_a_head_that_is_not_whole_is_waited_for() -> None:
    assert fed(OK + b"A: b\r\n") is None


@pytest.mark.parametrize("step", [1, 100, 10_000])
def test_a_head_of_the_limit_passes_and_a_byte_more_does_not(step: int) -> None:
    head = OK + b"A: " + b"x" * (1000 - len(OK) - 7) + b"\r\n\r\n"
    assert len(head) == 1000
    assert fed(head + b"body" * 1000, step) == head + b"body" * 1000
    with pytest.raises(VisitError, match="more than 999 bytes"):
        fed(head, step, limit=999)
    with pytest.raises(VisitError, match="more than 1,000 bytes"):
        fed(OK + b"A: " + b"x" * 2000, step)


def test_header_lines_beyond_number_are_an_error() -> None:
    assert fed(OK + b"A: b\r\n" * 500 + b"\r\n", 1000, limit=100_000)
    with pytest.raises(VisitError, match="501 header lines"):
        fed(OK + b"A: b\r\n" * 501 + b"\r\n", 1000, limit=100_000)


@pytest.mark.parametrize(
    "start", [b"<", b"<html>", b"HTTQ", b"HTTP/2 200\r\n", b"HTTP/0.9 200", b"ICY 200", b"\x15\x03"]
)
@pytest.mark.parametrize("step", [1, 1000])
def test_what_is_no_http_is_told_by_its_first_bytes(start: bytes, step: int) -> None:
    with pytest.raises(VisitError, match="not HTTP/1"):
        fed(start, step)


@pytest.mark.parametrize(
    "line", [b"HTTP/1.2 200 OK", b"HTTP/1.1", b"HTTP/1.1 2000 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 OK"]
)
def test_a_broken_status_line_is_an_error(line: bytes) -> None:
    with pytest.raises(VisitError, match="the status line is"):
        fed(line + b"\r\nA: b\r\n\r\n")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (b"Content-Length: 5\r\nContent-Length: 6", "conflicting Content-Length"),
        (b"Content-Length: 5, 6", "conflicting Content-Length"),
        (b"Content-Length: 5,", "conflicting Content-Length"),
        (b"Content-Length: 5, 5\r\nContent-Length: 6", "conflicting Content-Length"),
        (b"Content-Length: -1", "conflicting Content-Length"),
        (b"Content-Length: +1", "conflicting Content-Length"),
        (b"Content-Length: 0x1", "conflicting Content-Length"),
        (b"Content-Length:", "conflicting Content-Length"),
        (b"Content-Length: 1\r\n 2", "conflicting Content-Length"),
        (b"content-length : 5\r\nCONTENT-LENGTH: 6", "conflicting Content-Length"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", "both"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5", "both"),
        (b"Transfer-Encoding: gzip, chunked", "unknown Transfer-Encoding"),
        (b"Transfer-Encoding: identity", "unknown Transfer-Encoding"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "unknown Transfer-Encoding"),
        (b"Transfer-Encoding: xchunked", "unknown Transfer-Encoding"),
    ],
)
def test_a_body_whose_end_is_open_to_question_is_an_error(fields: bytes, words: str) -> None:
    with pytest.raises(VisitError, match=words) as caught:
        mend_head(OK + fields)
    assert caught.value.kind == "bad-response"


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 5, 5", b"Content-Length:5 ,\t5,5"]
)
def test_a_length_said_twice_is_said_once(fields: bytes) -> None:
    assert mend_head(OK + fields) == (OK + b"Content-Length: 5\r\n\r\n", 200)


@pytest.mark.parametrize("name", [b"ETag", b"etag", b"Last-Modified"])
@pytest.mark.parametrize(
    "value",
    [b'"a\rb"', b'"a\nb"', b'"a\r\nb"', b'"a\r\n b"', b'"a\x00b"', b'"a\x1bb"', b'"a\x7fb"', b'"' + b"x" * 4096],
)
def test_a_validator_that_cannot_be_echoed_is_dropped(name: bytes, value: bytes) -> None:
    assert mend_head(OK + b"A: b\r\n" + name + b": " + value + b"\r\nC: d") == (OK + b"A: b\r\nC: d\r\n\r\n", 200)


@pytest.mark.parametrize("value", [b'"a"', b'W/"a-gzip"', b'"caf\xe9\xff\x80"', b"unquoted\tone", b"x" * 4096])
def test_a_validator_that_can_be_echoed_stays(value: bytes) -> None:
    assert mend_head(OK + b"ETag: " + value) == (OK + b"ETag: " + value + b"\r\n\r\n", 200)
