"""A FeedReport as lines of text: one line for each fact."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from kzfeed.check.feed_report import DateFacts, DocumentFacts, FeedReport, FirstArticle
from kzfeed.instants import length, moment
from kzfeed.model.articles import FeedLink, FeedLinks
from kzfeed.schedule.explain import WEEKDAYS
from kzfeed.schedule.policy import MOVED_AFTER, MOVED_POLLS
from kzfeed.text import plural, printable, shortened

_MAX_LENGTH = 1000


def lines_of(report: FeedReport) -> list[str]:
    """The report as printable lines of at most 1,000 characters."""
    facts = [*_visit(report), *(_content(report, report.document) if report.document else ()), *_feeds(report.feeds)]
    return [shortened(printable(line), _MAX_LENGTH) for line in facts]


def _visit(report: FeedReport) -> Iterator[str]:
    yield f"address      {report.url}"
    for redirect in report.redirects:
        yield f"  {redirect.status} to     {redirect.url}"
    if report.moved_to:
        when = f"after {MOVED_POLLS} polls over {length(MOVED_AFTER)}"
        yield f"             all redirects are permanent: {when} this becomes its address"
    if report.error:
        yield f"failed       {report.error_kind}: {report.error}"
    if report.http_status:
        yield f"answer       {_answer(report)}"
        yield f"validators   {_validators(report)}"


def _content(report: FeedReport, document: DocumentFacts) -> Iterator[str]:
    yield from _document(document)
    if report.filtered is not None:
        articles = plural(document.articles, "article")
        yield f"filters      those of the source {report.source} leave out {report.filtered} of {articles}"
    if report.dates:
        yield from _dates(report.dates, report.timezone)
    if report.window:
        covered = length(timedelta(seconds=report.window.seconds))
        yield f"window       {covered}, from {moment(report.window.oldest)} to {moment(report.window.newest)}"
    yield f"requests     {_requested_pauses(report, document)}"
    if report.suggestion:
        every = report.suggestion.seconds
        yield f"suggested    {_every(every) if every else 'the default interval'}: {report.suggestion.reason}"
    if report.bodies:
        middle = report.bodies.median_characters
        yield f"bodies       {_BODIES[report.bodies.look]}; their median is {plural(middle, 'character')}"
    if report.first:
        yield from _first(report.first)


_BODIES = {
    "full": "whole texts",
    "mixed": "some whole texts, some summaries",
    "summaries": "summaries",
    "none": "none",
}


def _answer(report: FeedReport) -> str:
    said = [str(report.http_status), report.content_type or "no Content-Type"]
    if report.content_encoding:
        said.append(report.content_encoding)
    return ", ".join(said)


def _validators(report: FeedReport) -> str:
    pairs = (("ETag", report.etag), ("Last-Modified", report.last_modified))
    return (
        ", ".join(f"{name} {value}" for name, value in pairs if value)
        or "none: every poll downloads the whole document"
    )


def _document(document: DocumentFacts) -> Iterator[str]:
    language = f", language {document.language}" if document.language else ""
    yield f"document     {document.format}, {document.encoding}, {document.bytes:,} bytes{language}"
    yield f"title        {document.title or '(none)'}" + (f", of {document.site_url}" if document.site_url else "")
    yield f"entries      {document.entries}; they make {plural(document.articles, 'article')}"
    for flaw in document.flaws:
        yield f"flaw         {flaw}"
    for remark in document.remarks:
        yield f"remark       {remark}"


def _dates(dates: DateFacts, zone: str) -> Iterator[str]:
    missing = plural(dates.missing, "entry has none", "entries have none")
    yield f"dates        {dates.understood} understood, {dates.not_understood} not understood, {missing}"
    if dates.without_zone:
        yield f"             {dates.without_zone} without a time zone, read in {zone}; --timezone chooses another"
    if dates.example:
        raw, when = dates.example
        yield f"             {raw!r} is {moment(when)}"
    for raw in dates.raw_not_understood:
        yield f"             not understood: {raw!r}"


def _requested_pauses(report: FeedReport, document: DocumentFacts) -> str:
    requests = []
    if document.own_wait_seconds:
        requests.append(
            f"{length(timedelta(seconds=document.own_wait_seconds))} between two polls (ttl, sy:updatePeriod)"
        )
    if report.fresh_seconds:
        requests.append(f"{length(timedelta(seconds=report.fresh_seconds))} of freshness (Cache-Control, Expires)")
    if document.skip_hours:
        requests.append(f"no polls in these hours (GMT): {', '.join(map(str, document.skip_hours))}")
    if document.skip_days:
        requests.append(f"no polls on {', '.join(WEEKDAYS[day] for day in document.skip_days)}")
    return "; ".join(requests) or "none"


def _every(seconds: int) -> str:
    """An interval in the notation of the configuration."""
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return f'every = "{"".join(parts)}"'


def _first(first: FirstArticle) -> Iterator[str]:
    yield f"first        {first.title or '(no title)'}"
    yield f"             {first.url or 'no address'}"
    who = f", by {first.author}" if first.author else ""
    when = moment(first.published_at) if first.published_at else "date unknown"
    yield f"             {when}{who}, {plural(first.characters, 'character')} of text"


def _feeds(feeds: FeedLinks) -> Iterator[str]:
    if feeds.named:
        yield "feeds        this page is not a feed; it names these feeds:"
    yield from _links(feeds.named)
    if feeds.possible:
        subject = "it also has" if feeds.named else "this page is not a feed; it has"
        yield f"             {subject} links that may be feeds:"
    yield from _links(feeds.possible)


def _links(links: Sequence[FeedLink]) -> Iterator[str]:
    for link in links:
        yield f"             {link.url}" + (f"  {link.title}" if link.title else "")
