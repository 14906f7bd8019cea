"""Status of a fleet: its members, which one leads, and the host jobs in the stream."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kzfeed.fleet.broker import Broker, BrokerAway, StreamState
from kzfeed.store.engine import Database
from kzfeed.store.queries.status import schedule
from kzfeed.store.queue.leadership import database_identity, members


def status(database: Database, servers: Sequence[str], token: str | None, now: datetime) -> dict[str, Any]:
    """The status as `kzfeed fleet status --json` prints it. `healthy` is whether `problems` is empty."""
    jobs = asyncio.run(_jobs(Broker(servers, token, database_identity(database))))
    with database.read() as connection:
        found = members(connection, now)
        due = schedule(connection, now)
    machines: dict[str, dict[str, Any]] = {}
    for member in found:
        name = member.heartbeat.name
        machine = machines.setdefault(name.partition(":")[0], {"members": 0, "polls": 0})
        machine["members"] += 1
        machine["polls"] += member.polls
    leader = next((member.heartbeat.name for member in found if member.leads), None)
    problems = [] if found else ["no member runs: start `kzfeed run`"]
    problems += [] if leader or not found else ["no member leads"]
    problems += [str(jobs)] if isinstance(jobs, BrokerAway) else []
    return {
        "healthy": not problems,
        "problems": problems,
        "leader": leader,
        "members": [
            {
                "name": member.heartbeat.name,
                "version": member.heartbeat.version,
                "started_at": member.heartbeat.started_at,
                "seen_at": member.heartbeat.seen_at,
                "polls": member.polls,
            }
            for member in found
        ],
        "machines": machines,
        "jobs": {"waiting": jobs.waiting, "in_flight": jobs.in_flight} if isinstance(jobs, StreamState) else None,
        "due": due["due"],
        "lag_seconds": due["lag_seconds"],
    }


async def _jobs(connection: Broker) -> StreamState | BrokerAway:
    async with connection as broker:
        try:
            return await broker.state()
        except BrokerAway as error:
            return error
