"""ASGI application of the archive browser: its pages, its pages for errors, and the guard in front of them."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import structlog
from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from kzfeed.errors import DatabaseError, StatementTimeout, UsageError
from kzfeed.source_names import UnknownSource
from kzfeed.store.search.index import IndexUnusable
from kzfeed.text import printable
from kzfeed.web import article, articles, changes, comparison, sources, withdrawals_and_gaps
from kzfeed.web.archive import Archive
from kzfeed.web.catalogue import HTML_LANGUAGE, load_catalogues
from kzfeed.web.guard import LOOPBACK, Guard, MayEnter
from kzfeed.web.page import NotFound, PageRoute, Pages, error_json
from kzfeed.web.static import static_routes
from kzfeed.web.templates import environment

MAX_THREADS = 8
"""How many pages are made at a time. Each makes one query at a time."""
RETRY_AFTER_S = 5

PAGES: tuple[PageRoute, ...] = tuple(
    page for module in (articles, comparison, article, changes, withdrawals_and_gaps, sources) for page in module.PAGES
)

NAVIGATION = (
    ("/", "frame.articles"),
    ("/?undated=1", "frame.undated"),
    ("/changes", "frame.changes"),
    ("/withdrawn", "frame.withdrawn"),
    ("/gaps", "frame.gaps"),
    ("/sources", "frame.sources"),
)
"""The links at the top of every page: their addresses, and the keys of their texts."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ReaderAccess:
    """Who may enter: names of this server beside those of the loopback, and the check of passwords."""

    hosts: Collection[str] = ()
    may_enter: MayEnter | None = None


ANYBODY = ReaderAccess()
"""Whoever can reach the address."""


def make_app(archive: Archive, access: ReaderAccess = ANYBODY) -> ASGIApp:
    """The application that shows this archive."""
    pages = Pages(archive, environment(NAVIGATION), load_catalogues())
    routes = [*static_routes(), *(route for page in PAGES for route in pages.routes(page))]
    handlers = {
        HTTPException: partial(_not_found, pages),
        NotFound: partial(_not_found, pages),
        UsageError: partial(_wrong_request, pages),
        StatementTimeout: partial(_too_slow, pages),
        IndexUnusable: partial(_no_index, pages),
        DatabaseError: partial(_database_failed, pages),
        Exception: partial(_internal_error, pages),
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=_few_threads)
    return Guard(app, LOOPBACK | set(access.hosts), access.may_enter)


@asynccontextmanager
async def _few_threads(_app: Starlette) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = MAX_THREADS
    yield


# --- errors ----------------------------------------------------------------------------------------------------------


def _not_found(pages: Pages, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
    return _error(pages, request, status, "not_found", str(error) if isinstance(error, NotFound) else "")


def _wrong_request(pages: Pages, request: Request, error: Exception) -> Response:
    if not isinstance(error, UnknownSource):
        return _error(pages, request, HTTPStatus.BAD_REQUEST, "wrong_request", str(error))
    translate, name = pages.catalogue(request), printable(error.name)
    detail = translate("error.no_source", source=name)
    if error.nearest:
        detail = translate("error.no_source_but", source=name, nearest=error.nearest)
    return _error(pages, request, HTTPStatus.BAD_REQUEST, "wrong_request", detail, translate.language)


def _too_slow(pages: Pages, request: Request, error: Exception) -> Response:
    log.warning("page not shown: its query took too long", path=request.url.path)
    return _error(pages, request, HTTPStatus.SERVICE_UNAVAILABLE, "too_slow")


def _no_index(pages: Pages, request: Request, error: Exception) -> Response:
    return _error(pages, request, HTTPStatus.SERVICE_UNAVAILABLE, "no_index", str(error))


def _database_failed(pages: Pages, request: Request, error: Exception) -> Response:
    log.error("page not shown: the database failed", path=request.url.path, error=str(error))
    return _error(pages, request, HTTPStatus.SERVICE_UNAVAILABLE, "database_failed")


def _internal_error(pages: Pages, request: Request, error: Exception) -> Response:
    log.error("internal error, page not shown", path=request.url.path, exc_info=error)
    return _error(pages, request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal")


def _error(pages: Pages, request: Request, status: int, kind: str, detail: str = "", language: str = "en") -> Response:
    """The page that says what went wrong. `detail` is a sentence in this language."""
    translate = pages.catalogue(request)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    title = translate(f"error.{kind}")
    if request.url.path.endswith((".json", ".atom")):
        response = error_json(detail or title, status)
    else:
        help_text = translate(f"error.{kind}_help")
        html = pages.render(
            "error.html", request, title=title, help_text=help_text, detail=detail,
            detail_language=HTML_LANGUAGE[language], has_script=False, json_address=None, atom_address=None,
        )  # fmt: skip
        response = HTMLResponse(html, status)
    response.headers.update(headers)
    return response
