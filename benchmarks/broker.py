"""CPU time of NATS and of its clients for each job of a fleet, without polls: `python -m benchmarks.broker`.

One member puts jobs into the stream at a steady rate. All members take them, and acknowledge each after the time that a
poll would take.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from benchmarks.fleet import cpu_seconds
from kzfeed.fleet.broker import Broker, BrokerAway, Delivery
from kzfeed.fleet.host_jobs import HostJob
from kzfeed.fleet.leader import TICK
from kzfeed.jobs.polls import REGULAR_CLAIMS
from kzfeed.store.queue.claims import DueSource
from tests.fleet.brokers import Brokers, brokers

POLL_S = (0.05, 0.6)
"""The shortest and the longest time that a poll would take."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broker", description=__doc__)
    parser.add_argument("--brokers", type=int, nargs="+", default=[1, 3], help="servers of NATS")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--rate", type=int, default=280, help="jobs a second")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    print("| servers | members | jobs a second | CPU ms a job: servers | members |")  # noqa: T201 - its output
    print("| ---: | ---: | ---: | ---: | ---: |")  # noqa: T201
    for number in options.brokers:
        with tempfile.TemporaryDirectory() as folder, brokers(Path(folder), number) as servers:
            costs = asyncio.run(costs_of_a_job(servers, options.members, options.rate, options.seconds))
        print(f"| {number} | {options.members} | {options.rate} | {costs[0]:.2f} | {costs[1]:.2f} |")  # noqa: T201


async def costs_of_a_job(servers: Brokers, members: int, rate: int, seconds: float) -> tuple[float, float]:
    """CPU milliseconds of the servers and of the members for each job that was done within so many seconds."""
    async with AsyncExitStack() as stack:
        connected = [await stack.enter_async_context(Broker(servers.urls, None, "benchmark")) for _ in range(members)]
        await _make_stream(connected[0])
        done: list[Delivery] = []
        processes = [server.process.pid for server in servers.servers if server.process]
        theirs, ours = sum(map(cpu_seconds, processes)), time.process_time()
        async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as tasks:
            end = time.monotonic() + seconds
            tasks.create_task(_lead(connected[0], rate, end))
            for member in connected:
                tasks.create_task(_work(member, done, end))
        used = sum(map(cpu_seconds, processes)) - theirs, time.process_time() - ours
    return used[0] / len(done) * 1000, used[1] / len(done) * 1000


async def _make_stream(broker: Broker) -> None:
    """Make the stream. The servers of a cluster first have to find each other."""
    while True:
        try:
            return await broker.make_stream()
        except BrokerAway:
            await asyncio.sleep(1)


async def _lead(broker: Broker, rate: int, end: float) -> None:
    began, number = time.monotonic(), 0
    while (now := time.monotonic()) < end:
        await broker.state()
        due = range(number, int((now - began) * rate))
        await broker.put(map(_job, due))
        number = due.stop
        await asyncio.sleep(TICK.total_seconds())


def _job(number: int) -> HostJob:
    host = f"h{number}.example"
    return HostJob(host, (DueSource(number, host, datetime.now(UTC)),))


async def _work(broker: Broker, done: list[Delivery], end: float) -> None:
    chance = Random(15)

    async def poll(delivery: Delivery) -> None:
        await asyncio.sleep(chance.uniform(*POLL_S))
        delivery.done()
        done.append(delivery)

    async with asyncio.TaskGroup() as polls:
        while time.monotonic() < end:
            for delivery in await broker.pull(100):
                polls.create_task(poll(delivery))
            await asyncio.sleep(REGULAR_CLAIMS.total_seconds())


if __name__ == "__main__":
    main()
