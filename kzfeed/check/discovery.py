"""Discovery of the feed behind an address, which may be that of the feed itself or of a web page that names it."""

from dataclasses import dataclass

from kzfeed.check.feed_report import FeedReport
from kzfeed.check.visit import check_feed
from kzfeed.config.settings import Settings
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.model.articles import FeedLink
from kzfeed.text import without_address


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that was visited: its address, its title, and the flaws of its document."""

    url: str
    title: str | None
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeveralFeeds:
    """A web page with several feeds, of which somebody has to choose."""

    url: str
    feeds: tuple[FeedLink, ...]


@dataclass(frozen=True, slots=True)
class NoFeed:
    """An address without a feed, and why."""

    url: str
    error: str


Discovered = FoundFeed | SeveralFeeds | NoFeed


async def discover(settings: Settings, url: str, queues: HostQueues) -> Discovered:
    """Visit the address and, where it is a page with one feed, that feed. Raises UsageError for an invalid URL."""
    report = await check_feed(settings, url, queues=queues)
    feeds = report.feeds.named or report.feeds.possible
    if len(feeds) > 1:
        return SeveralFeeds(url, feeds)
    if feeds:
        url = feeds[0].url
        report = await check_feed(settings, url, queues=queues)
    return _feed(url, report)


def _feed(url: str, report: FeedReport) -> FoundFeed | NoFeed:
    if report.error or report.document is None:
        return NoFeed(url, f"{report.error_kind}: {without_address(report.error or 'no feed')}")
    title = " ".join((report.document.title or "").split())
    return FoundFeed(url, title or None, report.document.flaws)
