"""One visit to a feed for `kzfeed sources check`. Nothing is stored."""

from kzfeed.check.analysis import CheckSettings, report
from kzfeed.check.feed_report import FeedReport, Redirect
from kzfeed.clock import utc_now
from kzfeed.config import values
from kzfeed.config.settings import Settings
from kzfeed.errors import DocumentError, UsageError
from kzfeed.fetch.client import Hop
from kzfeed.hosts import host_of
from kzfeed.model.articles import Document, FeedLinks, Page, ParsedDocument
from kzfeed.model.polls import Failed, Fetched, Outcome, Visit
from kzfeed.text import redacted
from kzfeed.wiring import document_workers, fetcher, host_queues


async def check_feed(settings: Settings, url: str, timezone: str | None = None) -> FeedReport:
    """Visit a feed once, as a poll would, and report on it. Where it is an HTML page, find the feeds that it names.

    Raises UsageError where the URL or the time zone is not valid.
    """
    try:
        values.feed_url(url)
        zone = values.timezone(timezone) if timezone else settings.defaults.timezone
    except ValueError as error:
        raise UsageError(f"expected {error}, found {redacted(timezone or url)!r}") from None
    outcome, redirects = await _visit(settings, url)
    checking = CheckSettings(url, zone, utc_now(), settings.interval_bounds())
    if not isinstance(outcome, Fetched):
        return report(checking, outcome, redirects, None)
    content_type = outcome.headers.get("content-type")
    document = Document(outcome.body, content_type, outcome.url, zone, checking.now, settings.parse.max_entries)
    read: ParsedDocument | None = None
    feeds = FeedLinks()
    async with document_workers(settings) as workers:
        try:
            read = await workers.read(document)
        except DocumentError as error:
            if error.kind == "not-a-feed":
                feeds = await workers.find_feed_links(Page(outcome.body, content_type, outcome.url))
            outcome = Failed(error.kind, str(error), outcome.status, outcome.headers)
    return report(checking, outcome, redirects, read, feeds)


async def _visit(settings: Settings, url: str) -> tuple[Outcome, list[Redirect]]:
    host = host_of(url)
    hops: list[Hop] = []
    queues = host_queues(settings, visited={})
    async with fetcher(settings) as visits, queues.slot(host) as slot:

        async def on_hop(hop: Hop) -> None:
            hops.append(hop)
            await slot.move_to(hop.host)

        outcome = await visits.visit(Visit(url, trusted_host=host), on_hop=on_hop)
    return outcome, [Redirect(hop.status, hop.url) for hop in hops]
