"""The command `status`: whether a daemon keeps the archive up to date."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import typer

from kzfeed.cli.options import AsJson
from kzfeed.cli.output import print_json, print_labelled, print_line
from kzfeed.instants import length, moment
from kzfeed.text import failure_text, plural, redacted

_SHOWN_FAILURES = 3


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Say whether a daemon runs, what is due, and what fails.

    It also says how far search is behind. The exit status is 1 where no daemon runs, its machine has no connection, or
    polls are late. Sources that fail are listed, and change nothing in it.

    Example: kzfeed status --json
    """
    from kzfeed.clock import utc_now
    from kzfeed.store.queries.status import status as read_status

    now = utc_now()
    with ctx.obj.database(migrate=False) as database:
        found = read_status(database, now)
    if as_json:
        beats = {name: [asdict(beat) for beat in found[name]] for name in ("daemons", "silent_daemons")}
        print_json({**found, **beats})
    else:
        _print(found, now)
    raise typer.Exit(0 if found["healthy"] else 1)


def _print(found: Mapping[str, Any], now: datetime) -> None:
    print_labelled("health", "; ".join(found["problems"]) or "good")
    for beat in found["daemons"]:
        since = f"{moment(beat.started_at)} ({length(now - beat.started_at)})"
        print_labelled("daemon", f"{beat.name}, kzfeed {beat.version}, since {since}")
    for beat in found["silent_daemons"]:
        print_labelled("silent", f"{beat.name}, no heartbeat since {moment(beat.seen_at)}")
    due = plural(found["due"], "source") + " due"
    if found["due_since"]:
        due += f", {found['longest_due']} for {length(now - found['due_since'])}"
    planned = found["next_poll_at"]
    print_labelled("schedule", due + (f"; next poll {moment(planned)}" if planned else ""))
    print_labelled("last poll", _last_poll(found["last_poll"]))
    failing = found["failing"]
    print_labelled("failing", f"{len(failing):,} of {plural(found['sources'], 'source')}")
    for failure in failing[:_SHOWN_FAILURES]:
        why = redacted(failure_text(failure["last_error_kind"], failure["last_error"]))
        since = f"since {moment(failure['failing_since'])}" if failure["failing_since"] else "lately"
        # Failures for lack of a connection are not counted.
        times = f", {plural(failure['failure_count'], 'time')}" if failure["failure_count"] else ""
        print_line(f"  {failure['source']}: {since}{times}: {why}")
    if len(failing) > _SHOWN_FAILURES:
        print(f"  and {plural(len(failing) - _SHOWN_FAILURES, 'other source')}: see `kzfeed sources list`")
    print_labelled("search", _search(found["search"]))


def _last_poll(poll: Mapping[str, Any] | None) -> str:
    if poll is None:
        return "none yet"
    kind = f" ({poll['error_kind']})" if poll["error_kind"] else ""
    return f"{moment(poll['started_at'])}: {poll['source']}, {poll['outcome']}{kind}"


def _search(search: Mapping[str, Any]) -> str:
    if search["error"]:
        return str(redacted(search["error"]))
    if not search["articles"]:
        return "up to date"
    since = f", the first of them stored at {moment(search['since'])}" if search["since"] else ""
    return f"{plural(search['articles'], 'article')} not indexed yet{since}"
