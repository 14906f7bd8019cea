"""The decision whether articles are new, the same or revised. Nothing is stored here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from kzfeed.article.build import derivation_version_of, first_fingerprint, has_fingerprint
from kzfeed.instants import RESOLUTION
from kzfeed.model.articles import Article


@dataclass(frozen=True, slots=True)
class Known:
    """What the archive holds of one article, as one source sees it.

    `versions` are the fingerprints of its revisions, by number, the newest included. `shown` is the revision that the
    source showed last and `guid` the one it gave the article, both None where this source never carried it. If the
    newest version `is_from_page`, with the text of the article's page, `entry_revision` is the newest one that a feed
    or a file showed. `is_own` says that a document of this source brought the newest version: one that is not `shown`
    came too late, or stood behind another one. `stored_fingerprint` is the newest version's as it was written, maybe by
    an older kzfeed. `url` is the address if the source showed the article in its last window, otherwise None.
    `dated_by` is the id of the source that had the article first: it may correct `published_at`.
    """

    url_hash: str
    revision: int
    versions: Mapping[int, str]
    shown: int | None = None
    guid: str | None = None
    stored_fingerprint: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    dated_by: int | None = None
    entry_revision: int | None = None
    is_from_page: bool = False
    is_own: bool = False

    @property
    def entry_version(self) -> str:
        """The fingerprint with which an entry of a feed is compared."""
        return self.versions[self.entry_revision or self.revision]


@dataclass(frozen=True, slots=True)
class New:
    """An article that the archive did not have."""

    article: Article
    revision: int = field(default=1, init=False)


@dataclass(frozen=True, slots=True)
class Same:
    """An article in a version that the archive holds already: `revision`."""

    article: Article
    revision: int


@dataclass(frozen=True, slots=True)
class Revised:
    """An article in a version that becomes its newest, as number `revision`."""

    article: Article
    revision: int


Change = New | Same | Revised


def compare(articles: Iterable[Article], known: Mapping[str, Known], *, live: bool) -> list[Change]:
    """What each article changes, one change an article.

    `live` articles are what a source shows now: a text that differs from what it showed last is a revision, also one
    that goes back to an older wording. Archive files (not live) say that a version existed, not when: one that the
    archive holds, as any revision, is the same.
    """
    seen: dict[str, _Held] = {}
    changes: list[Change] = []
    for article, is_live in _in_order(articles, live):
        held = seen.get(article.url_hash) or _Held.of(known.get(article.url_hash))
        seen[article.url_hash] = held
        change = _change(article, held, is_live)
        held.take(change, is_live)
        changes.append(change)
    return changes


@dataclass(slots=True)
class _Held:
    """What is held of one article while the articles of one document are compared.

    `numbers` gives the newest revision with a fingerprint, `has_first` says whether one of them is of derivation 1.
    """

    versions: dict[int, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    revision: int = 0
    shown: int | None = None
    entry_revision: int | None = None
    is_own: bool = False
    has_first: bool = False

    @classmethod
    def of(cls, known: Known | None) -> Self:
        if known is None:
            return cls()
        versions = dict(sorted(known.versions.items()))
        numbers = {version: number for number, version in versions.items()}
        has_first = any(derivation_version_of(version) == 1 for version in numbers)
        return cls(versions, numbers, known.revision, known.shown, known.entry_revision, known.is_own, has_first)

    def take(self, change: Change, live: bool) -> None:
        if not isinstance(change, Same):
            self.revision = change.revision
            self.versions[change.revision] = change.article.fingerprint
            self.numbers[change.article.fingerprint] = change.revision
            self.entry_revision = None
            self.is_own = True
        if live:
            self.shown = change.revision

    def number_of(self, article: Article) -> int | None:
        """The newest revision that has the article's title and text."""
        versions = [article.fingerprint]
        if self.has_first:
            versions.append(first_fingerprint(article.title, article.content))
        return max((self.numbers[each] for each in versions if each in self.numbers), default=None)


def _change(article: Article, held: _Held, live: bool) -> Change:
    if not held.versions:
        return New(article)
    if has_fingerprint(article, held.versions[held.revision]):
        return Same(article, held.revision)
    # Two sources may carry one article in two wordings: what a source goes on showing is not a revision each time.
    # Nor is what feeds show beside the longer text of the article's page.
    shown = None if live and held.is_own else held.shown
    for number in (shown, held.entry_revision):
        if number is not None and has_fingerprint(article, held.versions.get(number, "")):
            return Same(article, number)
    if not live and (number := held.number_of(article)):
        return Same(article, number)
    return Revised(article, held.revision + 1)


def takes_date(article: Article, known: Known, source_id: int) -> bool:
    """Whether the article's date replaces the one that the archive has: it had none, or the first source corrects it.

    Two sources that date an article differently do not take turns.
    """
    if article.published_at is None:
        return False
    if known.published_at is None:
        return True
    return source_id == known.dated_by and abs(article.published_at - known.published_at) >= RESOLUTION


def _in_order(articles: Iterable[Article], live: bool) -> list[tuple[Article, bool]]:
    """If one document holds an article in several wordings, the first one is what the source shows now."""
    if not live:
        return [(article, False) for article in articles]
    first: dict[str, Article] = {}
    others = [article for article in articles if first.setdefault(article.url_hash, article) is not article]
    return [(article, False) for article in others] + [(article, True) for article in first.values()]
