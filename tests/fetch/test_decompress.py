"""Bodies are decoded right, in whatever pieces they come, and never beyond their bound."""

import gzip
import random
import struct
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from kzfeed.fetch.decompress import BodyDecoder
from kzfeed.fetch.errors import VisitError

LIMIT = 1 << 20
MEGABYTE = bytes(1 << 20)


def some_text(size: int = 200_000) -> bytes:
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefgh的一是了", k=6)) for _ in range(3000)]
    return " ".join(chance.choices(words, k=size // 7)).encode()[:size]


TEXT = some_text()
SHORT = b"<rss>short</rss>"


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def in_brotli(data: bytes) -> bytes:
    packed: bytes = brotli.compress(data, quality=5)  # the default, 11, takes fifty times as long
    return packed


def no_coding(data: bytes) -> bytes:
    return data


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", no_coding),
    ("identity", no_coding),
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", bare_deflate),
    ("br", in_brotli),
    ("zstd", zstandard.compress),
    ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    ("gzip, identity, br", lambda data: in_brotli(gzip.compress(data))),
    (" deflate ,, zstd", lambda data: zstandard.compress(zlib.compress(data))),
]
PACKED = [case for case in CODINGS if case[1] is not no_coding]


def decode(coding: str, data: bytes, *, step: int = 65_536, limit: int = LIMIT) -> bytes:
    decoder = BodyDecoder(coding, limit=limit)
    for start in range(0, len(data), step):
        decoder.feed(data[start : start + step])
    return decoder.finish()


@pytest.mark.parametrize("step", [17, 997, 65_536, 1 << 20])
@pytest.mark.parametrize(("coding", "pack"), CODINGS)
def test_a_body_comes_out_as_it_went_in(coding: str, pack: Callable[[bytes], bytes], step: int) -> None:
    assert decode(coding, pack(TEXT), step=step) == TEXT


@pytest.mark.parametrize("text", [SHORT, b"", b"x"])
@pytest.mark.parametrize(("coding", "pack"), CODINGS)
def test_a_body_may_come_byte_by_byte(coding: str, pack: Callable[[bytes], bytes], text: bytes) -> None:
    assert decode(coding, pack(text), step=1) == text


@pytest.mark.parametrize(("coding", "pack"), PACKED)
def test_a_body_that_is_cut_off_anywhere_is_an_error(coding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(SHORT)
    for end in range(1, len(packed)):
        with pytest.raises(VisitError) as caught:
            decode(coding, packed[:end])
        assert caught.value.kind == "bad-encoding", end


@pytest.mark.parametrize(("coding", "pack"), PACKED)
def test_a_long_body_that_is_cut_off_is_an_error(coding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    for end in (len(packed) // 2, len(packed) - 1):
        with pytest.raises(VisitError, match="cut off"):
            decode(coding, packed[:end])


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip"])
@pytest.mark.parametrize("body", [b"<?xml version='1.0'?><rss/>", b"\xff" * 50, b"\x00" * 50])
def test_a_body_that_is_not_what_it_says_is_an_error(coding: str, body: bytes) -> None:
    with pytest.raises(VisitError) as caught:
        decode(coding, body)
    assert caught.value.kind == "bad-encoding"


def test_a_body_damaged_in_the_middle_is_an_error() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[len(packed) // 2] ^= 0x55
    with pytest.raises(VisitError) as caught:
        decode("gzip", bytes(packed))
    assert caught.value.kind == "bad-encoding"


@pytest.mark.parametrize("coding", ["compress", "utf-8", "gzip, sdch", "none", "gzip;q=1", "gzip gzip", "é"])
def test_an_unknown_coding_is_an_error(coding: str) -> None:
    with pytest.raises(VisitError, match="unknown Content-Encoding"):
        BodyDecoder(coding, limit=LIMIT)


def test_three_codings_are_too_many() -> None:
    with pytest.raises(VisitError, match="encoded 3 times over"):
        BodyDecoder("gzip, gzip, gzip", limit=LIMIT)


@pytest.mark.parametrize("step", [1, 65_536])
@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_frames_end_to_end_are_one_body(coding: str, pack: Callable[[bytes], bytes], step: int) -> None:
    packed = pack(b"one ") + pack(b"") + pack(b"two ") + pack(b"three")
    assert decode(coding, packed, step=step) == b"one two three"


def test_a_second_frame_that_is_cut_off_is_an_error() -> None:
    first, second = gzip.compress(b"one"), gzip.compress(b"two")
    for end in range(1, len(second)):
        with pytest.raises(VisitError, match="cut off"):
            decode("gzip", first + second[:end])


def test_zstd_frames_that_are_to_be_skipped_are_skipped() -> None:
    skipped = b"\x5a\x2a\x4d\x18" + struct.pack("<I", 5) + b"12345"
    assert decode("zstd", skipped + zstandard.compress(b"one") + skipped + zstandard.compress(b"two")) == b"onetwo"


@pytest.mark.parametrize("step", [1, 65_536])
@pytest.mark.parametrize("padding", [b"\x00" * 700, b"garbage", b"\r\n"])
@pytest.mark.parametrize(("coding", "pack"), [case for case in PACKED if case[0] in ("gzip", "deflate", "zstd")])
def test_padding_after_a_whole_body_changes_nothing(
    coding: str, pack: Callable[[bytes], bytes], padding: bytes, step: int
) -> None:
    assert decode(coding, pack(SHORT) + padding, step=step) == SHORT


@pytest.mark.parametrize("step", [1, 65_536])
def test_padding_after_a_brotli_body_is_an_error(step: int) -> None:
    with pytest.raises(VisitError) as caught:
        decode("br", brotli.compress(SHORT) + b"\r\n", step=step)
    assert caught.value.kind == "bad-encoding"


def zstd_bomb() -> bytes:
    """2 GiB in 64 KiB: blocks of 4 bytes, each one byte 131,072 times over."""
    block = struct.pack("<I", 131_072 << 3 | 1 << 1)[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(23 - 10) << 3]) + block * 16_384


def deflate_bomb() -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(MEGABYTE) for _ in range(64)) + packer.flush()


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(MEGABYTE) * 2048,
    "deflate": deflate_bomb,
    "br": lambda: brotli.compress(MEGABYTE * 64, quality=1),
    "zstd": zstd_bomb,
    "gzip, gzip": lambda: gzip.compress(gzip.compress(MEGABYTE) * 2048),
    "br, br": lambda: brotli.compress(brotli.compress(MEGABYTE * 64, quality=1)),
    "zstd, gzip": lambda: gzip.compress(zstd_bomb()),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_stops_at_the_limit(coding: str) -> None:
    with pytest.raises(VisitError) as caught:
        decode(coding, BOMBS[coding]())
    assert caught.value.kind == "too-large"


def test_a_bomb_inside_that_unpacks_to_nothing_stops_at_the_limit_too() -> None:
    """The first coding's output counts, even where the second makes nothing of it."""
    with pytest.raises(VisitError) as caught:
        decode("gzip, gzip", gzip.compress(gzip.compress(b"") + MEGABYTE + MEGABYTE))
    assert caught.value.kind == "too-large"


def test_raw_bytes_count_too() -> None:
    with pytest.raises(VisitError) as caught:
        decode("gzip", gzip.compress(b"small") + bytes(LIMIT))
    assert caught.value.kind == "too-large"


@pytest.mark.parametrize(("coding", "pack"), [case for case in CODINGS if "," not in case[0]])
def test_the_limit_itself_is_allowed_and_a_byte_more_is_not(coding: str, pack: Callable[[bytes], bytes]) -> None:
    assert len(decode(coding, pack(MEGABYTE), limit=len(MEGABYTE))) == len(MEGABYTE)
    with pytest.raises(VisitError, match="more than 1,048,575 bytes"):
        decode(coding, pack(MEGABYTE), limit=len(MEGABYTE) - 1)


@pytest.mark.parametrize(
    ("coding", "empty"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstandard.compress(b""))]
)
def test_frames_beyond_number_are_an_error(coding: str, empty: bytes) -> None:
    with pytest.raises(VisitError, match="packed in more than 10,000 pieces"):
        decode(coding, empty * 10_001)


def test_a_zstd_window_of_more_than_8_mib_is_refused() -> None:
    def pack(window_log: int) -> bytes:
        parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
        packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        return packer.compress(SHORT) + packer.flush()

    assert decode("zstd", pack(23)) == SHORT
    with pytest.raises(VisitError) as caught:
        decode("zstd", pack(24))
    assert caught.value.kind == "bad-encoding"


def test_nothing_at_all_is_an_empty_body() -> None:
    assert decode("gzip", b"") == b""
