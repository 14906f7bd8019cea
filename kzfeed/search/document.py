"""Documents: what the index of a PostgreSQL archive stores of an article, so that SQL can find and check it.

PostgreSQL's own notion of letters depends on the server's locale, so words are separated here and not in SQL.
"""

import re
from dataclasses import dataclass

from kzfeed.search.folding import fold
from kzfeed.search.terms import RUN, WORD, terms

LARGE = 400_000
"""Bytes of a title and text whose terms PostgreSQL cannot hold: each search reads such a document."""


@dataclass(frozen=True, slots=True)
class Document:
    """Title and text of an article, prepared.

    Either is two lines. The first is the folded text in which strings are found, empty if it has no character of an
    unspaced script. The second has the words in their order, with a space before and after each, and `|` between two
    that such characters part.
    """

    title: str
    body: str
    mixed_pairs: str
    """Terms of a letter of a word and the character of an unspaced script beside it, with spaces between them."""

    @property
    def is_large(self) -> bool:
        """Whether a search must read the document, because the index does not hold its terms."""
        return len(self.title.encode()) + len(self.body.encode()) > LARGE


def document(title: str, text: str) -> Document:
    """The document of an article."""
    mixed = (term for term in terms(title, text, 0) if RUN.search(term) and not RUN.fullmatch(term))
    return Document(_prepared(title), _prepared(text), " ".join(sorted(mixed)))


def _prepared(text: str) -> str:
    folded = re.sub(r"\s+", " ", fold(text))
    return f"{folded if RUN.search(folded) else ''}\n{_words(folded)}"


def _words(folded: str) -> str:
    """The words in their order."""
    parts = [""]
    last = 0
    for match in WORD.finditer(folded):
        start, end = match.span()
        if last and start - last > 0 and RUN.search(folded, last, start):
            parts.append("|")
        parts.append(match[0])
        last = end
    return " ".join([*parts, ""]) if last else ""
