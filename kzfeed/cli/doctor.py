"""The command `doctor`: what keeps kzfeed from working here, and what to do about it."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.cli.options import AsJson, Session
from kzfeed.cli.output import print_json, print_sentence

if TYPE_CHECKING:
    from kzfeed.doctor.diagnosis import Diagnosis

_WIDTH = 12
NoNetwork = Annotated[
    bool, typer.Option("--no-network", help="Leave out the resolver, the proxies and visits to sources.")
]


def doctor(ctx: typer.Context, no_network: NoNetwork = False, as_json: AsJson = False) -> None:
    """Examine everything that kzfeed needs, and say what to do.

    These are configuration, database, clock, disk, permissions, open files, resolver, proxies, the daemon, and visits
    to five sources at most, which may be visited now. Nothing is changed. The exit status is 1 where something is
    broken.

    Example: kzfeed doctor --no-network
    """
    found = []
    for each in _examined(ctx.obj, network=not no_network):
        found.append(each)
        if not as_json:
            print_sentence(f"{each.level:<{_WIDTH}}{each.subject}: {each.said}", indent=_WIDTH)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        counts = Counter(each.level for each in found)
        print(", ".join(f"{counts[level]} {level}" for level in ("broken", "to look at", "good")))
    raise typer.Exit(1 if any(each.level == "broken" for each in found) else 0)


def _examined(session: Session, *, network: bool) -> "Iterator[Diagnosis]":
    from kzfeed.doctor.archive import examine_database
    from kzfeed.doctor.diagnosis import Diagnosis
    from kzfeed.doctor.machine import examine_machine
    from kzfeed.doctor.network import examine_network
    from kzfeed.errors import ConfigError
    from kzfeed.wiring import access_of

    try:
        settings = session.settings
        access_of(settings)
    except ConfigError as error:
        first, *others = str(error).split("\n")
        more = f" (and {len(others)} more: run `kzfeed config check`)" if others else ""
        yield Diagnosis("configuration", "broken", first + more)
        return
    yield from examine_machine(settings)
    yield from examine_database(settings.database.url)
    if network:
        yield from asyncio.run(examine_network(settings))
