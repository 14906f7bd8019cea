"""Articles: built from the entries of a feed and from archive files, by the rules of docs/archive-format.md.

Every entry becomes an article that both engines can store; what it lacks is None.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from kzfeed.article import url
from kzfeed.article.archive_file import LINK_START, STAMP, ArchiveFile
from kzfeed.article.html import content as html
from kzfeed.article.html.line_breaks import trim_lines
from kzfeed.article.html.media import enclosure_media, merged_media
from kzfeed.article.html.visible_text import words_alone
from kzfeed.article.strings import is_storable, storable, trim
from kzfeed.feed.dates.parse import AHEAD, END_OF_TIME, instant
from kzfeed.instants import EPOCH, RESOLUTION, milliseconds
from kzfeed.model.articles import Article, Entry, Feed, Media, StoredArticle
from kzfeed.text import plural

DERIVATION_VERSION = 2
"""The version of `html.derive`. Raise it with any change of its results: otherwise `verify` reports damage."""
URN = "urn:kzfeed:"
"""The URL scheme and namespace by which an archive file names an article without an address; its url_hash follows."""

_ENCLOSED = frozenset({"audio", "video", "enclosure"})
_FINGERPRINT = re.compile(r"(?:([1-9][0-9]{0,3}):)?[0-9a-f]{64}")
_URN = re.compile(re.escape(URN) + r"([0-9a-f]{64})")
_RAW_STAMP = re.compile(STAMP)


@dataclass(frozen=True, slots=True)
class FeedContext:
    """What a feed is read with: the base of relative links, the zone of dates without one, and the current time."""

    base_url: str
    zone: tzinfo
    now: datetime


def articles_of_feed(feed: Feed, context: FeedContext) -> tuple[Article, ...]:
    """The articles of one document, in its order, without exact duplicates.

    Their `url_hash` is that of the link. Entries that share a link are told apart by `article.identity`, which knows
    what the archive holds.
    """
    return tuple(dict.fromkeys(_from_entry(entry, feed, context) for entry in feed.entries))


def _from_entry(entry: Entry, feed: Feed, context: FeedContext) -> Article:
    title = storable(html.title_text(entry.title, entry.title_type == "html"))
    content = entry.content if entry.content_type == "html" else html.from_plain(entry.content)
    content = storable(trim_lines(content))
    guid = _optional(entry.guid)
    address = _address(entry, guid, context.base_url)
    derived = html.derive(content, address or context.base_url)
    enclosed = [enclosure_media(each, context.base_url) for each in entry.enclosures]
    media = merged_media([*derived.media, *(each for each in enclosed if each)])
    canonical = url.canonical(address) if address else None
    link_hash = url.canonical_hash(canonical) if canonical else None
    if guid:
        evidence, keys = ("guid", guid), [guid]
    else:
        words = _hash_of(title, words_alone(derived.comparison_text))
        # Older versions of kzfeed told entries without a guid apart by their titles alone.
        keys = list(dict.fromkeys([*own_keys(title, enclosures_of(media), words), title]))
        evidence = ("content", words)
    return Article(
        url_hash=link_hash or url.identity_hash(*evidence),
        link_hash=link_hash,
        own_hashes=tuple(url.canonical_hash(canonical, key) for key in keys) if canonical else (),
        url=address,
        title=title,
        content=content,
        text=derived.text,
        fingerprint=_marked(_hash_of(title, derived.comparison_text)),
        published_at=_published(entry.dates, context),
        published_raw=_optional(entry.dates[0]) if entry.dates else None,
        guid=guid,
        author=_optional(entry.author),
        language=_optional(entry.language) or _optional(feed.language),
        tags=tuple(storable(tag) for tag in entry.tags),
        media=media,
    )


def _address(entry: Entry, guid: str | None, base_url: str) -> str | None:
    address = url.href(entry.link or "", base_url) if entry.link else None
    if address is None and guid is not None:
        address = url.href(guid)
    return None if address is None else LINK_START.sub("%5D(", address)


def key_of_entry(entry: Entry, context: FeedContext) -> bytes:
    """The `entry_key` of the article that the entry becomes."""
    guid = _optional(entry.guid)
    address = _address(entry, guid, context.base_url)
    if address is None and guid is None:
        return entry_key(_from_entry(entry, Feed(""), context).url_hash, None, None, "")
    return entry_key("", address, guid, storable(html.title_text(entry.title, entry.title_type == "html")))


def key_of_article(article: Article) -> bytes:
    """The `entry_key` of an article of a feed."""
    return entry_key(article.url_hash, article.url, article.guid, article.title)


def entry_key(url_hash: str, address: str | None, guid: str | None, title: str) -> bytes:
    """A hash by which an entry is found among the archived ones of its source: of its link, guid and title.

    Without link and guid it is of the `url_hash`, which is that of the content then.
    """
    if address is None and guid is None:
        return bytes.fromhex(url_hash)[:16]
    canonical = url.canonical(address) if address else None
    return hashlib.sha256(repr((canonical, guid, title)).encode()).digest()[:16]


def enclosures_of(media: Iterable[Media]) -> frozenset[str]:
    """The addresses of sounds, films and other files. Images are left out: mirrors change their addresses."""
    return frozenset(each.url for each in media if each.kind in _ENCLOSED)


def own_keys(title: str, enclosures: Iterable[str], words: str) -> list[str]:
    """What tells an entry without a guid from others with its link, in the order in which a new article takes it.

    `words` is the hash of title and words that `first_fingerprint` gives.
    """
    described = "\n".join([title, *sorted(enclosures)])
    return [described, f"{described}\n{words}"]


def _published(dates: Iterable[str], context: FeedContext) -> datetime | None:
    understood = (instant(raw, zone=context.zone, now=context.now) for raw in dates)
    return next((when for when in understood if when), None)


def flaw_of_dates(articles: Sequence[Article], context: FeedContext) -> str | None:
    """How many of the articles have a date that is left out because it cannot be right; None if there are none."""
    left_out = [article.published_raw for article in articles if article.published_raw and not article.published_at]
    if not left_out:
        return None
    ahead = sum(instant(raw, zone=context.zone, now=END_OF_TIME) is not None for raw in left_out)
    reasons = {
        f"lies more than {AHEAD // timedelta(hours=1)} hours ahead": ahead,
        "cannot be read": len(left_out) - ahead,
    }
    return "; ".join(
        f"the date of {count} of {plural(len(articles), 'article')} {reason} and is left out"
        for reason, count in reasons.items()
        if count
    )


def article_of_file(file: ArchiveFile) -> Article:
    """The article in an archive file.

    A stamp outside the years 1 to 9999 is kept in `published_raw`, as the file writes it. U+0000 becomes U+FFFD.
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
        front_matter=None if file.front_matter is None else storable(file.front_matter),
    )


def keeps_every_character(file: ArchiveFile) -> bool:
    """Whether `article_of_file` keeps every character of the file."""
    return all(is_storable(part) for part in (file.title, file.url, file.body, file.front_matter or ""))


def file_of_article(article: Article | StoredArticle) -> ArchiveFile:
    """The archive file of an article."""
    stamp = None if article.published_at is None else milliseconds(article.published_at)
    raw = _RAW_STAMP.fullmatch(article.published_raw or "")
    # Only for a stamp outside those years: a feed's raw date may look like a stamp too.
    if stamp is None and raw and raw[1] != "NaN" and _from_stamp(int(raw[1])) is None:
        stamp = int(raw[1])
    address = URN + article.url_hash if article.url is None else article.url
    return ArchiveFile(stamp=stamp, title=article.title, url=address, body=article.content)


def text_and_fingerprint(title: str, content: str) -> tuple[str, str]:
    """The plain text of an article, and its fingerprint: the hash of title and comparison text, marked with
    DERIVATION_VERSION.
    """
    derived = html.derive(content, None)
    return derived.text, _marked(_hash_of(title, derived.comparison_text))


def fingerprint(title: str, content: str) -> str:
    """The fingerprint alone."""
    return text_and_fingerprint(title, content)[1]


def first_fingerprint(title: str, content: str) -> str:
    """The fingerprint by derivation 1, which compared words alone, without the spaces between them.

    Older databases hold it, and it identifies an entry that has neither link nor guid.
    """
    return _hash_of(title, words_alone(html.derive(content, None).comparison_text))


def has_fingerprint(article: Article, stored: str) -> bool:
    """Whether a stored fingerprint is one of this article, by the derivation that made it."""
    if derivation_version_of(stored) == 1:
        return stored == first_fingerprint(article.title, article.content)
    return stored == article.fingerprint


def derivation_version_of(fingerprint: str) -> int | None:
    """The DERIVATION_VERSION that made the fingerprint; None if it is not a fingerprint."""
    # Derivation 1 wrote no version.
    made = _FINGERPRINT.fullmatch(fingerprint)
    return int(made[1] or 1) if made else None


def _hash_of(title: str, visible: str) -> str:
    return hashlib.sha256(f"{title}\n{visible}".encode()).hexdigest()


def _marked(seen: str) -> str:
    return f"{DERIVATION_VERSION}:{seen}"


def _from_stamp(stamp: int | None) -> datetime | None:
    try:
        return None if stamp is None else EPOCH + stamp * RESOLUTION
    except OverflowError:
        return None


def _optional(text: str | None) -> str | None:
    return (storable(trim(text)) or None) if text else None
