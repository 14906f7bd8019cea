"""A host in, the addresses that may be dialled for it out. No answer is cached: every request looks and checks anew.

A private address is given out only for a host that the caller trusts; a look-up that hangs delays nobody else and does
not keep the process from ending.
"""

import asyncio
import functools
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from kzfeed.fetch.errors import VisitError

Lookup = Callable[[str, int], Sequence[str]]
"""Blocking: a host name and a port give addresses in order of preference, or raise OSError."""

MAX_LOOKUPS = 1000

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, unknown to Python 3.11


@functools.lru_cache(maxsize=1000)
def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a URL's host (as WHATWG serialises it, without brackets) writes out; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_forbidden(address: IPv4Address | IPv6Address) -> bool:
    """Whether a public feed has no business at this address: it is not one of the open internet.

    An IPv6 address that stands for an IPv4 address (mapped, NAT64, 6to4) is judged as that one.
    """
    if isinstance(address, IPv6Address):
        inner = _inner_address(address)
        if inner is None:
            # Python's is_global follows the registries of its day; beyond 2000::/3 nothing is given out (RFC 3513).
            return address not in _GLOBAL_UNICAST or address in _DOCUMENTATION or not address.is_global
        address = inner
    return not address.is_global or address.is_multicast or address.is_reserved


def _inner_address(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def allowed_addresses(host: str, found: Sequence[str], *, trusted: bool) -> tuple[str, ...]:
    """Those of the found addresses that may be dialled. Raises VisitError when there is none."""
    parsed = [(text, address_of(text)) for text in found]
    allowed = tuple(text for text, address in parsed if address and (trusted or not is_forbidden(address)))
    if allowed:
        return allowed
    if not found:
        raise VisitError("dns", f"{host} has no address")
    whose = "" if address_of(host) else f" resolves to {found[0]}, which"
    raise VisitError("forbidden-address", f"{host}{whose} is allowed only for the host that was configured")


def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver (blocking). The name goes as bytes: the idna codec would refuse some that exist."""
    answers = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Resolver:
    """Look-ups in threads of their own. At most MAX_LOOKUPS run at once; those for one host are shared.

    The threads are daemons, for a look-up that hangs cannot be stopped: a ThreadPoolExecutor would wait for it at exit,
    and the event loop's own executor would run out of threads for everybody else.
    """

    def __init__(self, lookup: Lookup = system_lookup, *, max_lookups: int = MAX_LOOKUPS) -> None:
        self._lookup = lookup
        self._running: dict[tuple[str, int], asyncio.Future[list[str]]] = {}
        self._slots = asyncio.Semaphore(max_lookups)

    async def find(self, host: str, port: int) -> list[str]:
        """The addresses of a host name, unchecked. Raises VisitError("dns")."""
        key = (host, port)
        try:
            running = self._running.get(key)
            if running is None:
                await self._slots.acquire()
                # Another visit may have started the same one meanwhile.
                running = self._running.get(key)
                if running is None:
                    running = self._start(key)
                else:
                    self._slots.release()
            # A visit that gives up must not take the answer away from the others.
            return await asyncio.shield(running)
        except socket.gaierror as exc:
            raise VisitError("dns", f"{host} does not resolve: {exc.strerror}") from exc
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
                future.exception()  # nobody may be waiting any more

        def run() -> None:
            found: Sequence[str] = ()
            error: Exception | None = None
            try:
                found = self._lookup(*key)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it belongs to the visit, not to this thread
                error = exc
            try:
                loop.call_soon_threadsafe(settle, found, error)
            except RuntimeError:
                return  # the loop has ended meanwhile: nobody wants to know

        thread = threading.Thread(target=run, name=f"lookup {key[0]}"[:60], daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._slots.release()
            raise
        self._running[key] = future
        return future
