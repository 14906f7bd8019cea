"""The query language of `kzfeed search`: what a person types becomes a Query.

A query is a list of items with spaces between them; an article must match all of them.

    中亚            a string: it occurs in the title or in the text
    Kazakhstan      a word          Kazakh*     the beginning of a word
    "New York"      a phrase: the words one after another; a phrase in Chinese is a string with spaces
    title:普京      in the title
    -普京           not: any of the items above, and `source:`, may be excluded
    source:bbc      the source that showed the article first; several: any of them
    since:2024-05   published then or later            until:2024   published before

A word that begins with two hyphens is refused, because it is an option that somebody expected, and so is a word before
a colon that is a field but for one letter. In quotation marks both can be found.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from kzfeed.errors import UsageError
from kzfeed.instants import check_period, typed_instant
from kzfeed.search.folding import fold
from kzfeed.search.terms import WORD, IndexTerms, has_unspaced, index_terms
from kzfeed.source_names import unknown_source


@dataclass(frozen=True, slots=True)
class Term:
    """A string, word or phrase to find. `text` is folded, with one space wherever there is space in it."""

    text: str
    is_prefix: bool = False
    """Whether the last word is the beginning of a word. Strings never are."""
    in_title: bool = False

    @property
    def is_string(self) -> bool:
        """Whether the text is found character by character, and not by whole words."""
        return has_unspaced(self.text)

    @property
    def index_terms(self) -> IndexTerms:
        """The terms that each matching article has in the index, which does not tell titles from texts."""
        found = index_terms(self.text, is_prefix=self.is_prefix)
        return replace(found, suffice=False) if self.in_title else found


@dataclass(frozen=True, slots=True)
class Query:
    """What an article must and must not match. `sources` are alternatives; none means every source."""

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...] = ()
    sources: tuple[str, ...] = ()
    excluded_sources: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        check_period(self.since, self.until)


FIELDS = ("title", "source", "since", "until")


def _misspelt(field: str) -> str:
    """A regular expression for the field with one letter missing, too many or wrong, or with two letters exchanged."""
    places = range(len(field))
    return "|".join(
        [
            *(f"{field[:place]}[a-z]?{field[place + 1 :]}" for place in places),
            *(f"{field[:place]}[a-z]{field[place:]}" for place in (*places, len(field))),
            *(f"{field[:place]}{field[place + 1]}{field[place]}{field[place + 2 :]}" for place in places[:-1]),
        ]
    )


MISSPELT = {field: f"^({_misspelt(field)})[:：]" for field in FIELDS}
"""For each field, a regular expression for what is probably meant to be it; in the syntax of PostgreSQL too."""

_QUOTES = {'"': '"', "“": "”", "”": "”", "„": "”", "＂": "＂", "「": "」", "『": "』"}
_ITEM = re.compile(
    r"""(?P<excluded>[-－](?=\S))?
    (?:(?P<field>title|source|since|until)[:：])?
    (?:(?P<quote>["“”„＂「『])|(?P<bare>\S*))""",
    re.VERBOSE | re.IGNORECASE,
)


def parse(typed: str) -> Query:
    """The query that a person typed. Raises UsageError with a sentence that says what is wrong."""
    items = list(_items(typed))
    since = max((_date(item) for item in items if item.field == "since"), default=None)
    until = min((_date(item) for item in items if item.field == "until"), default=None)
    terms = [_term(item) for item in items if item.field in ("", "title")]
    wanted = [term for item, term in terms if not item.excluded]
    if not wanted:
        raise UsageError("nothing to search for: give at least one word or string that the articles must contain")
    sources = [item for item in items if item.field == "source"]
    return Query(
        tuple(dict.fromkeys(wanted)),
        tuple(dict.fromkeys(term for item, term in terms if item.excluded)),
        tuple(dict.fromkeys(item.value for item in sources if not item.excluded)),
        tuple(dict.fromkeys(item.value for item in sources if item.excluded)),
        since=since,
        until=until,
    )


def narrowed(query: Query, source: str | None, since: datetime | None, until: datetime | None) -> Query:
    """The query with the conditions of options added. Raises UsageError if it asks for other sources than `source`."""
    if source is not None and query.sources and source not in query.sources:
        raise UsageError(f"no article has both the source {source} and one of source:{', source:'.join(query.sources)}")
    return replace(
        query,
        sources=query.sources if source is None else (source,),
        since=max(filter(None, (query.since, since)), default=None),
        until=min(filter(None, (query.until, until)), default=None),
    )


def check_sources(names: Iterable[str], known: Collection[str]) -> None:
    """Raise UsageError if one of these names is no source that is known."""
    for name in names:
        if name not in known:
            raise unknown_source(name, known, "in this database")


@dataclass(frozen=True, slots=True)
class _Item:
    field: str
    value: str
    excluded: bool
    quoted: bool


def _items(typed: str) -> Iterator[_Item]:
    position = 0
    while position < len(typed):
        if typed[position].isspace():
            position += 1
            continue
        match = _ITEM.match(typed, position)
        assert match  # noqa: S101 - every part of the pattern may be empty
        position = match.end()
        value = match["bare"]
        if value and not match["field"]:
            _check_bare(value, is_excluded=bool(match["excluded"]))
        if match["quote"]:
            end = typed.find(_QUOTES[match["quote"]], position)
            if end < 0:
                raise UsageError(f"the quotation mark in {typed[position - 1 : position + 20]!r} has no counterpart")
            value, position = typed[position:end], end + 1
            if typed[position : position + 1] == "*":
                value, position = f"{value}*", position + 1
        yield _Item((match["field"] or "").lower(), value, bool(match["excluded"]), bool(match["quote"]))


def _check_bare(word: str, *, is_excluded: bool) -> None:
    if is_excluded and word[0] in "-－":
        raise UsageError(
            f"-{word}: a query has no options, and one hyphen excludes a word: -{word.lstrip('-－') or '普京'}; "
            "source:voa, since:2024 and until:2025 restrict it"
        )
    for field, misspelt in MISSPELT.items():
        if found := re.match(misspelt, word, re.IGNORECASE | re.ASCII):
            raise UsageError(f'{word}: no field is called {found[1]}: write {field}:…, or "{word}" for the text')


def _term(item: _Item) -> tuple[_Item, Term]:
    text = " ".join(fold(item.value).split())
    stars = len(text) - len(text.rstrip("*"))
    text = text.rstrip("* ") if stars else text
    if not WORD.search(text) and not has_unspaced(text):
        typed = f"{item.field}:{item.value}" if item.field else item.value
        raise UsageError(f"{typed!r} cannot be searched for: it has neither letters nor digits")
    if "*" in text and not item.quoted and not has_unspaced(text):
        raise UsageError(f"{item.value!r}: * may stand only at the end, for the rest of a word")
    is_prefix = bool(stars) and not has_unspaced(text) and WORD.fullmatch(text[-1]) is not None
    return item, Term(text, is_prefix, in_title=item.field == "title")


def _date(item: _Item) -> datetime:
    try:
        if item.excluded:
            raise ValueError
        return typed_instant(item.value)
    except ValueError:
        sign = "-" if item.excluded else ""
        raise UsageError(
            f"{sign}{item.field}:{item.value}: expected a date in UTC such as {item.field}:2024, "
            f"{item.field}:2024-05-31 or {item.field}:2024-05-31T18:00"
        ) from None
