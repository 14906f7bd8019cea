"""Text of articles as the search index of a PostgreSQL archive holds it, so that SQL can find and check it.

Which characters are letters depends in PostgreSQL on the server's locale, so words are separated here and not in SQL.
"""

import re
from dataclasses import dataclass

from kzfeed.search.folding import fold
from kzfeed.search.short_characters import shortened
from kzfeed.search.terms import RUN, WORD, mixed_pairs

LARGE = 400_000
"""The most bytes of a text that PostgreSQL can index by its terms. Each search reads the larger ones."""


@dataclass(frozen=True, slots=True)
class PostgresqlText:
    """The title and the text of an article, each in two lines.

    The first line is the folded text, in which strings are found; it is empty if it has no character of an unspaced
    script. The second line has the words in their order, with a space before and after each, and `|` between two words
    if such characters stand between them. All of it is in short characters.
    """

    title: str
    body: str
    mixed_pairs: str
    """The terms, separated by spaces, of each letter that stands beside a character of an unspaced script."""

    @property
    def is_large(self) -> bool:
        """Whether a search must read this text, because the index does not hold its terms."""
        return len(self.title.encode()) + len(self.body.encode()) > LARGE


def postgresql_text(title: str, text: str) -> PostgresqlText:
    """The text of an article in the form that the index holds."""
    folded_title, folded_text = fold(title), fold(text)
    mixed = " ".join(sorted(mixed_pairs(f"{folded_title}\n{folded_text}")))
    return PostgresqlText(*map(shortened, (_prepared(folded_title), _prepared(folded_text), mixed)))


def _prepared(folded: str) -> str:
    spaced = re.sub(r"\s+", " ", folded)
    return f"{spaced if RUN.search(spaced) else ''}\n{_words(spaced)}"


def _words(folded: str) -> str:
    """The second line: the words in their order."""
    parts = [""]
    last = 0
    for match in WORD.finditer(folded):
        start, end = match.span()
        if last and start - last > 0 and RUN.search(folded, last, start):
            parts.append("|")
        parts.append(match[0])
        last = end
    return " ".join([*parts, ""]) if last else ""
