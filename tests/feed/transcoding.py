"""Transcodings of texts: documents in many encodings, declared rightly, wrongly and not at all, and how each is read.

Also the texts of our own, and the stretches of real ones, that are transcoded.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from kzfeed.errors import DocumentError
from kzfeed.feed.decode import decode
from kzfeed.feed.parse import parse

LABELS = {
    **{codec: codec for codec in ("utf-8", "gb18030", "gbk", "big5")},
    **{f"cp125{number}": f"windows-125{number}" for number in range(9)},
    **{f"iso8859_{number}": f"iso-8859-{number}" for number in (1, 2, 5, 6, 7, 8, 9, 13, 15)},
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "cp932": "shift_jis",
    "euc_jp": "euc-jp",
    "iso2022_jp": "iso-2022-jp",
    "cp949": "euc-kr",
    "koi8_r": "koi8-r",
    "koi8_u": "koi8-u",
    "cp874": "tis-620",
    "mac_roman": "macintosh",
    "mac_cyrillic": "x-mac-cyrillic",
    "cp866": "ibm866",
}
"""Python's codec and the label of each encoding."""

KINDS = ("declared rightly", "not declared", "declared wrongly", "rightly, with a wrong header", "twice wrongly")
DATA = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[3] / "shared"


class Trial(NamedTuple):
    """A document, and what it should be read as."""

    kind: str
    codec: str
    declared: str | None
    header: str | None
    body: bytes
    text: str

    @property
    def content_type(self) -> str:
        """The HTTP header."""
        return f"text/xml; charset={LABELS[self.header]}" if self.header else "text/xml"

    def result(self) -> tuple[bool, bool]:
        """Whether the document is read right, and whether it is flagged."""
        decoded = decode(self.body, self.content_type)
        return decoded.text == self.text, decoded.flawed

    def __str__(self) -> str:
        return f"{self.codec}, declared {self.declared}, header {self.header}: {self.text[60:140]!r}"


def trials(text: str, random: Random, encodings: int, wrong: int) -> Iterator[Trial]:
    """The text in some of the encodings that can express it, with some of the wrong declarations."""
    possible = [codec for codec in LABELS if _holds(codec, text)]
    for codec in random.sample(possible, min(encodings, len(possible))):
        others = [each for each in LABELS if each != codec]
        labels: list[tuple[str, str | None, str | None]] = [(KINDS[1], None, None)]
        labels += [(KINDS[0], *each) for each in ((codec, None), (None, codec), (codec, codec))]
        for other in random.sample(others, wrong):
            declared, header = random.choice([(other, None), (None, other), (other, other)])
            labels.append((KINDS[2], declared, header))
            labels.append((KINDS[3], codec, other))
        one, two = random.sample(others, 2)
        labels.append((KINDS[4], one, two))
        for kind, declared, header in labels:
            body = _document(text, LABELS[declared] if declared else None).encode(codec)
            yield Trial(kind, codec, declared, header, body, _document(text))


def _holds(codec: str, text: str) -> bool:
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False


def _document(text: str, label: str | None = None) -> str:
    declaration = f'<?xml version="1.0" encoding="{label}"?>' if label else ""
    return f'{declaration}<rss version="2.0"><channel><item><title>{html.escape(text)}</title></item></channel></rss>'


# --- texts -----------------------------------------------------------------------------------------------------------


def own_texts() -> list[str]:
    """Texts in the languages of feeds, and English and others with few characters above ASCII."""
    lines = [line for line in (DATA / "languages.tsv").read_text("utf-8").splitlines() if not line.startswith("#")]
    few = (DATA / "few_above_ascii.txt").read_text("utf-8").splitlines()
    return [line.split("\t")[2] for line in lines] + few


def real_texts(folder: Path = SHARED) -> list[str]:
    """Every text above ASCII of the feeds and archive files below a folder: of a feed, up to 12 entries."""
    texts: dict[str, None] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        for text in _texts_of(path):
            plain = re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]*>", " ", text)))
            plain = "".join(char for char in plain if char.isprintable()).strip()
            # Mojibake and characters that were replaced are no text in any encoding.
            if not plain.isascii() and "\ufffd" not in plain and "â€" not in plain:
                texts[plain] = None
    return list(texts)


def _texts_of(path: Path) -> list[str]:
    try:
        if path.suffix in {".txt", ".md"}:
            return [path.read_text("utf-8")]
        feed = parse(decode(path.read_bytes()), url="https://example.org/")
    except (DocumentError, UnicodeDecodeError):
        return []
    return [f"{entry.title} {entry.content}" for entry in feed.entries[:12]]


def stretch(text: str, length: int) -> str:
    """The stretch around the first character above ASCII."""
    found = re.search("[^\x00-\x7f]", text)
    start = max(0, (found.start() if found else 0) - length // 2)
    return text[start : start + length]
