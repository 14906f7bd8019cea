"""Connections that have answered a request wait here for the next one to their host; what is not fit for it is closed.

Promised: a connection is given out only to where it leads already and to an address that the request may dial; none
waits longer than IDLE_TIME; and those that wait never make more of the connections than there may be. What comes while
one waits ends it; what a server sends later, once the next request is out, HTTP/1.1 cannot tell from the answer.
"""

import asyncio
import select
from collections.abc import Container
from dataclasses import dataclass

from aiohttp.connector import Connection

from kzfeed.fetch.head import GuardedProtocol

IDLE_TIME = 4.0
"""In seconds. Enough for the next visit to a host, after its gap and the daemon's tick of one second each. Most servers
close after 5 s or more: as a rule the closing is ours, and seldom crosses a request on its way."""


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: Connection
    origin: str
    since: float
    """When its last response ended, by the event loop's clock."""


class KeptConnections:
    """The connections of one client that wait, at most one for a host: so none has more of them than visits at a time.

    `most` bounds the requests under way and the connections that wait, together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_host: dict[str, _Kept] = {}
        """In the order in which they began to wait."""
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no connection is kept any more."""
        return self._closed

    def take(self, host: str, origin: str, addresses: Container[str]) -> Connection | None:
        """The connection to `origin`, if one waits that is sound and leads to one of the addresses.

        Another one to the same host is closed: that makes room for the one that is about to be dialled.
        """
        kept = self._by_host.pop(host, None)
        if kept is None:
            return None
        if kept.origin == origin and _is_silent(kept.connection) and _peer(kept.connection) in addresses:
            return kept.connection
        _close(kept.connection)
        return None

    def keep(self, host: str, origin: str, connection: Connection) -> None:
        """Let a sound connection wait for the next request."""
        if self._closed or host in self._by_host:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        self._by_host[host] = _Kept(connection, origin, loop.time())
        if self._timer is None:
            self._timer = loop.call_later(IDLE_TIME, self._close_overdue)

    def make_room(self, under_way: int) -> None:
        """Close those that have waited longest, until they and the requests under way are no more than there may be."""
        while self._by_host and len(self._by_host) + under_way > self._most:
            self._close_oldest()

    def close(self) -> None:
        """Close all that wait, and keep none from now on."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._by_host:
            self._close_oldest()

    def _close_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._by_host:
            due = next(iter(self._by_host.values())).since + IDLE_TIME
            if due > loop.time():
                self._timer = loop.call_at(due, self._close_overdue)
                return
            self._close_oldest()

    def _close_oldest(self) -> None:
        _close(self._by_host.pop(next(iter(self._by_host))).connection)


def _is_silent(connection: Connection) -> bool:
    """Whether the connection is open and nothing has come, also nothing that the event loop has not read yet."""
    protocol = connection.protocol
    if not isinstance(protocol, GuardedProtocol) or protocol.transport is None or not protocol.is_fit:
        return False
    unread = select.poll()
    unread.register(protocol.transport.get_extra_info("socket"), select.POLLIN)
    return not unread.poll(0)


def _peer(connection: Connection) -> str | None:
    """The address at the other end of this very socket."""
    transport = connection.transport
    name = transport.get_extra_info("peername") if transport else None
    return str(name[0]) if name else None


def _close(connection: Connection) -> None:
    # Nothing is under way in it: TLS need not take leave of a server that may let us wait for its answer.
    if connection.protocol is not None:
        connection.protocol.abort()
    connection.close()
