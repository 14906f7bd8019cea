"""Queue of a member of a fleet: it takes host jobs from the stream, and claims their sources in the database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from kzfeed.errors import DatabaseError
from kzfeed.fleet.broker import SILENCE, Broker, BrokerAway, Delivery
from kzfeed.fleet.leader import Leader, leading
from kzfeed.jobs.work_queue import WorkQueue
from kzfeed.model.polls import Source
from kzfeed.poll import Poller
from kzfeed.store.queue import claims
from kzfeed.store.queue.leadership import database_identity

RETRY = timedelta(seconds=1)
"""When the database does not answer a claim, the host job is delivered again after this time."""

log = structlog.get_logger()


@dataclass(slots=True)
class FleetQueue(WorkQueue):
    """The queue of a member. While the broker is away, it is the queue in the database alone.

    Every member claims in the database, so a host job that is delivered twice is polled once, and members with and
    without the broker share the work.
    """

    lease: timedelta = SILENCE
    broker: Broker = field(kw_only=True)
    leader: Leader | None = None
    """The part of this member that leads or waits to lead; None before it runs."""
    _deliveries: dict[int, Delivery] = field(default_factory=dict)
    """The host jobs that this member has, by the ids of their sources that it polls."""
    _is_away: bool = False

    async def due(self, limit: int) -> list[Source]:
        """Take up to `limit` host jobs and claim their sources.

        There are more than `limit` sources only if a host may have several visits at a time.
        """
        try:
            deliveries = await self.broker.pull(limit)
        except BrokerAway as error:
            if not self._is_away:
                log.warning("broker away, claiming in the database alone", error=str(error))
            self._is_away = True
            # Called by its class: `super()` knows no class with slots.
            return await WorkQueue.due(self, limit)
        if self._is_away:
            log.info("broker available again")
        self._is_away = False
        return await self._claim(deliveries) if deliveries else []

    async def _claim(self, deliveries: Sequence[Delivery]) -> list[Source]:
        """Claim the sources of host jobs.

        A host job without a source that can be claimed leaves the stream: the leader puts in again what is still due.
        """
        by_id = {each.id: delivery for delivery in deliveries for each in delivery.job.sources}
        # This member polls them already: the broker was told too late, and delivered the host job again.
        self._deliveries |= {id_: by_id[id_] for id_ in by_id.keys() & self._sources.keys()}
        wanted = [each for delivery in deliveries for each in delivery.job.sources if each.id not in self._sources]
        claim = self._new_claim()
        try:
            claimed = await asyncio.to_thread(claims.claim_sources, self.poller.database, claim, wanted)
        except DatabaseError:
            for delivery in deliveries:
                await delivery.give_back(RETRY)
            raise
        self._deliveries |= {source.id: by_id[source.id] for source in claimed}
        for delivery in deliveries:
            if not any(each.id in self._deliveries for each in delivery.job.sources):
                delivery.done()
        return self._hold(claimed, claim)

    async def keep(self) -> None:
        """Renew the claims on all sources that this member polls, and tell the broker that it works on them."""
        await WorkQueue.keep(self)
        for source in list(self._sources.values()):
            if (delivery := self._deliveries.get(source.id)) and self.is_claimed(source):
                await delivery.keep()

    async def done(self, source: Source) -> None:
        """Say that the poll of the source has ended. If the claim has expired, others may take its host job."""
        is_claimed = self.is_claimed(source)
        await WorkQueue.done(self, source)
        delivery = self._end(source)
        if delivery and is_claimed:
            delivery.done()

    async def give_back(self, source: Source, pause: timedelta) -> None:
        """Say that the poll of the source was not stored. No member visits its host for the length of `pause`."""
        await WorkQueue.give_back(self, source, pause)
        if delivery := self._end(source):
            await delivery.give_back(pause)

    def gauges(self) -> dict[str, tuple[str, float]]:
        """The figures of this member, and of the stream if it leads."""
        stream = self.leader.stream if self.leader else None
        found: dict[str, tuple[str, float]] = {
            "kzfeed_fleet_broker_up": ("Whether NATS gave jobs when this member last asked", not self._is_away),
            "kzfeed_fleet_leader": ("Whether this member leads the fleet", stream is not None),
            "kzfeed_fleet_polls_under_way": ("Sources that this member polls", len(self._sources)),
        }
        if stream:
            found["kzfeed_fleet_jobs_waiting"] = ("Jobs in the stream that no member has", stream.waiting)
            found["kzfeed_fleet_jobs_in_flight"] = ("Jobs that members have", stream.in_flight)
        return found

    def _end(self, source: Source) -> Delivery | None:
        """The host job of the source, if none of its other sources is polled any more."""
        delivery = self._deliveries.pop(source.id, None)
        if delivery and any(each.id in self._deliveries for each in delivery.job.sources):
            return None
        return delivery


@asynccontextmanager
async def membership(poller: Poller, servers: Sequence[str], token: str | None) -> AsyncIterator[FleetQueue]:
    """Queue of a new member, which belongs to the fleet of the poller's database until the end of the block."""
    fleet = await asyncio.to_thread(database_identity, poller.database)
    async with Broker(servers, token, fleet) as broker:
        with suppress(BrokerAway):  # the queue logs it when it first asks for jobs
            await broker.make_stream()
        queue = FleetQueue(poller, broker=broker)
        async with leading(queue, broker) as queue.leader:
            yield queue
