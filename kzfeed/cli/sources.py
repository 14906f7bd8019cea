"""Commands about sources: `sources list`, `sources check` and `explain`."""

import asyncio
import contextlib
from dataclasses import asdict
from typing import Annotated, Any

import typer

from kzfeed.cli.options import AsJson, configured_names
from kzfeed.cli.output import print_json, print_sentence
from kzfeed.errors import DatabaseMissing
from kzfeed.text import redacted


def list_sources(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the sources: state, last article, next poll.

    Also lists sources that have only backfilled articles.

    Example: kzfeed sources list --json
    """
    from kzfeed.cli.source_states import print_sources, source_rows
    from kzfeed.store.queries.source_list import source_health

    settings = ctx.obj.settings
    health: list[dict[str, Any]] = []
    # Somebody who has just added the first sources has no database yet.
    with contextlib.suppress(DatabaseMissing), ctx.obj.database(migrate=False) as database:
        health = source_health(database)
    rows = source_rows(health, settings)
    if as_json:
        print_json(rows)
    elif rows:
        print_sources(rows)
    else:
        print_sentence("no sources yet: `kzfeed sources add URL` adds one")


def check(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of a feed, configured or not.")],
    timezone: Annotated[str | None, typer.Option(help="Time zone of dates without one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Visit a feed once, and say what kzfeed makes of it.

    Nothing is stored. Where the address is that of a web page, the report lists the feeds that the page names. The exit
    status is 1 where the visit fails or the feed has a flaw.

    Example: kzfeed sources check https://feedx.net/rss/bbc.xml
    """
    from kzfeed.check.report_lines import lines_of
    from kzfeed.check.visit import check_feed

    report = asyncio.run(check_feed(ctx.obj.settings, url, timezone))
    if as_json:
        print_json(asdict(report))
    else:
        for line in lines_of(report):
            print_sentence(line, indent=13)
    raise typer.Exit(0 if report.is_healthy else 1)


def explain(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name of the source.", autocompletion=configured_names)
    ],
    as_json: AsJson = False,
) -> None:
    """Explain when the next poll of a source is, and why.

    The last ten polls, and what they brought, are shown too.

    Example: kzfeed explain voa
    """
    from kzfeed.cli.explain import explain_source
    from kzfeed.clock import utc_now

    with ctx.obj.database(migrate=False) as database:
        configured = [source.name for source in ctx.obj.settings.sources]
        told = explain_source(database, name, utc_now(), configured)
    if as_json:
        next_poll_at = told.source.next_poll_at
        print_json(
            {"name": name, "url": told.source.url, "next_poll_at": next_poll_at, "why": told.why, "polls": told.polls}
        )
    else:
        print_sentence(redacted(f"{name}: {told.source.url}"))
        for line in [*told.why, "", "The last polls:", *told.poll_lines] if told.polls else told.why:
            print_sentence(line)
