"""Explanation of a source: lines that say why its next poll is when it is. Also a poll as a line of text.

Nothing is decided here: `policy.next_state` has written its reason into the state of the source.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kzfeed.instants import length, moment
from kzfeed.model.pages import PageCounts, PageProblem
from kzfeed.model.polls import Source
from kzfeed.schedule.page_tries import MAX_TRIES
from kzfeed.schedule.permission import why_not_polled
from kzfeed.schedule.policy import MOVED_AFTER, MOVED_POLLS
from kzfeed.text import failure_text, plural, printable, redacted, without_address

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

TEXTS = {
    "removed": "It is not in the configuration any more and is not polled; its articles are kept.",
    "disabled": "It is disabled in the configuration and is not polled; its articles are kept.",
    "gone": "Its server said at {at} that it is gone for good (410): it is not polled, its articles are kept.",
    "gone_long_ago": "Its server said that it is gone for good (410): it is not polled, its articles are kept.",
    "no_poll": "No poll is planned.",
    "due": "The next poll is due since {at}, as soon as its host's turn comes: {reason}.",
    "next": "The next poll is at {at}, in {wait}: {reason}.",
    "failed_once": "It has failed once since {since}, the last time with {error}.",
    "failed_often": "It has failed {n} times in a row since {since}, the last time with {error}.",
    "succeeded": "It last succeeded at {at}.",
    "never_succeeded": "It has never succeeded.",
    "flaw": "Its last document has a flaw: {flaw}.",
    "cron": "Its cron expression is {cron} ({timezone}).",
    "auto": "Its interval adapts to the feed (auto): at present {interval}.",
    "every": "It is to be polled every {interval}.",
    "hurried": "For now it is polled every {interval}, until half of its window stays in place from poll to poll.",
    "left_alone": "Its server asked to be left alone until {until} (Retry-After).",
    "host_left_alone": "Its host asked to be left alone until {until}, all of its feeds (Retry-After).",
    "own_wait": "The feed asks for {interval} between two polls (ttl or sy:updatePeriod).",
    "skip_hours": "The feed asks not to be polled in these hours, in GMT: {hours} (skipHours).",
    "skip_days": "The feed asks not to be polled on {days} (skipDays).",
    "stuck": "Its server has answered 304 and nothing else since {since}.",
    "stuck_in_full": "Its server has answered 304 and nothing else since {since}: "
    "the next request is for the whole document.",
    "doubtful": "The last answer was doubtful, or its filters are new: the next request is for the whole document.",
    "refused_but_others": "kzfeed does not keep these validators of the last document: {refused}. "
    "Instead, it sends other ones.",
    "refused": "kzfeed does not keep these validators of the last document: {refused}. "
    "Instead, every poll asks for the whole document.",
    "no_validators": "Its server gives no validators: while the document stays the same, polls become rarer.",
    "moved": "Its server has moved it for good from {before} to {after}.",
    "redirected_once": "Permanent redirects lead to {address}, on 1 poll since {since}: "
    "after {polls} polls over {time} that becomes its address.",
    "redirected": "Permanent redirects lead to {address}, on {n} polls since {since}: "
    "after {polls} polls over {time} that becomes its address.",
    "outage": "The daemon's machine has had no connection since {since}: until it has one, only a few sources are "
    "tried, and no failure counts.",
    "pages": "It fetches the page of each new article (full_text = {full_text}): {counts}.",
    "pages_no_more": "It fetches no pages any more (no full_text): {counts}.",
    "pages_none": "none so far",
    "pages_stored": "{n} stored",
    "pages_same": "{n} with the text that the feed has",
    "pages_refused": "{n} refused",
    "pages_failed": "{n} failed {tries} times or gone",
    "pages_waiting": "{n} still to be fetched",
    "pages_due": "Pages that wait are due now.",
    "pages_due_later": "Pages that wait are due from {at}, in {wait}.",
    "page_problem": "The page of article {id}, {title}, {outcome}: {error}.",
}
"""The lines in English, with places for values."""


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Days of the week, Monday as 0."""

    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExplanationLine:
    """A sentence about a source: the key of its text, and the values for the places in the text.

    A value is a number, a time, a length of time, days of the week, text in English, or a list of lines or texts.
    """

    key: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        return TEXTS[self.key].format_map({name: _in_english(value) for name, value in self.values.items()})


def _in_english(value: object) -> str:
    match value:
        case Weekdays(days):
            return ", ".join(WEEKDAYS[day] for day in days)
        case tuple():
            return ", ".join(map(str, value))
        case datetime():
            return moment(value)
        case timedelta():
            return length(value)
    return str(value)


def _line(key: str, **values: object) -> ExplanationLine:
    return ExplanationLine(key, values)


def explain(source: Source, paused_until: datetime | None, now: datetime) -> list[ExplanationLine]:
    """The lines, the most important first. `paused_until` is the end of a pause of the whole host."""
    return [
        _next_visit(source, paused_until, now),
        *_failures(source),
        *_interval(source),
        *_requests(source, paused_until, now),
        *_validators(source),
        *_addresses(source),
    ]


def _next_visit(source: Source, paused_until: datetime | None, now: datetime) -> ExplanationLine:
    retired = why_not_polled(source)
    if retired == "gone":
        return _line("gone", at=source.gone_at) if source.gone_at else _line("gone_long_ago")
    if retired:
        return _line(retired)
    when, reason = source.next_poll_at, source.next_poll_reason or "its configuration"
    if when is None:
        return _line("no_poll")
    if source.not_before and source.not_before > when:
        when, reason = source.not_before, "Retry-After"
    if paused_until and paused_until > max(when, now):
        when, reason = paused_until, "its whole host asked to be left alone"
    if when <= now:
        return _line("due", at=when, reason=reason)
    return _line("next", at=when, wait=when - now, reason=reason)


def _failures(source: Source) -> Iterator[ExplanationLine]:
    if source.failure_count and source.failing_since:
        key = "failed_once" if source.failure_count == 1 else "failed_often"
        error = _plain(failure_text(source.last_error_kind, source.last_error))
        yield _line(key, n=source.failure_count, since=source.failing_since, error=error)
    if source.last_success_at:
        yield _line("succeeded", at=source.last_success_at)
    elif source.last_polled_at:
        yield _line("never_succeeded")
    if source.flaw:
        yield _line("flaw", flaw=_plain(source.flaw))


def _interval(source: Source) -> Iterator[ExplanationLine]:
    if source.cron:
        yield _line("cron", cron=source.cron, timezone=source.timezone or "UTC")
    elif source.auto:
        yield _line("auto", interval=source.auto_interval or source.every)
    else:
        yield _line("every", interval=source.every)
    if source.hurried_interval:
        yield _line("hurried", interval=source.hurried_interval)


def _requests(source: Source, paused_until: datetime | None, now: datetime) -> Iterator[ExplanationLine]:
    if source.not_before and source.not_before > now:
        yield _line("left_alone", until=source.not_before)
    if paused_until and paused_until > now:
        yield _line("host_left_alone", until=paused_until)
    if source.own_wait:
        yield _line("own_wait", interval=source.own_wait)
    if source.skip_hours:
        yield _line("skip_hours", hours=tuple(sorted(source.skip_hours)))
    if source.skip_days:
        yield _line("skip_days", days=Weekdays(tuple(sorted(source.skip_days))))


def _validators(source: Source) -> Iterator[ExplanationLine]:
    if source.ask_in_full and not source.not_modified_since:
        yield _line("doubtful")
    elif source.not_modified_since:
        yield _line("stuck_in_full" if source.ask_in_full else "stuck", since=source.not_modified_since)
    if source.refused_validators:
        key = "refused_but_others" if source.validators else "refused"
        yield _line(key, refused=_plain(source.refused_validators))
    elif source.last_success_at and source.validators is None and not source.ask_in_full:
        yield _line("no_validators")


def _addresses(source: Source) -> Iterator[ExplanationLine]:
    if source.configured_url and source.url != source.configured_url:
        yield _line("moved", before=_plain(source.configured_url), after=_plain(source.url))
    if source.moved_to and source.moved_since:
        seen = {"n": source.moved_polls, "since": source.moved_since, "polls": MOVED_POLLS, "time": MOVED_AFTER}
        key = "redirected_once" if source.moved_polls == 1 else "redirected"
        yield _line(key, address=_plain(source.moved_to), **seen)


def explain_outage(since: datetime) -> ExplanationLine:
    """The line for a time in which this machine has no connection."""
    return _line("outage", since=since)


def explain_pages(
    source: Source, pages: PageCounts, problems: Sequence[PageProblem], now: datetime
) -> list[ExplanationLine]:
    """The lines about the pages of the source's articles, which may be left from a time when it wanted them."""
    if source.full_text is None and pages == PageCounts():
        return []
    counts = tuple(_page_counts(pages)) or (_line("pages_none"),)
    lines = [
        _line("pages", full_text=source.full_text, counts=counts)
        if source.full_text
        else _line("pages_no_more", counts=counts)
    ]
    if pages.next_try_at and source.full_text:
        due = pages.next_try_at
        later = _line("pages_due_later", at=due, wait=due - now)
        lines.append(_line("pages_due") if due <= now else later)
    problem_texts = ((each, _plain(each.title), _plain(failure_text(each.error_kind, each.error))) for each in problems)
    return [
        *lines,
        *(
            _line("page_problem", id=f"{each.article_id}", title=title, outcome=each.outcome, error=error)
            for each, title, error in problem_texts
        ),
    ]


def _page_counts(pages: PageCounts) -> Iterator[ExplanationLine]:
    numbers = {name: getattr(pages, name) for name in ("stored", "same", "refused", "failed", "waiting")}
    for name, number in numbers.items():
        if number:
            yield _line(f"pages_{name}", n=number, tries=MAX_TRIES)


def poll_line(poll: Mapping[str, Any]) -> str:
    """A row of the table `polls` as a line: when, what came of it, and what it brought."""
    status = f" {poll['http_status']}" if poll["http_status"] else ""
    line = f"{moment(poll['started_at'])}  {poll['outcome']}{status}"
    if poll["outcome"] == "failed":
        return f"{line} {_plain(failure_text(poll['error_kind'], poll['error']))}"
    if poll["outcome"] == "not-modified":
        return f"{line} ({poll['duration_ms']} ms)"
    brought = f"{poll['new_articles']} new, {poll['revised_articles']} revised"
    filtered = f", {poll['filtered']} filtered out" if poll["filtered"] else ""
    flaw = f", flaw: {_plain(poll['flaw'])}" if poll["flaw"] else ""
    entries = plural(poll["entries"], "entry", "entries")
    return f"{line}, {entries}, {brought}{filtered}{flaw} ({poll['duration_ms']} ms)"


def _plain(text: str) -> str:
    """Text that may come from a server, without passwords and without control characters."""
    return printable(redacted(without_address(text)))
