"""Identity of entries: which archived article each entry of a document is (archive-format.md, "Identity").

An entry that shares its link with another one, in its document or in the archive, is told from it by its guid, or by
title, enclosures and words. All other entries are known by their link, guid or content alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice, pairwise

from kzfeed.article.build import derivation_version_of, enclosures_of, first_fingerprint, has_fingerprint
from kzfeed.article.change import Known
from kzfeed.article.strings import CJK
from kzfeed.article.url import url_hash
from kzfeed.instants import RESOLUTION
from kzfeed.model.articles import Article

MOSTLY_SHARED = 0.5
"""The share of word pairs from which a text is an edit of another one."""
HARDLY_SHARED = 0.2
"""The share of word pairs below which two texts have next to nothing in common."""
MAX_PAIRS = 50_000
"""The most pairs of an entry and an archived article that are compared under one link: more would take seconds, in
which no other poll can be stored. A long text counts as several, one for each `_LENGTH` characters.
"""
_LENGTH = 1_000
_NEW_KEYS = 2
"""How many of the `own_hashes` a new article may take: any more are those of older versions of kzfeed."""

_UNIT = re.compile(rf"(?=[{CJK}])[^\W_]|[^\W_{CJK}]+")


@dataclass(frozen=True, slots=True)
class Words:
    """What tells an article from others with its link: title, plain text, addresses of its enclosures and, if it has no
    text, of its images without their queries.
    """

    title: str
    text: str
    enclosures: frozenset[str]
    images: frozenset[str] = frozenset()


def candidate_hashes(article: Article) -> Iterator[str]:
    """Every hash under which the archive may hold the article."""
    yield from filter(None, (article.url_hash, article.link_hash, *article.own_hashes))


def contested(articles: Sequence[Article], known: Mapping[str, Known]) -> set[str]:
    """The url_hashes of archived articles whose `Words` `identify` needs to decide."""
    groups = [_GroupDecision(group, known) for group in _by_link(articles, known)]
    return {each.url_hash for group in groups if not group.is_certain() for each in group.archived}


def identify(articles: Sequence[Article], known: Mapping[str, Known], words: Mapping[str, Words]) -> list[str]:
    """The url_hash of each entry of one document: of the archived article that it is, or of the one it becomes.

    `known` answers for all `candidate_hashes` of the entries and for the articles of the source's last window; `words`
    for all that `contested` names.
    """
    found: dict[int, str] = {}
    for group in _by_link(articles, known):
        found |= _GroupDecision(group, known, words).identify()
    return [found.get(id(article), article.url_hash) for article in articles]


@dataclass(frozen=True, slots=True)
class _Group:
    """The entries of one document that share a link, and what the archive holds under it."""

    entries: Sequence[Article]
    archived: Sequence[Known]


def _by_link(articles: Sequence[Article], known: Mapping[str, Known]) -> list[_Group]:
    by_link: dict[str, list[Article]] = {}
    for article in articles:
        if article.link_hash:
            by_link.setdefault(article.link_hash, []).append(article)
    by_address: dict[str, list[Known]] = {}
    for each in known.values():
        if each.url is not None:
            by_address.setdefault(each.url, []).append(each)
    groups = []
    for entries in by_link.values():
        hashes = dict.fromkeys(url_hash for article in entries for url_hash in candidate_hashes(article))
        archived = {each: known[each] for each in hashes if each in known}
        for address in {article.url: None for article in entries}:
            archived |= {each.url_hash: each for each in by_address.get(address or "", ())}
        if archived or len(entries) > 1:  # else it is a new article, by its link
            groups.append(_Group(entries, list(archived.values())))
    return groups


# --- how much two texts share ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Texts:
    """Comparison of texts by their pairs of words, which are made once for each text."""

    pairs: Callable[[str, str], set[tuple[str, ...]]] = field(default_factory=lambda: cache(_pairs))

    def shared(self, new: Words, old: Words) -> int:
        """How many pairs of words are shared."""
        return len(self.pairs(new.title, new.text) & self.pairs(old.title, old.text))

    def are_mostly_shared(self, new: Words, old: Words) -> bool:
        """Whether most of the words are shared: of the longer text, or with the same title of the shorter one."""
        sizes = len(self.pairs(new.title, new.text)), len(self.pairs(old.title, old.text))
        size = min(sizes) if new.title == old.title else max(sizes)
        return self.shared(new, old) >= MOSTLY_SHARED * max(size, 1)

    def are_unrelated(self, new: Words, old: Words) -> bool:
        """Whether title and words have next to nothing in common."""
        if new.title == old.title:
            return False
        size = min(len(self.pairs(new.title, new.text)), len(self.pairs(old.title, old.text)))
        return self.shared(new, old) < HARDLY_SHARED * size


def _pairs(*texts: str) -> set[tuple[str, ...]]:
    """Every two neighbouring words, or Chinese, Japanese and Korean characters; of a text of one word, that word."""
    pairs: set[tuple[str, ...]] = set()
    for text in texts:
        units = _UNIT.findall(text.casefold())
        pairs |= set(pairwise(units)) if len(units) > 1 else {(unit,) for unit in units}
    return pairs


# --- which entry is which article -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _GroupDecision:
    """The decision for one group: `found` has the url_hash of each entry that is identified, by the entry's id()."""

    group: _Group
    known: Mapping[str, Known]
    words: Mapping[str, Words] = field(default_factory=dict)
    found: dict[int, str] = field(default_factory=dict)
    entry_words: dict[int, Words] = field(default_factory=dict)
    texts: _Texts = field(default_factory=_Texts)

    @property
    def archived(self) -> Sequence[Known]:
        return self.group.archived

    def is_certain(self) -> bool:
        """Whether hashes, guids and fingerprints decide without a look at the words."""
        alone = len(self.group.entries) == 1
        return not self.archived or all(
            self._by_guid(entry) or (alone and self._is_only_same(entry)) for entry in self.group.entries
        )

    def identify(self) -> dict[int, str]:
        for entry in self.group.entries:
            self._take(entry, self._by_guid(entry))
        self._take_same()
        self._take_edited()
        self._become_new()
        return self.found

    def _undecided(self) -> list[Article]:
        return [entry for entry in self.group.entries if id(entry) not in self.found]

    def _words_of(self, entry: Article) -> Words:
        if (words := self.entry_words.get(id(entry))) is None:
            words = Words(entry.title, entry.text, enclosures_of(entry.media), _images(entry))
            self.entry_words[id(entry)] = words
        return words

    def _take(self, entry: Article, archived: Known | None) -> None:
        if archived:
            self.found[id(entry)] = archived.url_hash

    def _by_guid(self, entry: Article) -> Known | None:
        if not entry.guid:
            return None
        linked = self.known.get(entry.link_hash or "")
        return self.known.get(entry.own_hashes[0]) or (linked if linked and linked.guid == entry.guid else None)

    def _is_only_same(self, entry: Article) -> bool:
        same = has_fingerprint(entry, self.archived[0].entry_version)
        return len(self.archived) == 1 and same and not enclosures_of(entry.media) and not _images(entry)

    def _take_same(self) -> None:
        """Identify the entries whose title and text an archived article has; one with the same enclosures comes first.

        Of very many with the same title and text, only the first ones are looked at.
        """
        entries = self._undecided()
        alike: dict[tuple[str, frozenset[str] | None], list[Known]] = {}
        for archived in self.archived:
            version = archived.entry_version
            alike.setdefault((version, None), []).append(archived)
            if held := self.words.get(archived.url_hash):
                alike.setdefault((version, held.enclosures), []).append(archived)
        has_first = any(derivation_version_of(version) == 1 for version, _ in alike)
        for entry in entries:
            versions = [entry.fingerprint, *([first_fingerprint(entry.title, entry.content)] if has_first else [])]
            keys = [(version, files) for files in (self._words_of(entry).enclosures, None) for version in versions]
            candidates = chain.from_iterable(alike.get(key, ()) for key in keys)
            nearest = islice(candidates, max(MAX_PAIRS // len(entries), 1))
            self._take(entry, next((each for each in nearest if self._has_same_files(entry, each)), None))

    def _has_same_files(self, entry: Article, archived: Known) -> bool:
        """Whether nothing but title and text, which are the same, decides."""
        return not self._differs_in_files(entry, archived) or _has_moved_files(entry, archived)

    def _differs_in_files(self, entry: Article, archived: Known) -> bool:
        """Whether both have enclosures, and other ones; or other images under another guid, and no text.

        An enclosure that is added or taken away does not make another article.
        """
        held = self.words.get(archived.url_hash)
        if held is None:
            return False
        shown = self._words_of(entry)
        if held.enclosures and shown.enclosures:
            return held.enclosures != shown.enclosures
        other_guid = bool(archived.guid and archived.shown is not None and archived.guid != entry.guid)
        return other_guid and bool(shown.images and held.images) and shown.images.isdisjoint(held.images)

    def _take_edited(self) -> None:
        """Identify the entries that are other versions of archived articles which no entry is yet.

        Where that takes more than `MAX_PAIRS` comparisons, none is: the entries become new articles.
        """
        entries = self._undecided()
        guids, taken = {each.guid for each in self.group.entries if each.guid}, set(self.found.values())
        free = {each.url_hash: each for each in self.archived if each.guid not in guids and each.url_hash not in taken}
        sizes = (1 + (len(entry.title) + len(entry.text)) // _LENGTH for entry in entries)
        if len(free) * sum(sizes) > MAX_PAIRS:
            return
        for entry in entries:
            shown = self._words_of(entry)
            versions = [each for each in free.values() if self._is_version(entry, each)]
            best = max(versions, key=lambda each: self.texts.shared(shown, self.words[each.url_hash]), default=None)
            self._take(entry, best)
            if best:
                del free[best.url_hash]

    def _is_version(self, entry: Article, archived: Known) -> bool:
        """Whether the entry's words are another version of the archived article's."""
        held, shown = self.words[archived.url_hash], self._words_of(entry)
        if archived.shown is None:
            # Another source's: mirrors have guids and enclosures of their own.
            return archived.url_hash == entry.link_hash and not self.texts.are_unrelated(shown, held)
        if self._differs_in_files(entry, archived):
            return False
        has_other_guid = bool(entry.guid and archived.guid) and not (
            _is_link(entry.guid, entry) and _is_link(archived.guid, entry)
        )
        is_shared_link = len(self.group.entries) > 1 or len(self.archived) > 1
        if (has_other_guid or is_shared_link) and entry.title != held.title and _is_dated_apart(entry, archived):
            # The next post of a series, which shares most words with the last one.
            return False
        return (
            self.texts.are_mostly_shared(shown, held) if has_other_guid else not self.texts.are_unrelated(shown, held)
        )

    def _become_new(self) -> None:
        firsts: dict[_Kind, str] = {}
        entries = self._undecided()
        kinds = list(map(_kind, entries))
        guids = {entry.guid for entry in entries}
        alone = len(set(kinds)) == 1 or (len(guids) == 1 and None not in guids)
        taken = set(self.found.values())
        for entry, kind in zip(entries, kinds, strict=True):
            if kind not in firsts:
                own = [entry.url_hash] if alone and not self.archived else entry.own_hashes[:_NEW_KEYS]
                firsts[kind] = next((each for each in own if each not in taken and each not in self.known), own[-1])
                taken.add(firsts[kind])
            self.found[id(entry)] = firsts[kind]


_Kind = tuple[str, frozenset[str], frozenset[str]]


def _kind(entry: Article) -> _Kind:
    """What several new entries with one link must share to be one article."""
    return entry.fingerprint, enclosures_of(entry.media), _images(entry)


def _images(entry: Article) -> frozenset[str]:
    """The images of an entry that has a guid and shows nothing else beside its title, without their queries."""
    if entry.text or not entry.guid:
        return frozenset()
    return frozenset(without_query(each.url) for each in entry.media if each.kind == "image")


def without_query(address: str) -> str:
    """The address without its query: images change theirs."""
    return address.partition("?")[0]


def _has_moved_files(entry: Article, archived: Known) -> bool:
    """Whether only the files of an entry without a guid moved, if title and text are the same: the date is too."""
    same_date = bool(entry.published_at and archived.published_at) and not _is_dated_apart(entry, archived)
    return not entry.guid and same_date


def _is_dated_apart(entry: Article, archived: Known) -> bool:
    """Whether both have publication dates, and other ones."""
    if entry.published_at is None or archived.published_at is None:
        return False
    return abs(entry.published_at - archived.published_at) >= RESOLUTION


def _is_link(guid: str | None, entry: Article) -> bool:
    """Whether a guid says no more than the link: it is the same address, but for its fragment or its tracking."""
    return guid is not None and url_hash(guid) == entry.link_hash
