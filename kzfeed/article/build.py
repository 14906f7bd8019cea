"""The rules of the archive format: entries of one document in, articles out; likewise archive files, and back again.

Pure and total: whatever an entry holds, it becomes an article that both engines can store and that says what it lacks.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from kzfeed.article import url
from kzfeed.article.archive_file import STAMP, ArchiveFile
from kzfeed.article.html import content as html
from kzfeed.article.html.line_breaks import trim_lines
from kzfeed.article.html.media import enclosure_media
from kzfeed.article.strings import is_storable as can_be_stored
from kzfeed.article.strings import storable, trim
from kzfeed.feed.dates.parse import instant
from kzfeed.model import Article, Entry, Feed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
READING = 1
"""The version of what `html.derive` reads in a body: raise it with any change of that, or `verify` sees damage."""
URN = "urn:kzfeed:"
"""How an archive file names an article that has no address: this and its url_hash."""

_FINGERPRINT = re.compile(r"(?:([1-9][0-9]{0,3}):)?[0-9a-f]{64}")
_URN = re.compile(re.escape(URN) + r"([0-9a-f]{64})")
# In an archive file the address begins after the last of these.
_LOOKS_LIKE_A_HEADER = re.compile(r"\]\((?=[A-Za-z][A-Za-z0-9+.-]*:)")
_RAW_STAMP = re.compile(STAMP)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document or a file is read with: where relative links start, the zone of dates without one, and now."""

    base_url: str
    zone: tzinfo
    now: datetime


def from_feed(feed: Feed, reading: Reading) -> tuple[Article, ...]:
    """The articles of one document, in its order, none of them twice.

    Where several entries share one link, guid (or title) and link together identify each of them.
    """
    articles = [_from_entry(entry, feed, reading) for entry in feed.entries]
    keys_of_links = Counter(link for link, _ in {(each.link_hash, each.joint_hash) for each in articles})
    unique: dict[tuple[str, str], Article] = {}
    for article in articles:
        if article.link_hash and keys_of_links[article.link_hash] > 1 and article.joint_hash:
            article = replace(article, url_hash=article.joint_hash)
        unique.setdefault((article.url_hash, article.fingerprint), article)
    return tuple(unique.values())


def _from_entry(entry: Entry, feed: Feed, reading: Reading) -> Article:
    title = storable(html.title_text(entry.title, entry.title_type == "html"))
    content = entry.content if entry.content_type == "html" else html.from_plain(entry.content)
    content = storable(trim_lines(content))
    guid = _optional(entry.guid)
    address = url.href(entry.link or "", reading.base_url) if entry.link else None
    if address is None and guid is not None:
        address = url.href(guid)
    if address is not None:
        address = _LOOKS_LIKE_A_HEADER.sub("%5D(", address)
    derived = html.derive(content, address or reading.base_url)
    enclosed = [enclosure_media(each, reading.base_url) for each in entry.enclosures]
    key = guid or title
    seen = _hash_of(title, derived.comparison_text)
    canonical = url.canonical(address) if address else None
    link_hash = url.canonical_hash(canonical) if canonical else None
    evidence = ("guid", guid) if guid else ("content", seen)
    return Article(
        url_hash=link_hash or url.identity_hash(*evidence),
        link_hash=link_hash,
        joint_hash=url.canonical_hash(canonical, key) if canonical and key else None,
        url=address,
        title=title,
        content=content,
        text=derived.text,
        fingerprint=_marked(seen),
        published_at=_published(entry.dates, reading),
        published_raw=_optional(entry.dates[0]) if entry.dates else None,
        guid=guid,
        author=_optional(entry.author),
        language=_optional(entry.language) or _optional(feed.language),
        tags=tuple(storable(tag) for tag in entry.tags),
        media=tuple(dict.fromkeys([*derived.media, *(each for each in enclosed if each)])),
    )


def _published(dates: Iterable[str], reading: Reading) -> datetime | None:
    understood = (instant(raw, zone=reading.zone, now=reading.now) for raw in dates)
    return next((when for when in understood if when), None)


def from_file(file: ArchiveFile) -> Article:
    """The article that an archive file holds.

    A stamp that no calendar reaches is kept in `published_raw`, as the file writes it. U+0000 becomes U+FFFD.
    """
    title, address = storable(file.title), storable(file.url)
    content = storable(file.body)
    derived = html.derive(content, address)
    named = _URN.fullmatch(address)
    return Article(
        url_hash=named[1] if named else url.url_hash(address),
        url=None if named else address,
        title=title,
        content=content,
        text=derived.text,
        fingerprint=_marked(_hash_of(title, derived.comparison_text)),
        published_at=_from_stamp(file.stamp),
        published_raw=None if file.stamp is None else f"<!--{file.stamp}-->",
        author=_optional(file.author),
        tags=tuple(storable(tag) for tag in file.tags),
        media=derived.media,
    )


def is_storable(file: ArchiveFile) -> bool:
    """Whether `from_file` keeps every character of it."""
    return all(can_be_stored(part) for part in (file.title, file.url, file.body))


def to_file(
    *,
    url_hash: str,
    url: str | None,
    title: str,
    content: str,
    published_at: datetime | None,
    published_raw: str | None,
) -> ArchiveFile:
    """The archive file of an article, as `articles` holds it."""
    stamp = None if published_at is None else (published_at - EPOCH) // timedelta(milliseconds=1)
    raw = _RAW_STAMP.fullmatch(published_raw or "")
    # Only one that no calendar reaches: a feed may write what looks like a stamp where its date should be.
    if stamp is None and raw and raw[1] != "NaN" and _from_stamp(int(raw[1])) is None:
        stamp = int(raw[1])
    return ArchiveFile(stamp=stamp, title=title, url=URN + url_hash if url is None else url, body=content)


def fingerprint(title: str, content: str) -> str:
    """The hash of what a reader sees of an article, its title and its visible text, and which READING saw it."""
    return _marked(_hash_of(title, html.derive(content, None).comparison_text))


def reading_of(fingerprint: str) -> int | None:
    """Which READING made the fingerprint; None where none did."""
    made = _FINGERPRINT.fullmatch(fingerprint)
    return int(made[1] or 1) if made else None


def _hash_of(title: str, visible: str) -> str:
    return hashlib.sha256(f"{title}\n{visible}".encode()).hexdigest()


def _marked(seen: str) -> str:
    # The first one wrote no mark.
    return seen if READING == 1 else f"{READING}:{seen}"


def _from_stamp(stamp: int | None) -> datetime | None:
    try:
        return None if stamp is None else EPOCH + timedelta(milliseconds=stamp)
    except OverflowError:
        return None


def _optional(text: str | None) -> str | None:
    return (storable(trim(text)) or None) if text else None
