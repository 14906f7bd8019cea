"""What kzfeed would make of a feed: one visit's outcome and what was read of it in, a report out.

Pure, and nothing is stored: it is for whoever wants to know before a feed is configured, or why it is so odd.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Literal
from zoneinfo import ZoneInfo

from kzfeed.feed.dates.parse import instant
from kzfeed.feed.decode import decode
from kzfeed.model import Article, Decoded, Feed, Fetched, Outcome, Read
from kzfeed.schedule.explain import length
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.response_headers import MAX_FRESHNESS, freshness
from kzfeed.text import redacted

MAX_RAW_DATES = 10
SHORT = 400
"""Up to how many letters a body is taken for a summary; a Chinese character says as much as three of them."""
MIN_DATED = 4
"""From how many dates on a rhythm can be told."""

_ROUND = [timedelta(minutes=each) for each in (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440)]
_ENDS_SHORT = re.compile(
    r"(?:…|\.\.\.|(?:read|continue|see|learn) (?:the )?(?:more|on|reading|full \w+)"
    r"|(?:阅读|閱讀|查看)(?:全文|更多|原文)|(?:继续|繼續)(?:阅读|閱讀)|続きを読む)[\s»›→>)\].]*$",
    re.IGNORECASE,
)
_SAYS_MUCH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect that was followed: the status that ordered it, and where it led."""

    status: int
    url: str


@dataclass(frozen=True, slots=True)
class DocumentFound:
    """What the document says of itself. `own_wait_seconds` is how long it asks to be left alone (ttl, sy:updatePeriod).

    `articles` are fewer than `entries` where some come twice. `skip_days` counts from Monday = 0.
    """

    bytes: int
    encoding: str
    format: str
    title: str | None
    site_url: str | None
    language: str | None
    own_wait_seconds: int
    skip_hours: tuple[int, ...]
    skip_days: tuple[int, ...]
    entries: int
    articles: int
    flaws: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatesFound:
    """How many entries have a date that is understood, one that is not, and none.

    `without_zone` of those understood name no zone: the source's own was taken. `raw_not_understood` are the strings,
    each once, the first MAX_RAW_DATES; `example` is one that was understood, and as what.
    """

    understood: int
    not_understood: int
    missing: int
    without_zone: int
    raw_not_understood: tuple[str, ...]
    example: tuple[str, datetime] | None


@dataclass(frozen=True, slots=True)
class WindowFound:
    """The stretch of time that the document covers."""

    oldest: datetime
    newest: datetime
    seconds: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """How often to poll it, and why; `seconds` is None where it cannot be told."""

    seconds: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class BodiesFound:
    """Whether the entries hold their whole text, and how many characters of text the middle one has."""

    look: Literal["full", "mixed", "summaries", "none"]
    median_characters: int


@dataclass(frozen=True, slots=True)
class FirstArticle:
    """The first article as it would be stored."""

    title: str
    url: str | None
    url_hash: str
    published_at: datetime | None
    author: str | None
    characters: int


@dataclass(frozen=True, slots=True)
class FeedReport:
    """What one visit showed. Where it failed, `error` says how, and what could not be known is None.

    `moved_to` is where nothing but permanent redirects led, `fresh_seconds` for how long the server said the answer is
    good, `timezone` the zone for dates that name none.
    """

    url: str
    final_url: str
    timezone: str
    redirects: tuple[Redirect, ...] = ()
    moved_to: str | None = None
    http_status: int | None = None
    error_kind: str | None = None
    error: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    fresh_seconds: int = 0
    document: DocumentFound | None = None
    dates: DatesFound | None = None
    window: WindowFound | None = None
    suggestion: Suggestion | None = None
    bodies: BodiesFound | None = None
    first: FirstArticle | None = None


@dataclass(frozen=True, slots=True)
class Checking:
    """What a check goes by: the address as given, the zone for dates without one, the time, the interval's bounds."""

    url: str
    timezone: str
    now: datetime
    bounds: IntervalBounds = IntervalBounds()  # noqa: RUF009 - frozen


def report(checking: Checking, outcome: Outcome, redirects: Sequence[Redirect], read: Read | None) -> FeedReport:
    """The report on a visit; `read` is what its document held, None where it brought none that could be read."""
    headers = outcome.headers
    moved_to = outcome.permanent_url if isinstance(outcome, Fetched) else None
    fresh = freshness(headers, checking.now).length
    known = FeedReport(
        url=redacted(checking.url),
        final_url=redacted(redirects[-1].url if redirects else checking.url),
        timezone=checking.timezone,
        redirects=tuple(Redirect(each.status, redacted(each.url)) for each in redirects),
        moved_to=redacted(moved_to) if moved_to else None,
        http_status=outcome.status,
        error_kind=getattr(outcome, "kind", None),
        error=getattr(outcome, "error", None),
        content_type=headers.get("content-type"),
        content_encoding=headers.get("content-encoding"),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        fresh_seconds=_seconds(fresh),
    )
    if read is None or not isinstance(outcome, Fetched):
        return known
    feed, articles = read
    published = sorted(article.published_at for article in articles if article.published_at)
    return replace(
        known,
        document=_document(outcome, feed, articles),
        dates=_dates(feed, checking),
        window=WindowFound(published[0], published[-1], _seconds(published[-1] - published[0])) if published else None,
        suggestion=suggested(published, max(_own_wait(feed), fresh), checking.bounds),
        bodies=_bodies(articles),
        first=_first(articles),
    )


# --- the document ----------------------------------------------------------------------------------------------------


def _document(fetched: Fetched, feed: Feed, articles: Sequence[Article]) -> DocumentFound:
    decoded = decode(fetched.body, fetched.headers.get("content-type"))
    return DocumentFound(
        bytes=len(fetched.body),
        encoding=decoded.encoding,
        format=feed.format,
        title=feed.title,
        site_url=feed.site_url,
        language=feed.language,
        own_wait_seconds=_seconds(_own_wait(feed)),
        skip_hours=tuple(sorted(feed.skip_hours)),
        skip_days=tuple(sorted(feed.skip_days)),
        entries=len(feed.entries),
        articles=len(articles),
        flaws=tuple(_flaws(decoded, feed, articles)),
    )


def _own_wait(feed: Feed) -> timedelta:
    return min(max(feed.ttl or _NO_TIME, feed.update_every or _NO_TIME), MAX_FRESHNESS)


def _flaws(decoded: Decoded, feed: Feed, articles: Sequence[Article]) -> Iterator[str]:
    if decoded.flawed:
        yield f"its encoding is guessed, or bytes were replaced: read as {decoded.encoding}"
    if feed.flaw:
        yield feed.flaw
    if feed.dropped:
        yield f"{feed.dropped} entries are beyond the limit and would be left out"
    if not feed.entries:
        yield "it has no entries"
    if linkless := sum(article.url is None for article in articles):
        yield f"{linkless} of {len(articles)} articles have no address: guid or text would tell them apart"
    links = Counter(article.link_hash for article in articles if article.link_hash)
    if shared := sum(count for count in links.values() if count > 1):
        yield f"{shared} of {len(articles)} articles share their link with another one: the guid would tell them apart"
    if untitled := sum(not article.title for article in articles):
        yield f"{untitled} of {len(articles)} articles have no title"
    if len(articles) < len(feed.entries):
        yield f"{len(feed.entries) - len(articles)} of {len(feed.entries)} entries are there twice"


def _first(articles: Sequence[Article]) -> FirstArticle | None:
    for article in articles:
        return FirstArticle(
            title=article.title,
            url=article.url,
            url_hash=article.url_hash,
            published_at=article.published_at,
            author=article.author,
            characters=len(article.text),
        )
    return None


# --- its dates -------------------------------------------------------------------------------------------------------


def _dates(feed: Feed, checking: Checking) -> DatesFound:
    here, elsewhere = ZoneInfo(checking.timezone), _another_zone(checking)
    understood = missing = without_zone = 0
    wrong: list[str] = []
    example: tuple[str, datetime] | None = None
    for entry in feed.entries:
        found = ((raw, instant(raw, zone=here, now=checking.now)) for raw in entry.dates)
        raw, when = next((pair for pair in found if pair[1]), (None, None))
        if raw and when:
            understood += 1
            without_zone += instant(raw, zone=elsewhere, now=checking.now) != when
            example = example or (raw, when)
        elif entry.dates:
            wrong.extend(entry.dates[:1])
        else:
            missing += 1
    return DatesFound(
        understood=understood,
        not_understood=len(wrong),
        missing=missing,
        without_zone=without_zone,
        raw_not_understood=tuple(dict.fromkeys(wrong))[:MAX_RAW_DATES],
        example=example,
    )


def _another_zone(checking: Checking) -> ZoneInfo:
    """One that is hours away: a date that names its own zone means the same in both."""
    offset = checking.now.astimezone(ZoneInfo(checking.timezone)).utcoffset() or _NO_TIME
    return ZoneInfo("Asia/Tokyo" if offset < timedelta(hours=4) else "America/New_York")


# --- how often -------------------------------------------------------------------------------------------------------


def suggested(published: Sequence[datetime], asked: timedelta, bounds: IntervalBounds) -> Suggestion:
    """How often to poll: so that half of the window is still there, also in its busiest stretch.

    `published` are the dates in their order, `asked` is how long feed and server want to be left alone.
    """
    half = len(published) // 2
    moves = [later - earlier for earlier, later in zip(published, published[half:], strict=False)] if half else []
    stretch = min(moves, default=_NO_TIME)
    if len(published) < MIN_DATED or not stretch:
        why = "all at one time" if len(published) >= MIN_DATED else f"too few ({len(published)})"
        return Suggestion(None, f"its dates do not tell how often it changes: {why}")
    fits = max([each for each in _ROUND if each <= stretch], default=stretch)
    every = min(max(fits, bounds.min_interval), bounds.max_interval)
    moved = f"at its busiest, half of the window moved on within {length(stretch)}"
    if asked > every:
        return Suggestion(_seconds(asked), f"feed or server ask for it; {moved}")
    if stretch < bounds.min_interval:
        return Suggestion(_seconds(every), f"the least interval, and it may be too long: {moved}")
    if fits >= bounds.max_interval:
        return Suggestion(_seconds(every), f"the longest interval that is chosen by itself; {moved}")
    return Suggestion(_seconds(every), moved)


# --- its bodies ------------------------------------------------------------------------------------------------------


def _bodies(articles: Sequence[Article]) -> BodiesFound:
    texts = [article.text.strip() for article in articles]
    middle = round(median(map(len, texts))) if texts else 0
    if not any(texts):
        return BodiesFound("none", middle)
    short = sum(_is_short(text) for text in texts) / len(texts)
    return BodiesFound("full" if short < 0.2 else "summaries" if short > 0.8 else "mixed", middle)


def _is_short(text: str) -> bool:
    return len(text) + 2 * len(_SAYS_MUCH.findall(text)) <= SHORT or bool(_ENDS_SHORT.search(text[-80:]))


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())
