"""A report on a feed in plain words: one line for each thing that an operator may want to know."""

from collections.abc import Iterator
from datetime import timedelta

from kzfeed.check.report import DatesFound, DocumentFound, FeedReport, FirstArticle
from kzfeed.schedule.explain import length, moment
from kzfeed.text import printable

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LONGEST = 1000


def lines(report: FeedReport) -> list[str]:
    """The report, a line each, with nothing in it that moves a cursor."""
    said = [*_visit(report), *(_content(report, report.document) if report.document else ())]
    return [_plain(line) for line in said]


def _visit(report: FeedReport) -> Iterator[str]:
    yield f"address      {report.url}"
    for redirect in report.redirects:
        yield f"  {redirect.status} to     {redirect.url}"
    if report.moved_to:
        yield "             all of it permanent: this would become its address after 3 polls over a day"
    if report.error:
        yield f"failed       {report.error_kind}: {report.error}"
    if report.http_status:
        yield f"answer       {_answer(report)}"
        yield f"validators   {_validators(report)}"


def _content(report: FeedReport, document: DocumentFound) -> Iterator[str]:
    yield from _document(document)
    if report.dates:
        yield from _dates(report.dates, report.timezone)
    if report.window:
        covered = length(timedelta(seconds=report.window.seconds))
        yield f"window       {covered}, from {moment(report.window.oldest)} to {moment(report.window.newest)}"
    yield f"wishes       {_wishes(report, document)}"
    if report.suggestion:
        every = report.suggestion.seconds
        yield f"suggested    {_every(every) if every else 'the default interval'}: {report.suggestion.reason}"
    if report.bodies:
        middle = report.bodies.median_characters
        yield f"bodies       {_BODIES[report.bodies.look]}; the middle one has {middle} characters"
    if report.first:
        yield from _first(report.first)


_BODIES = {
    "full": "they look whole",
    "mixed": "some look whole, some like summaries",
    "summaries": "they look like summaries",
    "none": "there are none",
}


def _answer(report: FeedReport) -> str:
    said = [str(report.http_status), report.content_type or "no Content-Type"]
    if report.content_encoding:
        said.append(report.content_encoding)
    return ", ".join(said)


def _validators(report: FeedReport) -> str:
    pairs = (("ETag", report.etag), ("Last-Modified", report.last_modified))
    return (
        ", ".join(f"{name} {value}" for name, value in pairs if value) or "none: every poll brings the whole document"
    )


def _document(document: DocumentFound) -> Iterator[str]:
    language = f", language {document.language}" if document.language else ""
    yield f"document     {document.format}, {document.encoding}, {document.bytes:,} bytes{language}"
    yield f"title        {document.title or '(none)'}" + (f", of {document.site_url}" if document.site_url else "")
    yield f"entries      {document.entries}; articles in them: {document.articles}"
    for flaw in document.flaws:
        yield f"flaw         {flaw}"


def _dates(dates: DatesFound, zone: str) -> Iterator[str]:
    yield f"dates        {dates.understood} understood, {dates.not_understood} not, {dates.missing} entries have none"
    if dates.without_zone:
        yield f"             {dates.without_zone} of them name no zone and are read in {zone}: --timezone says another"
    if dates.example:
        raw, when = dates.example
        yield f"             {raw!r} is {moment(when)}"
    for raw in dates.raw_not_understood:
        yield f"             not understood: {raw!r}"


def _wishes(report: FeedReport, document: DocumentFound) -> str:
    wishes = []
    if document.own_wait_seconds:
        wishes.append(
            f"{length(timedelta(seconds=document.own_wait_seconds))} between two polls (ttl, sy:updatePeriod)"
        )
    if report.fresh_seconds:
        wishes.append(f"{length(timedelta(seconds=report.fresh_seconds))} of freshness (Cache-Control, Expires)")
    if document.skip_hours:
        wishes.append(f"no polls in these hours of GMT: {', '.join(map(str, document.skip_hours))}")
    if document.skip_days:
        wishes.append(f"no polls on {', '.join(_WEEKDAYS[day] for day in document.skip_days)}")
    return "; ".join(wishes) or "none"


def _every(seconds: int) -> str:
    """An interval as the configuration writes it."""
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
    yield f"             {when}{who}, {first.characters} characters of text"


def _plain(line: str) -> str:
    line = printable(line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
