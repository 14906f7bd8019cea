"""ASGI middleware in front of all pages: it refuses requests that no page should see, and adds the security headers.

Only GET and HEAD are answered. The Host header must name this machine, or be a name that the operator has configured:
otherwise another site could point a name of its own at this server, and read the archive with its visitor's browser
(DNS rebinding).
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kzfeed.hosts import parse_host

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
WITH_SCRIPT = f"{CONTENT_SECURITY_POLICY}; script-src 'self'"
"""The policy of pages that load the script for keys: those that show no text of publishers as HTML."""

MayEnter = Callable[[str | None], Awaitable[bool]]
"""Whether a request with this Authorization header is let in."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The middleware. `hosts` are the names that a Host header may have, without port; `may_enter` checks passwords."""

    app: ASGIApp
    hosts: Collection[str]
    may_enter: MayEnter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            await send(message)

        answer = await self._refusal(scope) or self.app
        await answer(scope, receive, send_with_headers)

    async def _refusal(self, scope: Scope) -> ASGIApp | None:
        """The answer to a request that no page should see; None if it may pass."""
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return _plain_text(405, "this server only shows pages: GET and HEAD", Allow="GET, HEAD")
        if _name_in(headers.get("host", "")) not in self.hosts:
            return _plain_text(421, "this server does not go by that name: add it to web.hosts in kzfeed.toml")
        if self.may_enter and not await self.may_enter(headers.get("authorization")):
            challenge = {"WWW-Authenticate": 'Basic realm="kzfeed", charset="UTF-8"'}
            return _plain_text(401, "this archive asks for a name and a password", **challenge)
        return None


def _plain_text(status: int, sentence: str, **headers: str) -> ASGIApp:
    return PlainTextResponse(f"{sentence}\n", status, headers)


def _name_in(host: str) -> str | None:
    """The name in a Host header, normalised, without the port; None if it is no host."""
    name, _, port = host.rpartition(":")
    if not name or not port.isdecimal():
        name = host
    try:
        return parse_host(name)
    except ValueError:
        return None
