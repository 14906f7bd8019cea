"""The command `fleet status`: the members of a fleet, its jobs, and how far it is behind."""

from datetime import timedelta

import typer

from kzfeed.cli.options import AsJson
from kzfeed.cli.output import print_json, print_labelled
from kzfeed.instants import length, moment
from kzfeed.text import plural


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Say which members run, which one leads, and which jobs there are.

    The exit status is 1 where no member runs or leads, or NATS does not answer.

    Example: kzfeed fleet status
    """
    from kzfeed.clock import utc_now
    from kzfeed.wiring import fleet_access

    with ctx.obj.database(migrate=False) as database:
        servers, token = fleet_access(ctx.obj.settings, database)
        # Imported late: few have the package of NATS.
        from kzfeed.fleet.status import status as read_status

        found = read_status(database, servers, token, utc_now())
    if as_json:
        print_json(found)
    else:
        print_labelled("health", "; ".join(found["problems"]) or "good")
        print_labelled("leader", found["leader"] or "none")
        if jobs := found["jobs"]:
            print_labelled("jobs", f"{jobs['waiting']:,} waiting, {jobs['in_flight']:,} in flight")
        late = f", the first for {length(timedelta(seconds=found['lag_seconds']))}" if found["due"] else ""
        print_labelled("lag", f"{plural(found['due'], 'source')} due{late}")
        for name, machine in found["machines"].items():
            print_labelled("machine", f"{name}: {plural(machine['members'], 'member')}, {_polling(machine['polls'])}")
        for member in found["members"]:
            since = moment(member["started_at"])
            print_labelled(
                "member", f"{member['name']}, kzfeed {member['version']}, since {since}, {_polling(member['polls'])}"
            )
    raise typer.Exit(0 if found["healthy"] else 1)


def _polling(number: int) -> str:
    return f"polls {plural(number, 'source')}"
