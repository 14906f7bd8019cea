"""Articles of a given size for the benchmark: sentences of real texts, and phrases of OpenCC's dictionary."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from tests.search.make_folding_table import dictionary
from tests.search.reference import Text
from tests.store.search_archive import SOURCES

FIRST_DAY = datetime(2014, 1, 1, tzinfo=UTC)
STRETCH = timedelta(days=3650)
_PHRASES_SHARE = 0.25
"""So many sentences are drawn from the dictionary: the others repeat, and real archives do not."""


def articles(count: int, real: list[str], size: int = 1000) -> Iterator[Text]:
    """Articles of so many bytes, dated over ten years in the order of their ids, as polls store them."""
    chance = random.Random(1)
    phrases = [phrase for phrase, _ in dictionary("STPhrases")]
    chance.shuffle(phrases)
    weights = list(accumulate(1 / (rank + 30) for rank in range(len(phrases))))
    for number in range(1, count + 1):
        parts: list[str] = []
        length = 0
        while length < size:
            if real and chance.random() > _PHRASES_SHARE:
                part = chance.choice(real)
            else:
                part = "".join(chance.choices(phrases, cum_weights=weights, k=chance.randint(4, 10))) + "。"
            parts.append(part)
            length += len(part.encode())
        text = "".join(parts).encode()[:size].decode("utf-8", "ignore")
        published = FIRST_DAY + STRETCH * (number / count) + timedelta(hours=chance.uniform(-12, 12))
        yield Text(number, text[:20], text[20:], chance.choice(SOURCES), published)
