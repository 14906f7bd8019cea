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
from urllib.parse import quote, unquote_to_bytes

import ada_url

from kzfeed.model import Failed, FailureKind, Fetched, NotModified, Validators, Visit
from kzfeed.net.addresses import Lookup, Resolver, address_of, allowed_addresses, system_lookup
from kzfeed.net.decompress import ACCEPT_ENCODING, BodyDecoder
from kzfeed.net.failure import VisitError
from kzfeed.net.wire import Request, Response, Wire, WireLimits
from kzfeed.redact import redact_text, redacted

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
MAX_CONNECTIONS = 100
MAX_ERROR = 300

_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT = (301, 308)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
# Of a URL that is serialised by the WHATWG rules: to ask their parser for each part costs three times as much.
_HREF = re.compile(r"(https?)://(?:([^/@]*)@)?((\[[^]]*\]|[^/:]*)(?::([0-9]+))?)(/[^#]*)")
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
class _Target:
    """A URL taken apart by the WHATWG rules. `url` has neither userinfo nor fragment; `credentials` are apart."""

    url: str
    scheme: str
    host: str
    port: int
    netloc: str
    path: str
    userinfo: str = ""

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def url_with_userinfo(self) -> str:
        return f"{self.scheme}://{self.userinfo}@{self.netloc}{self.path}" if self.userinfo else self.url


@dataclass(frozen=True, slots=True)
class _Redirect:
    status: int
    target: _Target


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
    up a name is not counted. `lookup` and `tls` replace the system's resolver and the usual certificate authorities.
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
        self._door_closed = False
        self._resolver = Resolver(lookup)
        self._wire = Wire(WireLimits(limits.connect_timeout, limits.max_headers), tls)

    async def __aenter__(self) -> "Fetcher":
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.__aexit__()

    def close_door(self) -> None:
        """Ask for nothing more: what was asked for may still come in, a visit about to send a request is cancelled."""
        self._door_closed = True

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
            target = _parse(visit.url)
        except ValueError as exc:
            raise VisitError("connect", f"not an address that can be visited: {exc}") from None
        trusted_host = visit.trusted_host if visit.trusted_host == target.host else _host_of(visit.trusted_host)
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
        self, target: _Target, validators: Validators | None, trusted: bool, trail: _Trail
    ) -> Fetched | NotModified | Failed | _Redirect:
        """One request and what its response means."""
        conditions = _conditions(validators, target)
        request = Request(
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
        finally:
            self._places.release()
        if not body:
            raise VisitError("empty", "the answer has no content")
        return Fetched(target.url, response.status, headers, body)

    def _headers(self, target: _Target) -> tuple[tuple[str, str], ...]:
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

    async def _addresses(self, target: _Target, *, trusted: bool) -> tuple[str, ...]:
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
        if self._door_closed:
            self._places.release()
            raise asyncio.CancelledError("no more requests")

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


def _parse(url: str, base: str | None = None) -> _Target:
    """Take a URL apart. Raises ValueError, in words, for what is no http or https URL."""
    try:
        href = ada_url.URL(url, base).href
    except ValueError:
        raise ValueError(f"{redacted(url)!r} is not a URL") from None
    parts = _HREF.match(href)
    if parts is None:
        raise ValueError(f"{redacted(url)!r} is not http or https")
    scheme, userinfo, netloc, host, port, path = parts.groups()
    return _Target(
        url=f"{scheme}://{netloc}{path}",
        scheme=scheme,
        host=host.strip("[]"),
        port=int(port or _DEFAULT_PORTS[scheme]),
        netloc=netloc,
        path=path,
        userinfo=userinfo or "",
    )


def _host_of(host: str | None) -> str | None:
    """The host as the WHATWG rules serialise it, however the operator wrote it."""
    if not host:
        return None
    try:
        return _parse(f"http://[{host}]/" if ":" in host and not host.startswith("[") else f"http://{host}/").host
    except ValueError:
        return None


def _conditions(validators: Validators | None, target: _Target) -> tuple[tuple[str, str], ...]:
    """The conditional headers. Validators vouch for the URL that gave them, and for no other."""
    if validators is None or (target.url != validators.url and target.url != _bare(validators.url)):
        return ()
    pairs = (("If-None-Match", validators.etag), ("If-Modified-Since", validators.last_modified))
    return tuple((name, value) for name, value in pairs if value and not _UNSENDABLE.search(value))


def _bare(url: str) -> str | None:
    try:
        return _parse(url).url
    except ValueError:
        return None


def _mapping(response: Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.fields:
        headers[name] = f"{headers[name]}, {value}" if name in headers and name not in _SINGLE else value
    return headers


def _judge(
    target: _Target, status: int, headers: Mapping[str, str], *, conditional: bool
) -> NotModified | Failed | _Redirect | None:
    """What status and headers mean by themselves; None for a 200, whose body is to be read."""
    if "cf-mitigated" in headers:
        raise VisitError("challenge", f"a bot challenge, with status {status}")
    if status == 200:
        return None
    if status == 304 and conditional:
        return NotModified(target.url, headers)
    if status in _REDIRECTS:
        return _Redirect(status, _redirect_target(target, status, headers.get("location")))
    if status == 410:
        raise VisitError("gone", "the server says that it is gone for good (410)")
    if status >= 400:
        raise VisitError("http-status", f"the server answered {status}")
    unasked = " to an unconditional request" if status == 304 else ""
    raise VisitError("unexpected-status", f"the server answered {status}{unasked}")


def _redirect_target(source: _Target, status: int, location: str | None) -> _Target:
    """Where a redirect leads. The operator's credentials go along within the origin, or from its http to its https."""
    if not location:
        raise VisitError("bad-redirect", f"a redirect ({status}) that does not say where to")
    # Bytes beyond ASCII are meant as they are, in whichever encoding.
    location = quote(location.encode("latin-1"), safe=bytes(range(0x80)))
    try:
        target = _parse(location, source.url)
    except ValueError as exc:
        raise VisitError("bad-redirect", f"a redirect ({status}) to where it cannot be followed: {exc}") from None
    same_origin = target.origin == source.origin
    upgrade = (source.scheme, source.port, target.scheme, target.port) == ("http", 80, "https", 443)
    keep = target.host == source.host and (same_origin or upgrade)
    return _Target(
        target.url,
        target.scheme,
        target.host,
        target.port,
        target.netloc,
        target.path,
        userinfo=source.userinfo if keep else "",
    )


def _failed(kind: FailureKind, words: str, trail: _Trail) -> Failed:
    """A failure in one line of at most MAX_ERROR characters, without secrets."""
    words = " ".join(redact_text(words).split())
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
