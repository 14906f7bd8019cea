"""Discovery of the feed behind an address, which may be that of the feed itself or of a web page that names it."""

from dataclasses import dataclass

from kzfeed.check.feed_report import FeedReport
from kzfeed.check.visit import check_feed
from kzfeed.config.settings import Settings
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.model.articles import FeedLink
from kzfeed.text import failure_text


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that was visited: its address, its title, the flaws of its document, and where it was redirected to."""

    url: str
    title: str | None
    flaws: tuple[str, ...] = ()
    leads_to: str | None = None


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


async def discover(settings: Settings, url: str, queues: HostQueues) -> FoundFeed | SeveralFeeds | NoFeed:
    """Visit the address and, where it is a page with one feed, that feed. Raises UsageError for an invalid URL."""
    report = await check_feed(settings, url, queues=queues)
    feeds = report.feeds.named or report.feeds.possible
    if len(feeds) > 1:
        return SeveralFeeds(url, feeds)
    return await visit_feed(settings, feeds[0].url, queues) if feeds else _feed(url, report)


async def visit_feed(settings: Settings, url: str, queues: HostQueues) -> FoundFeed | NoFeed:
    """Visit the address of a feed, which a page with further feeds is not. Raises UsageError for an invalid URL."""
    return _feed(url, await check_feed(settings, url, queues=queues))


def _feed(url: str, report: FeedReport) -> FoundFeed | NoFeed:
    if report.error or report.document is None:
        return NoFeed(url, failure_text(report.error_kind, report.error or "no feed"))
    title = " ".join((report.document.title or "").split())
    return FoundFeed(url, title or None, report.document.flaws, report.final_url if report.redirects else None)
