"""Chinese sentences and queries for the long tests and the benchmark of search."""

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.search.reference import Text

_SENTENCE = re.compile(r"[^。！？\n<>]{8,120}[。！？]")
_UNSPACED_RUN = re.compile(r"[\u3041-\u30fe\u4e00-\u9fff\uac00-\ud7a3]+")


def sentences(folder: Path) -> list[str]:
    """The Chinese sentences of all files in the folder."""
    texts = [file.read_text("utf-8", errors="ignore") for file in sorted(folder.rglob("*.*"))]
    found = [sentence for text in texts for sentence in _SENTENCE.findall(text)]
    return [each for each in found if len(re.findall("[\u4e00-\u9fff]", each)) > len(each) * 0.6]


def articles_of_sentences(count: int, real: Sequence[str], chance: random.Random) -> Iterator[Text]:
    """Articles whose title is one of these sentences, and whose text is one to twenty of them. Some have no date."""
    first_day = datetime(2014, 1, 1, tzinfo=UTC)
    for number in range(1, count + 1):
        published = None if number % 10 == 0 else first_day + timedelta(hours=chance.randrange(90_000))
        text = "".join(chance.choices(real, k=chance.randint(1, 20)))
        yield Text(number, chance.choice(real), text, chance.choice("abc"), published)


def strings(count: int, texts: Sequence[Text], chance: random.Random) -> list[str]:
    """Different strings of one to ten characters of these texts, every fifth of them shuffled: most are then absent."""
    some = chance.sample(texts, min(len(texts), max(count, 20)))
    runs = [run for text in some for run in _UNSPACED_RUN.findall(text.text)]
    found: dict[str, None] = {}
    while len(found) < count:
        run = chance.choice(runs)
        start, size = chance.randrange(len(run)), chance.randint(1, 10)
        string = run[start : start + size]
        found["".join(chance.sample(string, len(string))) if len(found) % 5 == 0 else string] = None
    return list(found)
