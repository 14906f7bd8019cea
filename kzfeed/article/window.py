"""Comparison of two windows of a source: which articles it withdrew, and whether there is a gap between the windows."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from kzfeed.article.identity import candidate_hashes
from kzfeed.model.articles import Article, Gap, WindowComparison, WindowEntry

_FAR = 3
"""A pinned article is farther away from the window than this many lengths of the window."""


def compare_windows(
    before: Sequence[WindowEntry],
    articles: Sequence[Article],
    *,
    before_at: datetime | None,
    now: datetime,
    whole: bool,
) -> WindowComparison:
    """Compare the window that a source shows `now` with the last one, `before`, which it showed at `before_at`.

    Articles that filters leave out count in both. Pinned articles count in neither, because they stay while the window
    moves on. A document that is not `whole` (cut off, or with too many entries) says nothing of what it does not show.
    """
    places = _places_in_document(before, articles)
    gone = [entry for entry in before if entry.url_hash not in places]
    stayed = {places[entry.url_hash]: entry for entry in before if entry.url_hash in places}
    pinned = _pinned(stayed, gone, articles)
    shared = [entry for place, entry in stayed.items() if place not in pinned]
    # A window moves on at its old end: only what vanished from in front of something that stayed was withdrawn.
    oldest = min((entry.published_at for entry in shared if entry.published_at), default=now)
    archived = [entry for entry in gone if entry.is_archived]
    withdrawn = [entry.url_hash for entry in archived if entry.published_at and entry.published_at > oldest]
    moving = [article for place, article in enumerate(articles) if place not in pinned]
    dates = sorted(article.published_at for article in moving if article.published_at)
    gap = None
    if whole and before and before_at and articles and not shared:
        gap = _gap(before, dates, before_at, now)
    return WindowComparison(
        entries=len(moving),
        shared=len(shared),
        span=dates[-1] - dates[0] if len(dates) > 1 else None,
        gap=gap,
        withdrawn=frozenset(withdrawn) if whole else frozenset(),
        becomes_reference=bool(articles) and (whole or bool(shared) or not before),
    )


def filtered_entries(
    articles: Sequence[Article], filtered: Sequence[Article], before: Sequence[WindowEntry], now: datetime
) -> list[WindowEntry]:
    """The entries of a window that filters left out of the archive: those of the articles `filtered`, among `articles`.

    Their hashes are different, also where articles share a link. `before` is the window before.
    """
    hash_counts = Counter(article.url_hash for article in articles)
    since = {entry.url_hash: entry.first_seen_at for entry in before}
    entries: dict[str, WindowEntry] = {}
    for article in filtered:
        is_alone = hash_counts[article.url_hash] == 1 or not article.own_hashes
        url_hash = article.url_hash if is_alone else article.own_hashes[0]
        first_seen_at = since.get(url_hash) or now
        entries[url_hash] = WindowEntry(
            url_hash, article.published_at, article.guid, article.fingerprint, first_seen_at, is_archived=False
        )
    return list(entries.values())


def _places_in_document(before: Sequence[WindowEntry], articles: Sequence[Article]) -> Mapping[str, int]:
    """The place in the document of each entry of the previous window that it still shows, by url_hash.

    An entry is known by any hash under which the archive may hold it, or, if its link or guid is another one, by its
    title and words, unless other entries have the same.
    """
    by_hash: dict[str, list[int]] = {}
    by_words: dict[str | None, list[int]] = {}
    for place, article in enumerate(articles):
        by_words.setdefault(article.fingerprint, []).append(place)
        for url_hash in set(candidate_hashes(article)):
            by_hash.setdefault(url_hash, []).append(place)
    fingerprint_counts = Counter(entry.fingerprint for entry in before)
    found: dict[str, int] = {}
    for entry in before:
        same = [place for place in by_hash.get(entry.url_hash, ()) if not _is_another(articles[place], entry)]
        with_words = by_words.get(entry.fingerprint, [])
        if same:
            with_guid = [place for place in same if articles[place].guid == entry.guid]
            found[entry.url_hash] = (with_guid or same)[0]
        elif len(with_words) == 1 == fingerprint_counts[entry.fingerprint]:
            found[entry.url_hash] = with_words[0]
    return found


def _is_another(article: Article, entry: WindowEntry) -> bool:
    """Whether an article that shares the link of an entry is another one: it has another guid and other words."""
    if not article.guid or not entry.guid or entry.fingerprint is None:
        return False
    return article.guid != entry.guid and article.fingerprint != entry.fingerprint


def _gap(before: Sequence[WindowEntry], dates: Sequence[datetime], before_at: datetime, now: datetime) -> Gap:
    """The gap from the newest article of the window before to the oldest one of this window, if their dates say so."""
    newest = max((entry.published_at for entry in before if entry.published_at), default=before_at)
    start = min(newest, before_at)
    return Gap(start, dates[0] if dates and dates[0] > start else now)


# --- pinned articles -------------------------------------------------------------------------------------------------


def _pinned(
    stayed: Mapping[int, WindowEntry], gone: Sequence[WindowEntry], articles: Sequence[Article]
) -> frozenset[int]:
    """The places of pinned articles among those that stayed, given by their places.

    Where an article stayed while newer ones vanished, it is pinned or they were withdrawn. It is pinned if it is out of
    document order, or older than the window by its date.
    """
    dated = [(place, article.published_at) for place, article in enumerate(articles) if article.published_at]
    new = [place for place in range(len(articles)) if place not in stayed]
    if not dated:
        return _pinned_without_dates(stayed, gone, new)
    newest_gone = max((entry.published_at for entry in gone if entry.published_at), default=None)
    doubtful = {
        place
        for place, entry in stayed.items()
        if newest_gone and (entry.published_at is None or entry.published_at < newest_gone)
    }
    if not doubtful:
        return frozenset()
    ordered, from_the_end = _longest_newest_first(dated), _longest_newest_first(dated[::-1])
    # Two entries in the order of their dates do not make a feed that begins with its oldest entry.
    is_oldest_first = len(from_the_end) > len(ordered) + 1
    in_order = dict(from_the_end if is_oldest_first else ordered)
    oldest = _oldest_of_window(sorted(in_order.values(), reverse=True))
    # Where most entries have dates, and none of those stayed, one without a date does not prove anything.
    only_undated_stayed = 2 * len(dated) > len(articles) and not any(place in stayed for place, _ in dated)

    def is_pinned(place: int) -> bool:
        date = articles[place].published_at
        if date is not None:
            return place not in in_order or (oldest is not None and date < oldest)
        # In a document in the order of dates, new entries stand before those that stayed.
        return bool(new) and (only_undated_stayed or (place > min(new) if is_oldest_first else place < max(new)))

    return frozenset(filter(is_pinned, doubtful))


def _pinned_without_dates(
    stayed: Mapping[int, WindowEntry], gone: Sequence[WindowEntry], new: Sequence[int]
) -> frozenset[int]:
    """The places of pinned articles in a document without dates: few that stayed, in front of new ones, while ones
    vanished that the source showed first later than them.
    """
    latest = max((entry.first_seen_at for entry in gone if entry.first_seen_at), default=None)
    if latest is None or not new or len(gone) <= len(stayed):
        return frozenset()
    return frozenset(
        place
        for place, entry in stayed.items()
        if place < max(new) and entry.first_seen_at and entry.first_seen_at < latest
    )


def _longest_newest_first(dated: Sequence[tuple[int, datetime]]) -> list[tuple[int, datetime]]:
    """The longest subsequence in which no date is newer than the one before it; of several, one with newer dates."""
    ages: list[float] = []  # the youngest age with which a subsequence of each length can end
    ends: list[int] = []
    previous: list[int | None] = []
    for number, (_, date) in enumerate(dated):
        age = -date.timestamp()
        length = bisect_right(ages, age)
        previous.append(ends[length - 1] if length else None)
        ages[length : length + 1], ends[length : length + 1] = [age], [number]
    found: list[tuple[int, datetime]] = []
    at = ends[-1] if ends else None
    while at is not None:
        found.append(dated[at])
        at = previous[at]
    return found[::-1]


def _oldest_of_window(dates: Sequence[datetime]) -> datetime | None:
    """The oldest date of the window, given all dates with the newest first; None if no date is older than the window.

    The window is most of the entries. It ends before a stretch without entries that is far longer than itself.
    """
    for count in range(max(2, len(dates) // 2 + 1), len(dates)):
        if dates[count - 1] - dates[count] > _FAR * (dates[0] - dates[count - 1]):
            return dates[count - 1]
    return None
