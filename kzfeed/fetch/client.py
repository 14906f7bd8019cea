"""One visit in, its outcome out: a whole document, a 304, or a named failure, within bounds of time, bytes, addresses.

Promised: nothing is raised but CancelledError, nothing is sent that the visit did not ask for, and nothing is dialled
that a public feed has no business to name.
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ssl import SSLContext
from urllib.parse import unquote_to_bytes

from kzfeed.fetch.addresses import Lookup, Resolver, address_of, allowed_addresses, system_lookup
from kzfeed.fetch.decompress import ACCEPT_ENCODING, BodyDecoder
from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.target import Target, bare_url, host_of, redirect_target, target_of
from kzfeed.fetch.wire import Request, Response, Wire, WireLimits
from kzfeed.model import Failed, FailureKind, Fetched, NotModified, Validators, Visit
from kzfeed.text import redacted

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
MAX_CONNECTIONS = 100
MAX_ERROR = 300

_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT = (301, 308)
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
# Of these a response has one value; a list of several would be none at all.
_SINGLE = frozenset(("age", "content-type", "date", "etag", "expires", "last-modified", "location", "retry-after"))


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a visit may cost. `timeout` is for all of it; sizes are in bytes, `max_body` counts decoded ones."""

    timeout: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=10)
    max_body: int = 15 << 20
    max_headers: int = 64 << 10
    max_redirects: int = 5


DEFAULT_LIMITS = FetchLimits()


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect that is about to be followed: the status that ordered it, and the address and host it leads to."""

    status: int
    url: str
    host: str


OnHop = Callable[[Hop], Awaitable[None]]


async def _go_on(_: Hop) -> None:
    """Nothing to wait for."""


@dataclass(frozen=True, slots=True)
class _Redirect:
    status: int
    target: Target


@dataclass(slots=True)
class _Trail:
    """Where a visit has got to, for the words of a failure."""

    url: str
    deadline: asyncio.Timeout
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: str | None = None
    """What the redirects so far asked for; the last one that did counts."""


class Fetcher:
    """Makes visits; an async context manager, one for a process.

    `max_connections` bounds the requests under way: a visit over it waits, and its time does not run meanwhile. Looking
    up a name is not counted. Where the number leaves room, connections are kept for a while, for the next request to
    their host. `lookup` and `tls` replace the system's resolver and the usual certificate authorities.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        limits: FetchLimits = DEFAULT_LIMITS,
        max_connections: int = MAX_CONNECTIONS,
        lookup: Lookup = system_lookup,
        tls: SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._limits = limits
        self._places = asyncio.Semaphore(max_connections)
        self._resolver = Resolver(lookup)
        self._wire = Wire(WireLimits(limits.connect_timeout, limits.max_headers, max_connections), tls)

    async def __aenter__(self) -> "Fetcher":
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.__aexit__()

    def stop_requests(self) -> None:
        """Ask for nothing more: what was asked for may still come in, a visit about to send a request is cancelled."""
        self._wire.stop_requests()

    async def visit(self, visit: Visit, *, on_hop: OnHop = _go_on) -> Fetched | NotModified | Failed:
        """Ask for the document once, following redirects. Never raises anything but CancelledError.

        Before each redirect is followed, `on_hop` is awaited; that takes nothing off the time of the visit.
        """
        trail = _Trail(visit.url, asyncio.timeout(self._limits.timeout.total_seconds()))
        outcome = await self._outcome(visit, trail, on_hop)
        return replace(outcome, redirect_retry_after=trail.retry_after) if trail.retry_after else outcome

    async def _outcome(self, visit: Visit, trail: _Trail, on_hop: OnHop) -> Fetched | NotModified | Failed:
        try:
            async with trail.deadline:
                return await self._follow(visit, trail, on_hop)
        except VisitError as exc:
            return _failed(exc.kind, exc.words, trail)
        except Exception as exc:  # noqa: BLE001 - the last resort: one visit must not end the others
            if isinstance(exc, TimeoutError) and trail.deadline.expired():
                return _failed("timeout", f"not done within {self._limits.timeout.total_seconds():g} s", trail)
            return _failed("internal", repr(exc), trail)

    async def _follow(self, visit: Visit, trail: _Trail, on_hop: OnHop) -> Fetched | NotModified | Failed:
        try:
            target = target_of(visit.url)
        except ValueError as exc:
            raise VisitError("connect", f"not an address that can be visited: {exc}") from None
        trusted_host = visit.trusted_host if visit.trusted_host == target.host else host_of(visit.trusted_host)
        seen = {target.url}
        permanent = True
        while True:
            trail.url = target.url
            outcome = await self._ask(target, visit.validators, target.host == trusted_host, trail)
            if not isinstance(outcome, _Redirect):
                if permanent and len(seen) > 1 and isinstance(outcome, Fetched | NotModified):
                    return replace(outcome, permanent_url=target.url_with_userinfo)
                return outcome
            permanent = permanent and outcome.status in _PERMANENT
            target = outcome.target
            if target.url in seen:
                raise VisitError("bad-redirect", f"the redirects run in a circle, back to {target.url}")
            if len(seen) > self._limits.max_redirects:
                raise VisitError("bad-redirect", f"more than {self._limits.max_redirects} redirects")
            seen.add(target.url)
            trail.retry_after = trail.headers.get("retry-after") or trail.retry_after
            trail.status, trail.headers = None, {}
            async with _uncounted(trail.deadline):
                await on_hop(Hop(outcome.status, target.url, target.host))

    async def _ask(
        self, target: Target, validators: Validators | None, trusted: bool, trail: _Trail
    ) -> Fetched | NotModified | Failed | _Redirect:
        """One request and what its response means."""
        conditions = _conditions(validators, target)
        request = Request(
            target.host,
            target.origin,
            target.path,
            headers=self._headers(target) + conditions,
            addresses=await self._addresses(target, trusted=trusted),
        )
        await self._take_place(trail.deadline)
        try:
            async with self._wire.send(request) as response:
                trail.status = response.status
                trail.headers = headers = _mapping(response)
                verdict = _judge(target, response.status, headers, conditional=bool(conditions))
                if verdict is not None:
                    return verdict
                body = await self._body(response, headers)
                if not body:
                    raise VisitError("empty", "the answer has no content")
                return Fetched(target.url, response.status, headers, body)
        finally:
            self._places.release()

    def _headers(self, target: Target) -> tuple[tuple[str, str], ...]:
        headers = (
            ("Host", target.netloc),
            ("User-Agent", self._user_agent),
            ("Accept", ACCEPT),
            ("Accept-Encoding", ACCEPT_ENCODING),
        )
        if not target.userinfo:
            return headers
        name, _, password = target.userinfo.partition(":")
        basic = base64.b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password)).decode("ascii")
        return (*headers, ("Authorization", f"Basic {basic}"))

    async def _addresses(self, target: Target, *, trusted: bool) -> tuple[str, ...]:
        if address_of(target.host):
            return allowed_addresses(target.host, [target.host], trusted=trusted)
        seconds = self._limits.connect_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as patience:
                found = await self._resolver.find(target.host, target.port)
        except TimeoutError:
            if not patience.expired():
                raise
            raise VisitError("dns", f"{target.host} did not resolve within {seconds:g} s") from None
        return allowed_addresses(target.host, found, trusted=trusted)

    async def _take_place(self, deadline: asyncio.Timeout) -> None:
        """A place among the connections."""
        if self._places.locked():
            async with _uncounted(deadline):
                await self._places.acquire()
        else:
            await self._places.acquire()

    async def _body(self, response: Response, headers: Mapping[str, str]) -> bytes:
        limit = self._limits.max_body
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise VisitError("too-large", f"the body has {int(declared):,} bytes, more than {limit:,}")
        decoder = BodyDecoder(headers.get("content-encoding", ""), limit=limit)
        async for piece in response.body:
            decoder.feed(piece)
        return decoder.finish()


@asynccontextmanager
async def _uncounted(deadline: asyncio.Timeout) -> AsyncIterator[None]:
    """Waiting that is not the server's fault: the deadline moves by as long as the block takes."""
    loop = asyncio.get_running_loop()
    left = (deadline.when() or loop.time()) - loop.time()
    deadline.reschedule(None)
    yield
    deadline.reschedule(loop.time() + left)


def _conditions(validators: Validators | None, target: Target) -> tuple[tuple[str, str], ...]:
    """The conditional headers. Validators vouch for the URL that gave them, and for no other."""
    if validators is None or (target.url != validators.url and target.url != bare_url(validators.url)):
        return ()
    pairs = (("If-None-Match", validators.etag), ("If-Modified-Since", validators.last_modified))
    return tuple((name, value) for name, value in pairs if value and not _UNSENDABLE.search(value))


def _mapping(response: Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.fields:
        headers[name] = f"{headers[name]}, {value}" if name in headers and name not in _SINGLE else value
    return headers


def _judge(
    target: Target, status: int, headers: Mapping[str, str], *, conditional: bool
) -> NotModified | Failed | _Redirect | None:
    """What status and headers mean by themselves; None for a 200, whose body is to be read."""
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


def _failed(kind: FailureKind, words: str, trail: _Trail) -> Failed:
    """A failure in one line of at most MAX_ERROR characters, without secrets."""
    words = " ".join(redacted(words).split())
    where = redacted(trail.url)
    room = MAX_ERROR - len(words) - 2
    if len(where) > max(room, 80):
        where = where[: max(room, 80) - 1] + "…"
    error = f"{where}: {words}"
    return Failed(
        kind,
        error if len(error) <= MAX_ERROR else error[: MAX_ERROR - 1] + "…",
        status=trail.status,
        headers=trail.headers,
        url=trail.url,
    )
