"""Connection of one member to NATS, and the stream of host jobs there. The only module that imports nats."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from kzfeed.errors import KzfeedError
from kzfeed.fleet.host_jobs import HostJob, HostJobError, decode_job, encode_job, host_of_token, token_of

ANSWER_S = 2.0
"""The longest wait for an answer. If none comes, the broker counts as away for the same time."""
SILENCE = timedelta(seconds=10)
"""NATS delivers a host job again if its member sends neither an acknowledgement nor progress for this time."""
REPLICAS = 3
"""How many servers of a cluster hold the stream."""
ACKNOWLEDGED_AFTER_S = 0.25
"""How long acknowledgements are collected: on a cluster, those that are sent together cost little more than one."""
CONSUMER = "members"
_NO_CLUSTER = 10074
"""JetStream's error code for replicas on a server that is in no cluster."""
_NO_MESSAGES = ("404", "408")
"""JetStream's statuses for an empty stream and for a request that has expired."""

log = structlog.get_logger()


class BrokerAway(KzfeedError):  # noqa: N818 - it is an event
    """NATS does not answer, or has no stream of this fleet."""


class NoStream(BrokerAway):
    """NATS answers, and has no stream of this fleet."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """How many host jobs wait in the stream, and how many members have."""

    waiting: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A host job that was delivered to this member. If messages about it are lost, NATS delivers it again."""

    job: HostJob
    _message: Msg
    _acknowledgements: "_Acknowledgements"

    def done(self) -> None:
        """Take the job out of the stream, soon."""
        self._acknowledgements.add(self._message)

    async def keep(self) -> None:
        """Say that this member works on the job."""
        await _tell(self._message.in_progress)

    async def give_back(self, pause: timedelta) -> None:
        """Have the job delivered again after `pause`; until then the host gets no other one."""
        await _tell(lambda: self._message.nak(pause.total_seconds() or None))


async def _tell(send: Callable[[], Awaitable[None]]) -> None:
    try:
        await send()
    except nats.errors.Error as error:
        log.debug("broker not told", error=repr(error))


class _Acknowledgements:
    """Acknowledgements of messages, collected and sent together."""

    def __init__(self) -> None:
        self._messages: list[Msg] = []
        self._sending: asyncio.Task[None] | None = None

    def add(self, message: Msg) -> None:
        """Acknowledge the message soon."""
        self._messages.append(message)
        if len(self._messages) == 1:
            self._sending = asyncio.create_task(self._send_later())

    async def send(self) -> None:
        """Send all that have been collected."""
        messages, self._messages = self._messages, []
        for message in messages:
            await _tell(message.ack)

    async def _send_later(self) -> None:
        await asyncio.sleep(ACKNOWLEDGED_AFTER_S)
        await self.send()


@dataclass(slots=True)
class _Pull:
    """A request for host jobs: the subject of its answers, how many jobs are missing, and how it ended."""

    subject: str
    missing: int
    status: str | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Broker:
    """Connection to NATS, which is made and restored in the background; an async context manager.

    `fleet` tells the fleet apart from others that use the same servers. Methods raise BrokerAway.
    """

    def __init__(self, servers: Sequence[str], token: str | None, fleet: str) -> None:
        self._servers = list(servers)
        self._token = token
        self.stream = f"kzfeed-{hashlib.sha256(fleet.encode()).hexdigest()[:12]}"
        self._client = Client()
        self._connected = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._inbox = ""
        self._pull = _Pull("", 0)
        self._pulls = 0
        self._arrived: list[Msg] = []
        self._acknowledgements = _Acknowledgements()
        self._problem = "NATS does not answer"
        self._away_until = 0.0

    async def __aenter__(self) -> Self:
        self._connecting = asyncio.create_task(self._stay_connected())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), ANSWER_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connecting:
            self._connecting.cancel()
        if self._client.is_connected:
            await self._acknowledgements.send()
            with suppress(nats.errors.Error, TimeoutError):
                await asyncio.wait_for(self._client.flush(), ANSWER_S)
        with suppress(nats.errors.Error, TimeoutError, OSError):
            await asyncio.wait_for(self._client.close(), ANSWER_S)

    async def pull(self, most: int) -> list[Delivery]:
        """Up to `most` host jobs that wait now."""
        client = self._available()
        if (missing := most - len(self._arrived)) > 0:
            self._pulls += 1
            pull = self._pull = _Pull(f"{self._inbox}.{self._pulls}", missing)
            request = json.dumps({"batch": missing, "no_wait": True}).encode()
            with self._errors():
                await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{CONSUMER}", request, pull.subject)
                try:
                    await asyncio.wait_for(pull.ended.wait(), ANSWER_S)
                except TimeoutError:
                    if not self._arrived:
                        raise
            if pull.status not in (None, *_NO_MESSAGES) and not self._arrived:
                raise BrokerAway(f"NATS gives no jobs: status {pull.status}")
        taken, self._arrived = self._arrived[:most], self._arrived[most:]
        return [delivery for message in taken if (delivery := self._delivery(message))]

    def _delivery(self, message: Msg) -> Delivery | None:
        try:
            job = decode_job(message.subject.rpartition(".")[2], message.data)
        except HostJobError as error:
            log.warning("job left out", error=str(error))
            self._acknowledgements.add(message)
            return None
        return Delivery(job, message, self._acknowledgements)

    async def put(self, jobs: Iterable[HostJob]) -> None:
        """Put host jobs into the stream. NATS drops those whose host has a job already, without an error."""
        client = self._available()
        with self._errors():
            for job in jobs:
                await client.publish(f"{self.stream}.{token_of(job.host)}", encode_job(job))

    async def state(self) -> StreamState:
        """How many host jobs there are. Raises NoStream if the stream is missing."""
        stream = self._available().jetstream(timeout=ANSWER_S)
        with self._errors():
            consumer = await stream.consumer_info(self.stream, CONSUMER)
        return StreamState(consumer.num_pending or 0, consumer.num_ack_pending or 0)

    async def hosts(self) -> frozenset[str]:
        """The hosts that have a host job in the stream."""
        stream = self._available().jetstream(timeout=ANSWER_S)
        with self._errors():
            subjects = (await stream.stream_info(self.stream, subjects_filter=">")).state.subjects or {}
        return frozenset(host_of_token(subject.removeprefix(f"{self.stream}.")) for subject in subjects)

    async def make_stream(self) -> None:
        """Make the stream, unless it exists."""
        stream = self._available().jetstream(timeout=ANSWER_S)
        with self._errors():
            await self._make_stream(stream)

    async def _make_stream(self, stream: JetStreamContext) -> None:
        config = StreamConfig(
            name=self.stream,
            description="Due sources of kzfeed: one job for each host",
            subjects=[f"{self.stream}.*"],
            retention=RetentionPolicy.WORK_QUEUE,
            # The database is the schedule: the leader puts in again what is lost.
            storage=StorageType.MEMORY,
            discard=DiscardPolicy.NEW,
            max_msgs_per_subject=1,
            discard_new_per_subject=True,
            num_replicas=REPLICAS,
        )
        try:
            await stream.add_stream(config)
        except APIError as error:
            if error.err_code != _NO_CLUSTER:
                raise
            await stream.add_stream(config.evolve(num_replicas=1))
        consumer = ConsumerConfig(
            durable_name=CONSUMER,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=SILENCE.total_seconds(),
            max_ack_pending=-1,
        )
        await stream.add_consumer(self.stream, consumer)

    @property
    def is_connected(self) -> bool:
        """Whether this member has a connection to a server of NATS."""
        return bool(self._client.is_connected)

    def _available(self) -> Client:
        if not self._client.is_connected or asyncio.get_running_loop().time() < self._away_until:
            raise BrokerAway(self._problem)
        return self._client

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raises errors of the client as BrokerAway. After a timeout, calls fail at once for `ANSWER_S`."""
        try:
            yield
        except NotFoundError as error:
            raise NoStream("NATS has no stream of this fleet: its first member makes it") from error
        except (nats.errors.Error, OSError) as error:
            if isinstance(error, TimeoutError):
                self._away_until = asyncio.get_running_loop().time() + ANSWER_S
            self._problem = f"NATS failed: {error!r}"
            raise BrokerAway(self._problem) from error

    # --- connection --------------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        while True:
            closed = asyncio.Event()
            await self._connect(closed)
            self._connected.set()
            await closed.wait()  # only after a refusal: the client itself reconnects after other interruptions

    async def _connect(self, closed: asyncio.Event) -> None:
        was_refused = False

        async def on_error(error: Exception) -> None:
            nonlocal was_refused
            # After a refusal the connection ends, and that error says less.
            if not (was_refused and isinstance(error, OSError)):
                self._problem = f"NATS does not answer: {error or type(error).__name__}"
            was_refused |= isinstance(error, nats.errors.Error)
            log.debug("connection to the broker", error=repr(error))

        async def on_closed() -> None:
            closed.set()

        self._client = Client()
        await self._client.connect(
            self._servers,
            error_cb=on_error,
            closed_cb=on_closed,
            name="kzfeed",
            token=self._token,
            connect_timeout=2,
            reconnect_time_wait=1,
            max_reconnect_attempts=-1,
            ping_interval=2,
        )
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*", cb=self._on_message)

    async def _on_message(self, message: Msg) -> None:
        pull = self._pull
        status = (message.headers or {}).get("Status")
        if status is None:
            self._arrived.append(message)
            pull.missing -= 1
            if pull.missing <= 0:
                pull.ended.set()
        elif message.subject == pull.subject:
            pull.status = status
            pull.ended.set()
