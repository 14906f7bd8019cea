"""Small proxies on loopback for the tests: HTTP (forwarding and CONNECT, also over TLS) and SOCKS5."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Handler = Callable[["ProxyServer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ProxyServer:
    """A running proxy. `asked` holds what it was asked for: `GET http://…`, `CONNECT host:port`, `SOCKS5 host:port`.

    Every host that it is asked for is `upstream` to it, so that the tests need no names that resolve.
    """

    scheme: str
    port: int = 0
    upstream: str = "127.0.0.1"
    login: str = ""
    asked: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    def url(self, userinfo: str = "") -> str:
        return f"{self.scheme}://{userinfo}127.0.0.1:{self.port}"


@asynccontextmanager
async def serve_proxy(
    handler: Handler, *, scheme: str = "http", login: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[ProxyServer]:
    """A proxy on a free port. It demands `login` (`name:password`) where that is given."""
    proxy = ProxyServer(scheme, login=login)
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(proxy, reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def http_proxy(proxy: ProxyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forwards a request for an absolute URL, and opens a tunnel for CONNECT."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    proxy.asked.append(f"{method} {target}")
    proxy.heads.append(head)
    wanted = b"proxy-authorization: basic " + base64.b64encode(proxy.login.encode())
    if proxy.login and wanted.lower() not in head.lower():
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return
    if method == "CONNECT":
        port = int(target.rpartition(":")[2])
        upstream = await asyncio.open_connection(proxy.upstream, port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        authority, _, path = target.removeprefix("http://").partition("/")
        upstream = await asyncio.open_connection(proxy.upstream, int(authority.rpartition(":")[2]))
        upstream[1].write(head.replace(target.encode(), b"/" + path.encode(), 1))
    await _relay((reader, writer), upstream)


async def socks5_proxy(proxy: ProxyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """SOCKS5 (RFC 1928) with a name and a password (RFC 1929) where a login is demanded."""
    _, count = await reader.readexactly(2)
    methods = await reader.readexactly(count)
    method = b"\x02" if proxy.login else b"\x00"
    writer.write(b"\x05" + (method if method in methods else b"\xff"))
    if proxy.login:
        _, length = await reader.readexactly(2)
        name = await reader.readexactly(length)
        password = await reader.readexactly((await reader.readexactly(1))[0])
        right = b"%b:%b" % (name, password) == proxy.login.encode()
        writer.write(b"\x01\x00" if right else b"\x01\x01")
    _, _, _, kind = await reader.readexactly(4)
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    else:
        host = (await reader.readexactly(4 if kind == 1 else 16)).hex()
    port = int.from_bytes(await reader.readexactly(2), "big")
    proxy.asked.append(f"SOCKS5 {host}:{port}")
    try:
        upstream = await asyncio.open_connection(proxy.upstream, port)
    except OSError:
        writer.write(b"\x05\x05\x00\x01" + bytes(6))
        await writer.drain()
        return
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    await _relay((reader, writer), upstream)


def says(*pieces: bytes) -> Handler:
    """A broken proxy: reads something, sends these bytes and closes."""

    async def handler(proxy: ProxyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            proxy.heads.append(await reader.read(4096))
            writer.write(piece)
            await writer.drain()

    return handler


async def silent(proxy: ProxyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _relay(near: Streams, far: Streams) -> None:
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    await asyncio.gather(copy(near[0], far[1]), copy(far[0], near[1]))
