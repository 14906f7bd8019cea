"""The command `stats`: the archive at a glance."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kzfeed.cli import terminal
from kzfeed.cli.column_chart import column_chart, columns
from kzfeed.cli.options import INSTANT, AsJson
from kzfeed.cli.output import LABEL, print_json, print_labelled, print_line, print_sentence
from kzfeed.cli.table import chart_lines, sized
from kzfeed.errors import UsageError
from kzfeed.text import failure_text, plural, printable, redacted

if TYPE_CHECKING:
    from datetime import date

    from kzfeed.store.queries.statistics import Period

DAYS = 30
_NARROWEST = 40
_TOP_SOURCES = 6
_TOP_FAILURES = 4
_WIDEST_NAME = 24

Day = Annotated[datetime | None, typer.Option(help="The first day (UTC) of the period.", **INSTANT)]
DayAfter = Annotated[datetime | None, typer.Option(help="The day after the last one.", **INSTANT)]


def stats(
    ctx: typer.Context,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=1_000_000, help=f"How many days the period has, up to today. [default: {DAYS}]"
        ),
    ] = None,
    since: Day = None,
    until: DayAfter = None,
    as_json: AsJson = False,
) -> None:
    """Show the archive at a glance: articles, polls, failures, sizes.

    Everything but the lines on the whole archive is for a period, the last 30 days if you name no other one.

    Example: kzfeed stats --days 90
    """
    from kzfeed.clock import utc_now
    from kzfeed.store.queries.statistics import statistics

    period = _period(days, since, until, utc_now().date())
    with ctx.obj.database(migrate=False) as database:
        figures = statistics(database, period)
    if as_json:
        print_json(figures)
        return
    width = max(_NARROWEST, terminal.width(sys.stdout) or 80)
    print(_heading(period))
    _print_totals(figures)
    _print_articles(figures, period, width)
    _print_polls(figures)


def _period(days: int | None, since: datetime | None, until: datetime | None, today: "date") -> "Period":
    from kzfeed.store.queries.statistics import Period

    if days is not None and since is not None:
        raise UsageError("give --days or --since: each of them says when the period begins")
    for option, instant in (("--since", since), ("--until", until)):
        if instant and instant.time() != time():
            raise UsageError(f"{option}: the period has whole days (UTC): give a day, such as {instant.date()}")
    try:
        last = until.date() - timedelta(days=1) if until else today
        first = since.date() if since else last - timedelta(days=(days or DAYS) - 1)
    except OverflowError as error:
        raise UsageError("the period would begin before the year 1: give fewer --days, or a later --until") from error
    if first > last:
        raise UsageError(f"the period would begin on {first} and end on {last}: --until is the day after its last")
    return Period(first, last)


def _heading(period: "Period") -> str:
    """The period in words: `1 to 30 November 2026 (UTC)`."""
    first, last = period.first, period.last
    end = f"{last.day} {last:%B} {last.year}"
    if first == last:
        begin = ""
    elif (first.year, first.month) == (last.year, last.month):
        begin = f"{first.day} to "
    elif first.year == last.year:
        begin = f"{first.day} {first:%B} to "
    else:
        begin = f"{first.day} {first:%B} {first.year} to "
    return f"{begin}{end} (UTC), {plural(period.days, 'day')}"


# --- sections --------------------------------------------------------------------------------------------------------


def _print_totals(figures: Mapping[str, Any]) -> None:
    statuses = ", ".join(f"{number:,} {status}" for status, number in sorted(figures["sources_by_status"].items()))
    print_labelled("sources", f"{figures['sources']:,}{': ' if statuses else ''}{statuses}")
    held = f"{plural(figures['articles'], 'article')}, {plural(figures['revisions'], 'older version')}"
    if first := figures["first_published_at"]:
        held += f", published {first.date()} to {figures['last_published_at'].date()}"
    print_labelled("archive", held + (f", {figures['undated']:,} undated" if figures["undated"] else ""))
    size = f"database {_bytes(figures['database_bytes'])}"
    if figures["search_index_bytes"] is not None:
        size += f", search index {_bytes(figures['search_index_bytes'])}"
    print_labelled("size", size)


def _bytes(number: int) -> str:
    """A number of bytes to three digits: `1.23 GB`."""
    size, unit = float(number), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{number} bytes" if unit == "bytes" else f"{size:.{max(0, 3 - len(f'{size:.0f}'))}f} {unit}"


def _print_articles(figures: Mapping[str, Any], period: "Period", width: int) -> None:
    counted = figures["in_period"]
    print()
    print_labelled(
        "articles",
        f"{counted['articles']:,} published in the period, {counted['first_seen']:,} stored, "
        f"{counted['undated']:,} of them undated; {plural(counted['new_versions'], 'new version')}",
    )
    if not counted["articles"]:
        if newest := figures["last_published_at"]:
            print_sentence(f"The newest article is of {newest.date()}: {_until(newest)}", indent=LABEL)
        return
    by_day = {day["day"]: day["articles"] for day in figures["by_day"]}
    step, shown = columns(by_day, period.first, period.last, width - 12)
    print(f"\nPublished per {'day' if step == 1 else f'{step:,} days'}")
    for line in column_chart(shown, step, width):
        print(line)
    sources = [source for source in figures["by_source"] if source["articles"]]
    print("\nPublished by source")
    bars = [(_name(source["source"]), source["articles"]) for source in sources[:_TOP_SOURCES]]
    for line in chart_lines(bars, width):
        print(line)
    if others := sources[_TOP_SOURCES:]:
        print(f"and {sum(source['articles'] for source in others):,} by {plural(len(others), 'other source')}")


def _until(newest: datetime) -> str:
    try:
        return f"see `kzfeed stats --until {newest.date() + timedelta(days=1)}`"
    except OverflowError:
        return f"see `kzfeed stats --since {newest.date()}`"


def _name(name: str) -> str:
    from rich.cells import cell_len

    name = printable(name)
    return sized(name, min(cell_len(name), _WIDEST_NAME))


def _print_polls(figures: Mapping[str, Any]) -> None:
    print()
    outcomes, last = figures["polls_by_outcome"], figures["last_polls_by_outcome"]
    print_labelled("polls", _outcomes(outcomes))
    if last:
        print_labelled("last polls", f"{_outcomes(last)}, one of each source")
    failures = figures["failures_by_source"]
    print_labelled("failures", _sources(failures, "polls", "poll") if failures else "none")
    for line in _failure_lines(failures[:_TOP_FAILURES]):
        print_line(line)
    print_labelled("gaps", _named_sources(figures["gaps_by_source"], "gaps", "gap"))
    print_labelled("flaws", _named_sources(figures["flaws_by_source"], "polls", "poll"))


def _named_sources(rows: Sequence[Mapping[str, Any]], column: str, noun: str) -> str:
    """How many there are, and the sources that have most: `3 gaps at 2 sources: voa 2, rfi 1`."""
    named = ", ".join(f"{_name(row['source'])} {row[column]:,}" for row in rows[:_TOP_FAILURES])
    more = ", …" if len(rows) > _TOP_FAILURES else ""
    return f"{_sources(rows, column, noun)}: {named}{more}" if rows else "none"


def _outcomes(numbers: Mapping[str, int]) -> str:
    named = ", ".join(f"{number:,} {outcome}" for outcome, number in numbers.items())
    return f"{sum(numbers.values()):,}: {named}" if named else "none in the period"


def _sources(rows: Sequence[Mapping[str, Any]], column: str, noun: str) -> str:
    return f"{plural(sum(row[column] for row in rows), noun)} at {plural(len(rows), 'source')}"


def _failure_lines(failures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each failing source: its name, its failed polls, and why the last of them failed."""
    from rich.cells import cell_len

    names = [_name(failure["source"]) for failure in failures]
    width = max(map(cell_len, names), default=0)
    for name, failure in zip(names, failures, strict=True):
        why = redacted(failure_text(failure["error_kind"], failure["error"]))
        yield f"  {sized(name, width)}  {failure['polls']:>7,}  {why}"
