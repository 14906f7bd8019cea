"""Style sheet, script and icon of the pages. Browsers can keep them, because their addresses hold a hash of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "keys.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that is part of the pages."""

    body: bytes
    media_type: str
    address: str

    async def answer(self, _request: Request) -> Response:
        headers = {"Cache-Control": "max-age=31536000, immutable"}
        return Response(self.body, media_type=self.media_type, headers=headers)


def _read(name: str, media_type: str) -> StaticFile:
    body = (_FOLDER / name).read_bytes()
    return StaticFile(body, media_type, f"/{name}?{hashlib.sha256(body).hexdigest()[:8]}")


STATIC: Final[Mapping[str, StaticFile]] = {name: _read(name, kind) for name, kind in _MEDIA_TYPES.items()}


def static_routes() -> list[Route]:
    """The routes of all static files."""
    return [Route(f"/{name}", file.answer) for name, file in STATIC.items()]
