"""One visit to a feed for `kzfeed sources check`. Nothing is stored."""

import time
from dataclasses import replace

from kzfeed.article.filters import apply_filters
from kzfeed.check.analysis import CheckSettings, report
from kzfeed.check.feed_report import FeedReport, FollowedRedirect
from kzfeed.clock import utc_now
from kzfeed.config import values
from kzfeed.config.settings import Settings, SourceSettings
from kzfeed.errors import DocumentError, UsageError
from kzfeed.fetch.client import Hop
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.hosts import host_of
from kzfeed.model.articles import Document, FeedLinks, HtmlPage, ParsedDocument
from kzfeed.model.polls import Failed, Fetched, Outcome, Visit
from kzfeed.sandbox.document_reader import read_if_harmless
from kzfeed.text import redacted
from kzfeed.wiring import document_workers, fetcher, host_queues


async def check_feed(
    settings: Settings, url: str, timezone: str | None = None, queues: HostQueues | None = None
) -> FeedReport:
    """Visit a feed once, as a poll would, and report on it. Where it is an HTML page, find the feeds that it names.

    If a source has this address, its settings apply. `queues` are those of other visits at the same time, so that each
    host has its pauses. Raises UsageError where the URL or the time zone is not valid.
    """
    try:
        source = settings.source_at(url)
        own_zone = (source and source.timezone) or settings.defaults.timezone
        zone = values.timezone(timezone) if timezone else own_zone
    except ValueError as error:
        named = next((each for each in settings.sources if each.name == url), None)
        hint = f", the name of a source: its address is {redacted(named.url)}" if named else ""
        raise UsageError(f"expected {error}, found {redacted(timezone or url)!r}{hint}") from None
    # The secrets of other sources need not be there.
    settings = settings.model_copy(update={"sources": (source,) if source else ()})
    visit = Visit(url, trusted_host=host_of(url), source_name=source.name if source else "")
    outcome, redirects = await _visit(settings, visit, queues or host_queues(settings, visited={}))
    checking = CheckSettings(url, zone, utc_now(), settings.interval_bounds())
    if not isinstance(outcome, Fetched):
        return report(checking, outcome, redirects, None)
    content_type = outcome.headers.get("content-type")
    document = Document(outcome.body, content_type, outcome.url, zone, checking.now, settings.parse.max_entries)
    if source:
        document = replace(document, reading=source.reading())
    read: ParsedDocument | None = None
    feeds = FeedLinks()
    async with document_workers(settings) as workers:
        try:
            # A worker takes longer to start than a harmless document takes to be read here.
            read = read_if_harmless(document) or await workers.read(document)
        except DocumentError as error:
            if error.kind == "not-a-feed":
                feeds = await workers.find_feed_links(HtmlPage(outcome.body, content_type, outcome.url))
            outcome = Failed(error.kind, str(error), outcome.status, outcome.headers)
    made = report(checking, outcome, redirects, read, feeds)
    return _with_filters(made, source, read) if source and read else made


def _with_filters(made: FeedReport, source: SourceSettings, read: ParsedDocument) -> FeedReport:
    """The report with what the filters of the source would leave out."""
    if not source.filters() or not made.document:
        return made
    result = apply_filters(read.articles, source.filters(), time.thread_time)
    flaws = (*made.document.flaws, *([result.flaw] if result.flaw else []))
    document = replace(made.document, flaws=flaws)
    return replace(made, source=source.name, filtered=len(result.filtered), document=document)


async def _visit(settings: Settings, visit: Visit, queues: HostQueues) -> tuple[Outcome, list[FollowedRedirect]]:
    hops: list[Hop] = []
    async with fetcher(settings) as client, queues.slot(host_of(visit.url)) as slot:

        async def on_hop(hop: Hop) -> None:
            hops.append(hop)
            await slot.move_to(hop.host)

        outcome = await client.visit(visit, on_hop=on_hop)
    return outcome, [FollowedRedirect(hop.status, hop.url) for hop in hops]
