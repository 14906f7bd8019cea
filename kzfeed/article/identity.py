"""Identity of entries: which archived article each entry of a document is (archive-format.md, "Identity").

An entry that shares its link with another one, in its document or in the archive, is told from it by its guid, or by
title, enclosures and words. All other entries are known by their link, guid or content alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kzfeed.article.build import enclosures_of, has_fingerprint
from kzfeed.article.change import Known
from kzfeed.article.strings import CJK
from kzfeed.article.url import url_hash
from kzfeed.instants import RESOLUTION
from kzfeed.model.articles import Article

MOSTLY_SHARED = 0.5
"""The share of word pairs from which a text is an edit of another one."""
HARDLY_SHARED = 0.2
"""The share of word pairs below which two texts have next to nothing in common."""
_NEW_KEYS = 2
"""How many of the `own_hashes` a new article may take: any more are those of older versions of kzfeed."""

_UNIT = re.compile(rf"(?=[{CJK}])[^\W_]|[^\W_{CJK}]+")


@dataclass(frozen=True, slots=True)
class Words:
    """What tells an archived article from others with its link: title, plain text, addresses of its enclosures and, if
    it has no text, of its images.
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
    groups = [_Link(group, known) for group in _by_link(articles, known)]
    return {each.url_hash for group in groups if not group.is_certain() for each in group.archived}


def identify(articles: Sequence[Article], known: Mapping[str, Known], words: Mapping[str, Words]) -> list[str]:
    """The url_hash of each entry of one document: of the archived article that it is, or of the one it becomes.

    `known` answers for all `candidate_hashes` of the entries and for the articles of the source's last window; `words`
    for all that `contested` names.
    """
    found: dict[int, str] = {}
    for group in _by_link(articles, known):
        found |= _Link(group, known, words).identify()
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


@dataclass(slots=True)
class _Link:
    """The decision for one group: `found` has the url_hash of each entry that is identified, by the entry's id()."""

    group: _Group
    known: Mapping[str, Known]
    words: Mapping[str, Words] = field(default_factory=dict)
    found: dict[int, str] = field(default_factory=dict)

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
        entries = self.group.entries
        for entry in entries:
            self._take(entry, self._by_guid(entry))
        for entry in self._open():
            same = [each for each in self.archived if self._is_same(entry, each)]
            self._take(entry, min(same, key=lambda each: self._enclosures_changed(entry, each), default=None))
        for entry in self._open():
            self._take(entry, self._by_edited_words(entry))
        self._become_new()
        return self.found

    def _open(self) -> list[Article]:
        return [entry for entry in self.group.entries if id(entry) not in self.found]

    def _take(self, entry: Article, archived: Known | None) -> None:
        if archived:
            self.found[id(entry)] = archived.url_hash

    def _by_guid(self, entry: Article) -> Known | None:
        if not entry.guid:
            return None
        linked = self.known.get(entry.link_hash or "")
        return self.known.get(entry.own_hashes[0]) or (linked if linked and linked.guid == entry.guid else None)

    def _is_only_same(self, entry: Article) -> bool:
        same = has_fingerprint(entry, self.archived[0].versions[self.archived[0].revision])
        return len(self.archived) == 1 and same and not enclosures_of(entry.media) and not _images(entry)

    def _is_same(self, entry: Article, archived: Known) -> bool:
        return not self._differs_in_files(entry, archived) and has_fingerprint(
            entry, archived.versions[archived.revision]
        )

    def _differs_in_files(self, entry: Article, archived: Known) -> bool:
        """Whether both have enclosures, and other ones; or other images under another guid, and no text.

        An enclosure that is added or taken away does not make another article.
        """
        held = self.words.get(archived.url_hash)
        if held is None:
            return False
        if held.enclosures and enclosures_of(entry.media):
            return self._enclosures_changed(entry, archived) and not self._has_moved_files(entry, archived)
        images = _images(entry)
        other_guid = bool(archived.guid and archived.shown is not None and archived.guid != entry.guid)
        return other_guid and bool(images and held.images) and images.isdisjoint(map(_without_query, held.images))

    def _has_moved_files(self, entry: Article, archived: Known) -> bool:
        """Whether an entry without a guid has the title, words and date of the archived one: only its files moved."""
        same_date = bool(entry.published_at and archived.published_at) and not _is_dated_apart(entry, archived)
        return not entry.guid and same_date and has_fingerprint(entry, archived.versions[archived.revision])

    def _enclosures_changed(self, entry: Article, archived: Known) -> bool:
        held = self.words.get(archived.url_hash)
        return held is not None and held.enclosures != enclosures_of(entry.media)

    def _by_edited_words(self, entry: Article) -> Known | None:
        guids, taken = {each.guid for each in self.group.entries if each.guid}, set(self.found.values())
        free = (each for each in self.archived if each.guid not in guids and each.url_hash not in taken)
        versions = [each for each in free if self._is_version(entry, each)]
        if len(versions) < 2:
            return versions[0] if versions else None
        return max(versions, key=lambda each: _shared(entry, self.words[each.url_hash]))

    def _is_version(self, entry: Article, archived: Known) -> bool:
        """Whether the entry's words are another version of the archived article's."""
        held = self.words[archived.url_hash]
        if archived.shown is None:
            # Another source's: mirrors have guids and enclosures of their own.
            return archived.url_hash == entry.link_hash and not _is_unrelated(entry, held)
        if self._differs_in_files(entry, archived):
            return False
        has_other_guid = bool(entry.guid and archived.guid) and not (
            _is_link(entry.guid, entry) and _is_link(archived.guid, entry)
        )
        is_shared_link = len(self.group.entries) > 1 or len(self.archived) > 1
        if (has_other_guid or is_shared_link) and entry.title != held.title and _is_dated_apart(entry, archived):
            # The next post of a series, which shares most words with the last one.
            return False
        return _is_edit(entry, held) if has_other_guid else not _is_unrelated(entry, held)

    def _become_new(self) -> None:
        firsts: dict[_Kind, str] = {}
        entries = self._open()
        kinds = list(map(_kind, entries))
        guids = {entry.guid for entry in entries}
        alone = len(set(kinds)) == 1 or (len(guids) == 1 and None not in guids)
        for entry, kind in zip(entries, kinds, strict=True):
            if kind not in firsts:
                firsts[kind] = self._new_hash(entry, alone=alone)
            self.found[id(entry)] = firsts[kind]

    def _new_hash(self, entry: Article, *, alone: bool) -> str:
        if alone and not self.archived:
            return entry.url_hash
        taken = {*self.found.values(), *self.known}
        own = entry.own_hashes[:_NEW_KEYS]
        return next((each for each in own if each not in taken), own[-1])


_Kind = tuple[str, frozenset[str], frozenset[str]]


def _kind(entry: Article) -> _Kind:
    """What several new entries with one link must share to be one article."""
    return entry.fingerprint, enclosures_of(entry.media), _images(entry)


def _images(entry: Article) -> frozenset[str]:
    """The images of an entry that has a guid and shows nothing else beside its title, without their queries."""
    if entry.text or not entry.guid:
        return frozenset()
    return frozenset(_without_query(each.url) for each in entry.media if each.kind == "image")


def _without_query(address: str) -> str:
    return address.partition("?")[0]


def _is_dated_apart(entry: Article, archived: Known) -> bool:
    """Whether both have publication dates, and other ones."""
    if entry.published_at is None or archived.published_at is None:
        return False
    return abs(entry.published_at - archived.published_at) >= RESOLUTION


def _is_link(guid: str | None, entry: Article) -> bool:
    """Whether a guid says no more than the link: it is the same address, but for its fragment or its tracking."""
    return guid is not None and url_hash(guid) == entry.link_hash


# --- how much two texts share ----------------------------------------------------------------------------------------


def _is_edit(entry: Article, held: Words) -> bool:
    """Whether most of the words are shared: of the longer text, or with the same title of the shorter one."""
    new, old = _pairs(entry.title, entry.text), _pairs(held.title, held.text)
    size = min(len(new), len(old)) if entry.title == held.title else max(len(new), len(old))
    return len(new & old) >= MOSTLY_SHARED * max(size, 1)


def _shared(entry: Article, held: Words) -> int:
    """How many pairs of words are shared."""
    return len(_pairs(entry.title, entry.text) & _pairs(held.title, held.text))


def _is_unrelated(entry: Article, held: Words) -> bool:
    """Whether title and words have next to nothing in common."""
    if entry.title == held.title:
        return False
    new, old = _pairs(entry.title, entry.text), _pairs(held.title, held.text)
    return len(new & old) < HARDLY_SHARED * min(len(new), len(old))


def _pairs(*texts: str) -> set[tuple[str, ...]]:
    """Every two neighbouring words, or Chinese, Japanese and Korean characters; of a text of one word, that word."""
    pairs: set[tuple[str, ...]] = set()
    for text in texts:
        units = _UNIT.findall(text.casefold())
        pairs |= set(pairwise(units)) if len(units) > 1 else {(unit,) for unit in units}
    return pairs
