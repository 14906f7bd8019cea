"""Look-up of host names, and the rule which of their addresses may be dialled.

Private addresses are allowed only for a host that the caller trusts. Nothing is cached: every request looks its host up
again. A look-up that hangs delays no other one and does not keep the process from ending.
"""

import asyncio
import functools
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from kzfeed.fetch.errors import VisitError
from kzfeed.model.polls import FailureKind

Lookup = Callable[[str, int], Sequence[str]]
"""Blocking function from a host name and a port to addresses in order of preference; raises OSError."""

MAX_LOOKUPS = 1000

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, unknown to Python 3.11


@functools.lru_cache(maxsize=1000)
def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, written as in `kzfeed.hosts`; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_forbidden(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is outside the public internet, so that only the operator may name it.

    An IPv6 address that embeds an IPv4 address (mapped, NAT64, 6to4) is judged as that IPv4 address.
    """
    if isinstance(address, IPv6Address):
        inner = _inner_address(address)
        if inner is None:
            # Python's is_global knows the registries of its release. Outside 2000::/3 nothing is assigned (RFC 3513).
            return address not in _GLOBAL_UNICAST or address in _DOCUMENTATION or not address.is_global
        address = inner
    return not address.is_global or address.is_multicast or address.is_reserved


def _inner_address(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def allowed_addresses(host: str, found: Sequence[str], *, trusted: bool) -> tuple[str, ...]:
    """The addresses among `found` that may be dialled. Raises VisitError if there are none."""
    parsed = [(text, address_of(text)) for text in found]
    allowed = tuple(text for text, address in parsed if address and (trusted or not is_forbidden(address)))
    if allowed:
        return allowed
    if not found:
        raise VisitError("dns", f"{host} has no address")
    whose = "" if address_of(host) else f" resolves to {found[0]}, which"
    raise VisitError("forbidden-address", f"{host}{whose} is allowed only for the host that was configured")


def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver (blocking)."""
    # As bytes: for text, Python applies its idna codec, which refuses some names that exist.
    answers = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Resolver:
    """Asynchronous look-ups, each in a thread of its own. Concurrent look-ups of one host share a thread.

    At most `max_lookups` run at once. The threads are daemon threads because a look-up that hangs cannot be stopped: a
    ThreadPoolExecutor would wait for it at exit, and the event loop's executor would run out of threads.
    """

    def __init__(self, lookup: Lookup = system_lookup, *, max_lookups: int = MAX_LOOKUPS) -> None:
        self._lookup = lookup
        self._running: dict[tuple[str, int], asyncio.Future[list[str]]] = {}
        self._slots = asyncio.Semaphore(max_lookups)

    async def find(self, host: str, port: int) -> list[str]:
        """The addresses of a host name, unchecked. Raises VisitError("dns"), or "offline" if no resolver answers."""
        key = (host, port)
        try:
            running = self._running.get(key)
            if running is None:
                await self._slots.acquire()
                # Another visit may have started the same look-up meanwhile.
                running = self._running.get(key)
                if running is None:
                    running = self._start(key)
                else:
                    self._slots.release()
            # A visit that gives up must not cancel the look-up for the others.
            return await asyncio.shield(running)
        except socket.gaierror as exc:
            kind: FailureKind = "offline" if exc.errno == socket.EAI_AGAIN else "dns"
            raise VisitError(kind, f"{host} does not resolve: {exc.strerror}") from exc
        except (OSError, UnicodeError, RuntimeError) as exc:
            # RuntimeError: no thread could be started.
            raise VisitError("dns", f"{host} could not be looked up: {exc}") from exc

    def _start(self, key: tuple[str, int]) -> asyncio.Future[list[str]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str]] = loop.create_future()

        def settle(found: Sequence[str], error: Exception | None) -> None:
            self._running.pop(key, None)
            self._slots.release()
            if future.cancelled():
                return
            if error is None:
                future.set_result(list(found))
            else:
                future.set_exception(error)
                future.exception()  # marks it as retrieved: no visit may be waiting any more

        def run() -> None:
            found: Sequence[str] = ()
            error: Exception | None = None
            try:
                found = self._lookup(*key)
            except Exception as exc:  # noqa: BLE001 - any error is handed to the visit
                error = exc
            try:
                loop.call_soon_threadsafe(settle, found, error)
            except RuntimeError:
                return  # the loop has ended meanwhile

        thread = threading.Thread(target=run, name=f"lookup {key[0]}"[:60], daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._slots.release()
            raise
        self._running[key] = future
        return future
