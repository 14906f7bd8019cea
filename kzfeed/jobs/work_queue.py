"""Queue of due sources that the daemons of a database share: a daemon claims, keeps and gives back what it polls.

`PollJob` gets its sources from this queue only. `fleet.member` has the other implementation, for members of a fleet.
"""

import asyncio
import os
import secrets
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from kzfeed.hosts import host_of
from kzfeed.jobs.held_claims import HeldClaims
from kzfeed.jobs.local_pauses import LocalPauses
from kzfeed.model.polls import Source
from kzfeed.poll import Poller
from kzfeed.store.queue import claims
from kzfeed.store.queue.leases import LEASE, NewClaim


def new_owner() -> str:
    """A name for this process in claims. The part before the first colon is that of the machine."""
    # Process ids alone are not unique: in every container they begin with the same numbers.
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(slots=True)
class WorkQueue:
    """The queue, in the database alone: sources that are due and claims on them.

    `owner` names the daemon in claims, and `lease` is how long a claim lasts without renewal. All methods raise
    DatabaseError if the database does not answer.
    """

    poller: Poller
    owner: str = field(default_factory=new_owner)
    lease: timedelta = LEASE
    answers: int = 0
    """How often the database has answered a claim."""
    _sources: dict[int, Source] = field(default_factory=dict)
    """The sources that this daemon polls, by id."""
    _claims: HeldClaims = field(default_factory=HeldClaims)
    """The claims on them."""
    _pauses: LocalPauses = field(default_factory=LocalPauses)
    """Pauses of hosts after a poll that could not be stored."""

    async def due(self, limit: int) -> list[Source]:
        """Claim up to `limit` due sources, to be polled now."""
        claim = self._new_claim()
        visits = Counter(host_of(source.url) for source in self._sources.values())
        several = self.poller.host_queues.hosts_with_several_connections
        busy = claims.Busy(
            source_ids=list(self._sources),
            hosts=self._busy_hosts(visits),
            free_by_host={host: most - visits[host] for host, most in several.items()},
        )
        due = await asyncio.to_thread(claims.claim_due, self.poller.database, claim, limit=limit, busy=busy)
        return self._hold(due, claim)

    def is_claimed(self, source: Source) -> bool:
        """Whether the claim on the source lasts."""
        return self._claims.is_valid(source.id, self.poller.clock())

    async def keep(self) -> None:
        """Renew the claims on all sources that this daemon polls."""
        renew = partial(claims.renew, self.poller.database, self.owner)
        await self._claims.renew(renew, self.poller.clock() + self.lease)

    async def done(self, source: Source) -> None:
        """Say that the poll of the source has ended: it is stored, which ended the claim too, or left to others."""
        self._forget(source)

    async def give_back(self, source: Source, pause: timedelta) -> None:
        """Say that the poll of the source was not stored. Its host is left alone for the length of `pause`."""
        self._forget(source)
        if pause:
            self._pauses.pause(host_of(source.url), pause)

    def release(self) -> None:
        """End all claims of this daemon, so that others may poll these sources at once. Called from a thread."""
        claims.release(self.poller.database, self.owner)

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        """Metrics of the queue: the explanation and the value of each, by its name."""
        return {}

    def _new_claim(self) -> NewClaim:
        return NewClaim(self.owner, self.poller.clock(), self.lease)

    def _hold(self, sources: Sequence[Source], claim: NewClaim) -> list[Source]:
        """Remember the sources that the database has claimed for this daemon."""
        self.answers += 1
        self._sources |= {source.id: source for source in sources}
        self._claims.add((source.id for source in sources), claim.until)
        return list(sources)

    def _forget(self, source: Source) -> None:
        del self._sources[source.id]
        self._claims.end(source.id)

    def _busy_hosts(self, visits: Mapping[str, int]) -> set[str]:
        connections = self.poller.host_queues.connections
        return self._pauses.hosts() | {host for host, count in visits.items() if count >= connections(host)}
