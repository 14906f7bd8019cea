"""Guess of an encoding: the words of a body above ASCII, read in every encoding, and how likely each reading is."""

import re
from collections import Counter
from typing import NamedTuple

from kzfeed.feed.encoding_score import (
    ABOVE_ASCII,
    CHINESE,
    EAST_ASIAN,
    Evidence,
    evidence,
    judged_as,
    likelihood,
    total,
)

_SINGLE_BYTE = (
    *("cp1252", "cp1250", "iso8859_2", "cp1251", "koi8_u", "iso8859_5", "cp1253", "iso8859_7", "cp1254", "cp1257"),
    *("iso8859_13", "cp1255", "iso8859_8", "cp1256", "iso8859_6", "cp874", "iso8859_15", "mac_roman", "mac_cyrillic"),
    "cp866",
)
"""Encodings that are guessed, the commoner first."""

CLEARLY = 3.5
"""A reading whose logarithm of likelihood is so much greater than another's is the right one without doubt."""
_OUT_OF_QUESTION = 40.0
"""A reading that is so much less likely after a few words is not looked at any further."""
_ENOUGH = 1_536
"""Bytes of words above ASCII that are enough for a judgement."""

# No encoding has half a character in white space or angle brackets.
_WORD_ABOVE_ASCII = re.compile(rb"[^\s<>\x80-\xff]{0,40}[\x80-\xff][^\s<>]*")
_PLAIN_WORD = re.compile(rb"(?<![\x80-\xffA-Za-z&])[A-Za-z]{2,}(?![\x80-\xffA-Za-z])")


class Sample(NamedTuple):
    """The words of a body that are not pure ASCII, each once, and what its ASCII words say about the language."""

    words: bytes
    languages: Evidence

    @property
    def head(self) -> "Sample":
        """The first words of the sample."""
        end = self.words.find(b"\n", _ENOUGH // 5)
        return Sample(self.words[:end] if end >= 0 else self.words, self.languages)


class Decoding(NamedTuple):
    """A sample decoded in one encoding."""

    codec: str
    text: str
    likelihood: float

    @property
    def is_east_asian(self) -> bool:
        """Whether the encoding is Chinese, Japanese or Korean."""
        return judged_as(self.codec) in EAST_ASIAN


def read_in_all(sample: Sample) -> list[Decoding]:
    """The sample in every encoding that is not out of question after its first words."""
    readings = [read_as(sample.head, codec) for codec in (*EAST_ASIAN, *_SINGLE_BYTE)]
    if len(sample.words) == len(sample.head.words):
        return readings
    least = max(readings, key=by_likelihood).likelihood - _OUT_OF_QUESTION
    return [read_as(sample, each.codec) for each in readings if each.likelihood >= least]


def read_as(sample: Sample, codec: str) -> Decoding:
    """The sample in one encoding; bytes that it does not have make the reading unlikely."""
    text = _escaped(sample.words, codec)
    return Decoding(codec, text, likelihood(text, codec, sample.languages))


def is_unnatural(reading: Decoding) -> bool:
    """Whether a text does not look like any in its encoding."""
    return _above_ascii(reading) < (-11.0 if reading.is_east_asian else -8.0)


def is_common_chinese(reading: Decoding) -> bool:
    """Whether a text looks like Chinese of mostly common characters, as bytes of another encoding hardly ever do."""
    return reading.codec in CHINESE and _above_ascii(reading) > -8.25


def _above_ascii(reading: Decoding) -> float:
    """The likelihood of a character above ASCII on average."""
    above = total(ABOVE_ASCII, reading.text)
    # ASCII characters count 3 each.
    return (reading.likelihood + 3.0 * (len(reading.text) - above)) / max(1, above)


def by_likelihood(reading: Decoding) -> float:
    """The key by which readings are compared."""
    return reading.likelihood


def sample_of(body: bytes) -> Sample:
    """The first 1.5 KiB of words above ASCII, and more of those whose bytes are rare before them."""
    seen: Counter[int] = Counter()
    words: dict[bytes, None] = {}
    size = 0
    for match in _WORD_ABOVE_ASCII.finditer(body):
        word = match[0][:_ENOUGH]
        if word in words:
            continue
        above = [byte for byte in word if byte > 0x7F]
        if size < _ENOUGH or (size < 4 * _ENOUGH and any(seen[byte] < 8 for byte in above)):
            words[word] = None
            size += len(word)
            seen.update(above)
    plain = Counter(word.lower().decode() for word in _PLAIN_WORD.findall(re.sub(rb"<[^<>]*>", b" ", body[:65536])))
    return Sample(b"\n".join(words), evidence(plain))


def _escaped(words: bytes, codec: str) -> str:
    try:
        return words.decode(codec, "surrogateescape")
    except UnicodeError:
        return words.decode(codec, "replace")
