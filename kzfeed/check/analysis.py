"""Analysis of one visit to a feed: from the outcome and the parsed document to a FeedReport. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from kzfeed.article.strings import CJK
from kzfeed.check.feed_report import (
    BodyFacts,
    DateFacts,
    DocumentFacts,
    FeedReport,
    FirstArticle,
    FollowedRedirect,
    Suggestion,
    WindowFacts,
)
from kzfeed.feed.dates.parse import instant
from kzfeed.instants import length
from kzfeed.model.articles import Article, Feed, FeedLink, FeedLinks, ParsedDocument
from kzfeed.model.polls import Fetched, Outcome
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.policy import own_wait
from kzfeed.schedule.response_headers import freshness
from kzfeed.text import redacted

MAX_RAW_DATES = 10
SUMMARY_LETTERS = 400
"""The longest body, in letters, that counts as a summary. One Chinese character counts as three letters."""
MIN_DATED = 4
"""The fewest dates from which an interval is suggested."""

_ROUND_INTERVALS = [
    timedelta(minutes=each) for each in (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440)
]
_ENDS_SHORT = re.compile(
    r"(?:…|\.\.\.|(?:read|continue|see|learn) (?:the )?(?:more|on|reading|full \w+)"
    r"|(?:阅读|閱讀|查看)(?:全文|更多|原文)|(?:继续|繼續)(?:阅读|閱讀)|続きを読む)[\s»›→>)\].]*$",
    re.IGNORECASE,
)
_CJK = re.compile(f"[{CJK}]")
_NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """The address that was asked for, the zone of dates without one, the time, and the bounds of intervals."""

    url: str
    timezone: str
    now: datetime
    bounds: IntervalBounds = IntervalBounds()  # noqa: RUF009 - frozen


def report(
    checking: CheckSettings,
    outcome: Outcome,
    redirects: Sequence[FollowedRedirect],
    read: ParsedDocument | None,
    feeds: FeedLinks = FeedLinks(),  # noqa: B008 - frozen
) -> FeedReport:
    """The report on a visit.

    `read` is its parsed document, None where there is none that can be parsed. `feeds` are those that an HTML page
    names.
    """
    headers = outcome.headers
    moved_to = outcome.permanent_url if isinstance(outcome, Fetched) else None
    fresh = freshness(headers, checking.now).length
    known = FeedReport(
        url=redacted(checking.url),
        final_url=redacted(redirects[-1].url if redirects else checking.url),
        timezone=checking.timezone,
        redirects=tuple(FollowedRedirect(each.status, redacted(each.url)) for each in redirects),
        moved_to=redacted(moved_to) if moved_to else None,
        http_status=outcome.status,
        error_kind=getattr(outcome, "kind", None),
        error=getattr(outcome, "error", None),
        content_type=headers.get("content-type"),
        content_encoding=headers.get("content-encoding"),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        fresh_seconds=_seconds(fresh),
        feeds=FeedLinks(_redacted(feeds.named), _redacted(feeds.possible)),
    )
    if read is None or not isinstance(outcome, Fetched):
        return known
    feed, articles = read
    published = sorted(article.published_at for article in articles if article.published_at)
    return replace(
        known,
        document=_document(outcome, feed, articles),
        dates=_dates(feed, checking),
        window=WindowFacts(published[0], published[-1], _seconds(published[-1] - published[0])) if published else None,
        suggestion=suggested(published, max(own_wait(feed), fresh), checking.bounds),
        bodies=_bodies(articles),
        first=_first(articles),
    )


def _redacted(links: Sequence[FeedLink]) -> tuple[FeedLink, ...]:
    return tuple(replace(link, url=redacted(link.url)) for link in links)


# --- the document ----------------------------------------------------------------------------------------------------


def _document(fetched: Fetched, feed: Feed, articles: Sequence[Article]) -> DocumentFacts:
    return DocumentFacts(
        bytes=len(fetched.body),
        encoding=feed.encoding,
        format=feed.format,
        title=feed.title,
        site_url=feed.site_url,
        language=feed.language,
        own_wait_seconds=_seconds(own_wait(feed)),
        skip_hours=tuple(sorted(feed.skip_hours)),
        skip_days=tuple(sorted(feed.skip_days)),
        entries=len(feed.entries),
        articles=len(articles),
        flaws=tuple(_flaws(feed)),
        remarks=tuple(_remarks(feed, articles)),
    )


def _flaws(feed: Feed) -> Iterator[str]:
    if feed.flaw:
        yield feed.flaw
    if not feed.entries:
        yield "it has no entries"


def _remarks(feed: Feed, articles: Sequence[Article]) -> Iterator[str]:
    if linkless := sum(article.url is None for article in articles):
        yield f"{linkless} of {len(articles)} articles have no address: their guid or text would identify them"
    links = Counter(article.link_hash for article in articles if article.link_hash)
    if shared := sum(count for count in links.values() if count > 1):
        yield f"{shared} of {len(articles)} articles share their link with another one: their guid would identify them"
    if untitled := sum(not article.title for article in articles):
        yield f"{untitled} of {len(articles)} articles have no title"
    if len(articles) < len(feed.entries):
        yield f"{len(feed.entries) - len(articles)} of {len(feed.entries)} entries are duplicates"


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


def _dates(feed: Feed, checking: CheckSettings) -> DateFacts:
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
    return DateFacts(
        understood=understood,
        not_understood=len(wrong),
        missing=missing,
        without_zone=without_zone,
        raw_not_understood=tuple(dict.fromkeys(wrong))[:MAX_RAW_DATES],
        example=example,
    )


def _another_zone(checking: CheckSettings) -> ZoneInfo:
    """A time zone hours away from the source's: a date that names its own zone is the same instant in both."""
    offset = checking.now.astimezone(ZoneInfo(checking.timezone)).utcoffset() or _NO_TIME
    return ZoneInfo("Asia/Tokyo" if offset < timedelta(hours=4) else "America/New_York")


# --- how often -------------------------------------------------------------------------------------------------------


def suggested(published: Sequence[datetime], asked: timedelta, bounds: IntervalBounds) -> Suggestion:
    """The interval at which half of the window is still in the document, even at the feed's busiest time.

    `published` are the dates in order. `asked` is the pause between polls that feed and server ask for.
    """
    half = len(published) // 2
    moves = [later - earlier for earlier, later in zip(published, published[half:], strict=False)] if half else []
    stretch = min(moves, default=_NO_TIME)
    if len(published) < MIN_DATED or not stretch:
        why = "they are all the same" if len(published) >= MIN_DATED else f"there are too few ({len(published)})"
        return Suggestion(None, f"its dates do not show how often it changes: {why}")
    fits = max([each for each in _ROUND_INTERVALS if each <= stretch], default=stretch)
    every = min(max(fits, bounds.min_interval), bounds.max_interval)
    moved = f"at the busiest time, half of the entries were replaced within {length(stretch)}"
    if asked > every:
        return Suggestion(_seconds(asked), f"the feed or its server asks for it; {moved}")
    if stretch < bounds.min_interval:
        return Suggestion(_seconds(every), f"the shortest allowed interval, which may be too long: {moved}")
    if fits >= bounds.max_interval:
        return Suggestion(_seconds(every), f"the longest automatic interval; {moved}")
    return Suggestion(_seconds(every), moved)


# --- its bodies ------------------------------------------------------------------------------------------------------


def _bodies(articles: Sequence[Article]) -> BodyFacts:
    texts = [article.text.strip() for article in articles]
    middle = round(median(map(len, texts))) if texts else 0
    if not any(texts):
        return BodyFacts("none", middle)
    short = sum(_is_short(text) for text in texts) / len(texts)
    return BodyFacts("full" if short < 0.2 else "summaries" if short > 0.8 else "mixed", middle)


def _is_short(text: str) -> bool:
    return len(text) + 2 * len(_CJK.findall(text)) <= SUMMARY_LETTERS or bool(_ENDS_SHORT.search(text[-80:]))


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())
