"""HTTP client for feeds: one visit to a URL, with its redirects, within bounds of time, size and addresses.

A visit ends in a value: the whole document, a 304, or a failure with a name. Requests have no
headers but those listed here and those configured for their source, and private addresses are dialled only for the host
that the operator configured.
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ssl import SSLContext
from urllib.parse import unquote_to_bytes

import httpx2

from kzfeed.errors import ClaimExpired
from kzfeed.fetch.access import Access, AccessOf, Header
from kzfeed.fetch.addresses import Lookup, Resolver, address_of, allowed_addresses, system_lookup
from kzfeed.fetch.decompress import ACCEPT_ENCODING, BodyDecoder
from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.network import NetworkLimits
from kzfeed.fetch.target import Target, bare_url, redirect_target, target_of
from kzfeed.fetch.transport import Received, Route, Sent, Transport
from kzfeed.hosts import parse_host
from kzfeed.model.polls import Failed, FailureKind, Fetched, NotModified, Outcome, ResponseHead, Validators, Visit
from kzfeed.text import redacted, shortened

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
MAX_CONNECTIONS = 100
MAX_ERROR = 300

_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT = (301, 308)
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
# Fields that have a single value: of several, the last one counts.
_SINGLE = frozenset(("age", "content-type", "date", "etag", "expires", "last-modified", "location", "retry-after"))
# httpx gets this placeholder, which is never dialled; the transport gets the real target in the request's extensions.
# httpx reads and writes URLs by rules of its own, not by WHATWG's, and takes long for URLs and headers.
_URL = httpx2.URL("http://target.invalid/")
_NO_CONTENT = httpx2.ByteStream(b"")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits of a visit. `timeout` is for all of it; sizes are in bytes, `max_body` counts decoded ones."""

    timeout: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=10)
    max_body: int = 15 << 20
    max_headers: int = 64 << 10
    max_redirects: int = 5


DEFAULT_LIMITS = FetchLimits()


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect that is about to be followed: its status, and the URL and host that it leads to."""

    status: int
    url: str
    host: str


OnHop = Callable[[Hop], Awaitable[None]]


async def _do_nothing(_: Hop) -> None:
    """The default `on_hop`, which does nothing."""


def _same_access(_: str) -> Access:
    """The default `access_of`: no proxies and no credentials."""
    return Access()


@dataclass(frozen=True, slots=True)
class _Redirect:
    status: int
    target: Target


@dataclass(slots=True)
class _VisitState:
    """Progress of a visit, for the message if it fails."""

    visit: Visit
    url: str
    deadline: asyncio.Timeout
    access: Access
    trusted_host: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    head: ResponseHead | None = None
    retry_after: str | None = None
    """The last Retry-After of the redirects so far."""


class Fetcher:
    """Makes visits; an async context manager, one for a process.

    `max_connections` bounds the requests under way: a visit beyond it waits, and its time does not run meanwhile.
    Looking up a name does not count. `lookup` and `tls` replace the system's resolver and certificate authorities.
    `access_of` may be replaced while the Fetcher is in use: a visit keeps the access that it began with.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        limits: FetchLimits = DEFAULT_LIMITS,
        max_connections: int = MAX_CONNECTIONS,
        lookup: Lookup = system_lookup,
        tls: SSLContext | None = None,
        access_of: AccessOf = _same_access,
    ) -> None:
        self.access_of = access_of
        self._limits = limits
        self._user_agent = user_agent.encode("latin-1")
        self._slots = asyncio.Semaphore(max_connections)
        self._resolver = Resolver(lookup)
        self._transport = Transport(NetworkLimits(limits.connect_timeout.total_seconds(), limits.max_headers), tls)
        self._client = httpx2.AsyncClient(transport=self._transport, trust_env=False, timeout=None)

    async def __aenter__(self) -> "Fetcher":
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop_requests()
        await self._client.aclose()

    def stop_requests(self) -> None:
        """Send no more requests: a visit that is about to send one is cancelled. Responses may still come in."""
        self._transport.stop_requests()

    async def visit(self, visit: Visit, *, on_hop: OnHop = _do_nothing) -> Outcome:
        """Ask for the document once, following redirects. It raises only CancelledError, and ClaimExpired from
        `on_hop`.

        Before each redirect is followed, `on_hop` is awaited; the time of the visit does not run meanwhile. It may end
        the visit by ClaimExpired.
        """
        deadline = asyncio.timeout(self._limits.timeout.total_seconds())
        state = _VisitState(visit, visit.url, deadline, self.access_of(visit.source_name))
        outcome = await self._outcome(state, on_hop)
        return replace(outcome, head=state.head, redirect_retry_after=state.retry_after)

    async def _outcome(self, state: _VisitState, on_hop: OnHop) -> Outcome:
        try:
            async with state.deadline:
                return await self._follow(state, on_hop)
        except ClaimExpired:
            raise
        except VisitError as exc:
            return _failed(exc.kind, exc.words, state)
        except Exception as exc:  # noqa: BLE001 - the last resort: one visit must not end the others
            if isinstance(exc, TimeoutError) and state.deadline.expired():
                return _failed("timeout", f"not done within {self._limits.timeout.total_seconds():g} s", state)
            return _failed("internal", repr(exc), state)

    async def _follow(self, state: _VisitState, on_hop: OnHop) -> Outcome:
        try:
            target = state.access.first_target(state.url)
        except ValueError as exc:
            raise VisitError("connect", f"not an address that can be visited: {exc}") from None
        state.trusted_host = state.visit.trusted_host
        if state.trusted_host != target.host:
            with suppress(ValueError):  # however the operator wrote it
                state.trusted_host = parse_host(state.trusted_host or "")
        seen = {target.url}
        permanent = True
        while True:
            state.url = target.url
            outcome = await self._ask(target, state)
            if not isinstance(outcome, _Redirect):
                if permanent and len(seen) > 1 and isinstance(outcome, Fetched | NotModified):
                    return replace(outcome, permanent_url=target.url)
                return outcome
            permanent = permanent and outcome.status in _PERMANENT
            target = outcome.target
            if target.url in seen:
                raise VisitError("bad-redirect", "the redirects run in a circle")
            if len(seen) > self._limits.max_redirects:
                raise VisitError("bad-redirect", f"more than {self._limits.max_redirects} redirects")
            seen.add(target.url)
            state.retry_after = state.headers.get("retry-after") or state.retry_after
            state.status, state.headers, state.head = None, {}, None
            async with _deadline_stopped(state.deadline):
                await on_hop(Hop(outcome.status, target.url, target.host))

    async def _ask(self, target: Target, state: _VisitState) -> Outcome | _Redirect:
        """Send one request and judge its response."""
        conditions = _conditions(state.visit.validators, target)
        headers = [*self._headers(target, state), *_authorization(target), *conditions]
        route = await self._route(target, state)
        extensions = {"sent": Sent(route, headers), "timeout": {}}
        request = httpx2.Request("GET", _URL, stream=_NO_CONTENT, extensions=extensions)
        await self._take_slot(state.deadline)
        try:
            response = await self._client.send(request, stream=True, auth=None)
            try:
                received: Received = response.extensions["received"]
                state.status, state.head = received.status, ResponseHead(received.head)
                state.headers = _mapping(received.fields)
                verdict = _judge(target, received.status, state.headers, conditional=bool(conditions))
                if verdict is not None:
                    return verdict
                body = await self._body(response, state.headers)
                if not body:
                    raise VisitError("empty", "the answer has no content")
                return Fetched(target.url, received.status, state.headers, body)
            finally:
                await response.aclose()
        finally:
            self._slots.release()

    def _headers(self, target: Target, state: _VisitState) -> list[Header]:
        access = state.access
        own = access.headers_for(target)
        wanted = (b"Accept", (state.visit.accept or ACCEPT).encode())
        accept = [] if any(name.lower() == b"accept" for name, _ in own) else [wanted]
        return [
            (b"Host", target.netloc.encode()),
            (b"User-Agent", access.user_agent or self._user_agent),
            *accept,
            (b"Accept-Encoding", ACCEPT_ENCODING.encode()),
            *own,
        ]

    async def _route(self, target: Target, state: _VisitState) -> Route:
        """The proxy of the request and the addresses that it may dial. Raises VisitError for a private address."""
        trusted = target.host == state.trusted_host
        literal = "127.0.0.1" if target.host.rpartition(".")[2] == "localhost" else target.host
        access = state.access
        proxy = access.proxies.proxy_for(target)
        if proxy:
            # The proxy resolves names. Addresses that are written out are judged here, as they are without a proxy.
            if address_of(literal):
                allowed_addresses(target.host, [literal], trusted=trusted)
            try:
                found = [proxy.host] if address_of(proxy.host) else await self._look_up(proxy.host, proxy.port)
                return Route(target, allowed_addresses(proxy.host, found, trusted=True), proxy, access.authorities)
            except VisitError as exc:
                raise VisitError(exc.kind, f"{exc.words} (proxy {proxy})") from exc
        found = [target.host] if address_of(target.host) else await self._look_up(target.host, target.port)
        return Route(target, allowed_addresses(target.host, found, trusted=trusted), None, access.authorities)

    async def _look_up(self, host: str, port: int) -> list[str]:
        seconds = self._limits.connect_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as patience:
                return await self._resolver.find(host, port)
        except TimeoutError:
            if not patience.expired():
                raise
            raise VisitError("dns", f"{host} did not resolve within {seconds:g} s") from None

    async def _take_slot(self, deadline: asyncio.Timeout) -> None:
        if self._slots.locked():
            async with _deadline_stopped(deadline):
                await self._slots.acquire()
        else:
            await self._slots.acquire()

    async def _body(self, response: httpx2.Response, headers: Mapping[str, str]) -> bytes:
        limit = self._limits.max_body
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise VisitError("too-large", f"the body has {int(declared):,} bytes, more than {limit:,}")
        decoder = BodyDecoder(headers.get("content-encoding", ""), limit=limit)
        async with aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                decoder.feed(piece)
        return decoder.finish()


@asynccontextmanager
async def _deadline_stopped(deadline: asyncio.Timeout) -> AsyncIterator[None]:
    """Waiting that is not the server's fault: the deadline moves by as long as the block takes."""
    loop = asyncio.get_running_loop()
    left = (deadline.when() or loop.time()) - loop.time()
    deadline.reschedule(None)
    yield
    deadline.reschedule(loop.time() + left)


def _authorization(target: Target) -> list[tuple[bytes, bytes]]:
    if not target.userinfo:
        return []
    name, _, password = target.userinfo.partition(":")
    return [
        (b"Authorization", b"Basic " + base64.b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password)))
    ]


def _conditions(validators: Validators | None, target: Target) -> list[tuple[bytes, bytes]]:
    """The conditional headers. Validators belong to the URL that gave them, and to no other."""
    if validators is None or (target.url != validators.url and target.url != bare_url(validators.url)):
        return []
    pairs = ((b"If-None-Match", validators.etag), (b"If-Modified-Since", validators.last_modified))
    return [(name, value.encode("latin-1")) for name, value in pairs if value and not _UNSENDABLE.search(value)]


def _mapping(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers and name not in _SINGLE else value
    return headers


def _judge(
    target: Target, status: int, headers: Mapping[str, str], *, conditional: bool
) -> NotModified | Failed | _Redirect | None:
    """What status and headers mean without the body; None for a 200, whose body is to be read."""
    if "cf-mitigated" in headers:
        raise VisitError("challenge", f"a bot challenge, with status {status}")
    if status == 200:
        return None
    if status == 304 and conditional:
        return NotModified(target.url, headers)
    if status in _REDIRECTS:
        return _Redirect(status, redirect_target(target, status, headers.get("location")))
    if status == 410:
        raise VisitError("gone", "the server says that it is gone for good (410)")
    if status >= 400:
        raise VisitError("http-status", f"the server answered {status}")
    unasked = " to an unconditional request" if status == 304 else ""
    raise VisitError("unexpected-status", f"the server answered {status}{unasked}")


def _failed(kind: FailureKind, words: str, state: _VisitState) -> Failed:
    """A failure in one line of at most MAX_ERROR characters, without secrets: the path of an address may be one."""
    words = " ".join(redacted(words).split())
    try:
        error = f"{target_of(state.url).origin}: {words}"
    except ValueError:
        error = words
    return Failed(
        kind,
        shortened(error, MAX_ERROR),
        status=state.status,
        headers=state.headers,
        url=state.url,
    )
