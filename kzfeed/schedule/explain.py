"""Sentences that say why the next poll of a source is when it is, and a poll as a line of text.

Nothing is decided here: `policy.next_state` has written its reason into the state of the source.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kzfeed.model.pages import PageCounts, PageProblem
from kzfeed.model.polls import Source
from kzfeed.schedule.page_tries import MOST_TRIES
from kzfeed.schedule.permission import retirement
from kzfeed.schedule.policy import MOVED_AFTER, MOVED_POLLS
from kzfeed.text import printable, redacted, without_address

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def explain(source: Source, paused_until: datetime | None, now: datetime) -> list[str]:
    """The sentences, the most important first. `paused_until` is the end of a pause of the whole host."""
    return [
        _next_visit(source, paused_until, now),
        *_failures(source),
        *_interval(source),
        *_requests(source, paused_until, now),
        *_validators(source),
        *_addresses(source),
    ]


def _next_visit(source: Source, paused_until: datetime | None, now: datetime) -> str:
    retired = retirement(source)
    if retired == "removed":
        return "It is not in the configuration any more and is not polled; its articles are kept."
    if retired == "disabled":
        return "It is disabled in the configuration and is not polled; its articles are kept."
    if retired == "gone":
        since = f" at {moment(source.gone_at)}" if source.gone_at else ""
        return f"Its server said{since} that it is gone for good (410): it is not polled, its articles are kept."
    when, reason = source.next_poll_at, source.next_poll_reason or "its configuration"
    if when is None:
        return "No poll is planned."
    if source.not_before and source.not_before > when:
        when, reason = source.not_before, "Retry-After"
    if paused_until and paused_until > max(when, now):
        when, reason = paused_until, "its whole host asked to be left alone"
    if when <= now:
        return f"The next poll is due since {moment(when)}, as soon as its host's turn comes: {reason}."
    return f"The next poll is at {moment(when)}, in {length(when - now)}: {reason}."


def _failures(source: Source) -> Iterator[str]:
    if source.failure_count and source.failing_since:
        times = "once" if source.failure_count == 1 else f"{source.failure_count} times in a row"
        since, last = moment(source.failing_since), _plain(source.last_error or "no reason given")
        yield f"It has failed {times} since {since}, the last time with {last}."
    if source.last_success_at:
        yield f"It last succeeded at {moment(source.last_success_at)}."
    elif source.last_polled_at:
        yield "It has never succeeded."
    if source.flaw:
        yield f"Its last document has a flaw: {_plain(source.flaw)}."


def _interval(source: Source) -> Iterator[str]:
    if source.cron:
        yield f"Its cron expression is {source.cron} ({source.timezone or 'UTC'})."
    elif source.auto:
        pace = source.auto_interval or source.every
        yield f"Its interval adapts to the feed (auto): at present {length(pace)}."
    else:
        yield f"It is to be polled every {length(source.every)}."
    if source.hurried_interval:
        hurry = length(source.hurried_interval)
        yield f"For now it is polled every {hurry}, until half of its window stays in place from poll to poll."


def _requests(source: Source, paused_until: datetime | None, now: datetime) -> Iterator[str]:
    if source.not_before and source.not_before > now:
        yield f"Its server asked to be left alone until {moment(source.not_before)} (Retry-After)."
    if paused_until and paused_until > now:
        yield f"Its host asked to be left alone until {moment(paused_until)}, all of its feeds (Retry-After)."
    if source.own_wait:
        yield f"The feed asks for {length(source.own_wait)} between two polls (ttl or sy:updatePeriod)."
    if source.skip_hours:
        hours = ", ".join(map(str, sorted(source.skip_hours)))
        yield f"The feed asks not to be polled in these hours, in GMT: {hours} (skipHours)."
    if source.skip_days:
        days = ", ".join(WEEKDAYS[day] for day in sorted(source.skip_days))
        yield f"The feed asks not to be polled on {days} (skipDays)."


def _validators(source: Source) -> Iterator[str]:
    stuck = f"Its server has answered 304 and nothing else since {moment(source.not_modified_since)}"
    if source.ask_in_full:
        why = stuck if source.not_modified_since else "The last answer was doubtful, or its filters are new"
        yield f"{why}: the next request is for the whole document."
    elif source.not_modified_since:
        yield f"{stuck}."
    if source.refused_validators:
        refused = _plain(source.refused_validators)
        instead = "it sends other ones" if source.validators else "every poll asks for the whole document"
        yield f"kzfeed does not keep these validators of the last document: {refused}. Instead, {instead}."
    elif source.last_success_at and source.validators is None and not source.ask_in_full:
        yield "Its server gives no validators: while the document stays the same, polls become rarer."


def _addresses(source: Source) -> Iterator[str]:
    if source.configured_url and source.url != source.configured_url:
        yield f"Its server has moved it for good from {_plain(source.configured_url)} to {_plain(source.url)}."
    if source.moved_to and source.moved_since:
        seen = "1 poll" if source.moved_polls == 1 else f"{source.moved_polls} polls"
        yield (
            f"Permanent redirects lead to {_plain(source.moved_to)}, on {seen} since {moment(source.moved_since)}: "
            f"after {MOVED_POLLS} polls over {length(MOVED_AFTER)} that becomes its address."
        )


def explain_outage(since: datetime) -> str:
    """The sentence for a time in which this machine has no connection."""
    return (
        f"The daemon's machine has had no connection since {moment(since)}: until it has one, only a few sources are "
        "tried, and no failure counts."
    )


def explain_pages(source: Source, pages: PageCounts, problems: Sequence[PageProblem], now: datetime) -> list[str]:
    """The sentences about the pages of the source's articles, which may be left from a time when it wanted them."""
    if source.full_text is None and pages == PageCounts():
        return []
    told = [f"{count} {what}" for what, count in _page_counts(pages) if count]
    wants = f"It fetches the page of each new article (full_text = {source.full_text})"
    if source.full_text is None:
        wants = "It fetches no pages any more (no full_text)"
    sentences = [f"{wants}: {', '.join(told) or 'none so far'}."]
    if pages.next_try_at and source.full_text:
        due = pages.next_try_at
        when = "are due now" if due <= now else f"are due from {moment(due)}, in {length(due - now)}"
        sentences.append(f"Pages that wait {when}.")
    return [
        *sentences,
        *(
            f"The page of article {each.article_id}, {_plain(each.title)}, {each.outcome}: {_plain(each.error)}."
            for each in problems
        ),
    ]


def _page_counts(pages: PageCounts) -> Iterator[tuple[str, int]]:
    yield "stored", pages.stored
    yield "with the text that the feed has", pages.same
    yield "refused", pages.refused
    yield f"failed {MOST_TRIES} times or gone", pages.failed
    yield "still to be fetched", pages.waiting


def poll_line(poll: Mapping[str, Any]) -> str:
    """A row of the table `polls` as a line: when, what came of it, and what it brought."""
    status = f" {poll['http_status']}" if poll["http_status"] else ""
    line = f"{moment(poll['started_at'])}  {poll['outcome']}{status}"
    if poll["outcome"] == "failed":
        return f"{line} {poll['error_kind']}: {_plain(poll['error'] or '')}"
    if poll["outcome"] == "not-modified":
        return f"{line} ({poll['duration_ms']} ms)"
    brought = f"{poll['new_articles']} new, {poll['revised_articles']} revised"
    filtered = f", {poll['filtered']} filtered out" if poll["filtered"] else ""
    flaw = f", flaw: {_plain(poll['flaw'])}" if poll["flaw"] else ""
    return f"{line}, {poll['entries']} entries, {brought}{filtered}{flaw} ({poll['duration_ms']} ms)"


def _plain(text: str) -> str:
    """Text that may come from a server, without passwords and without control characters."""
    return printable(redacted(without_address(text)))


def moment(when: datetime | None) -> str:
    """A time for people, to the second."""
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when else "an unknown time"


def length(time: timedelta) -> str:
    """A length of time in its two largest units, such as `1 h 30 min`."""
    seconds = max(round(time.total_seconds()), 0)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"
