"""Pages of the archive: a view makes a Page from a PageRequest, and Pages answers with it as HTML, JSON or Atom feed.

To add a page, write a view and a template, and put a PageRoute into the `PAGES` of its module, which `app` collects.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kzfeed.clock import utc_now
from kzfeed.errors import UsageError
from kzfeed.instants import json_text
from kzfeed.text import json_line
from kzfeed.web.archive import Archive
from kzfeed.web.atom import FeedAddresses, Notice, atom_feed, notice_feed
from kzfeed.web.catalogue import HTML_LANGUAGE, LANGUAGES, Catalogue, preferred
from kzfeed.web.guard import WITH_SCRIPT

LANGUAGE_COOKIE = "kzfeed_language"
_YEAR_S = 365 * 86_400


class NotFound(UsageError):  # noqa: N818 - it is an answer
    """There is no page at this address."""


_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a view may use: the archive, the variable parts of the path, the arguments of the query, the texts in the
    language of the reader, and the time.
    """

    archive: Archive
    path: Mapping[str, str]
    arguments: Mapping[str, str]
    translate: Catalogue
    now: datetime

    def argument(self, name: str) -> str | None:
        """An argument without the spaces around it; None if it is missing or empty."""
        return self.arguments.get(name, "").strip() or None

    def query(self, **changes: str | None) -> str:
        """The query of this page with some arguments changed, or left out where they are None: `?q=…`, or nothing."""
        kept = {name: value for name, value in self.arguments.items() if name != "lang" and value.strip()}
        arguments = {name: value for name, value in {**kept, **changes}.items() if value is not None}
        return f"?{urlencode(arguments)}" if arguments else ""

    def one_page(
        self, rows: Sequence[_Row], most: int, key_of: Callable[[_Row], str]
    ) -> tuple[Sequence[_Row], str | None]:
        """The first rows, `most` of them, and the query of the next page if there are more: read one row more."""
        shown = rows[:most]
        return shown, self.query(after=key_of(shown[-1])) if len(rows) > most else None


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows: its title, the values for its template, and the same as JSON.

    The entries of its Atom feed are `notices`, or else the articles with the ids `articles`, in this order.
    `is_immutable` says that the page will never show anything else. Every response with it has
    `headers`.
    """

    title: str
    values: Mapping[str, Any]
    data: Mapping[str, Any]
    articles: Sequence[int] = ()
    notices: Sequence[Notice] = ()
    is_immutable: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """The page has another path."""

    path: str


View = Callable[[PageRequest], Page | Moved]
"""Makes a page. Raises NotFound, UsageError, DatabaseError."""

FileView = Callable[[PageRequest], Response]
"""Makes a file that belongs to a page, such as an export. Raises the same errors."""


@dataclass(frozen=True, slots=True)
class PageRoute:
    """The addresses of a page: `path` is HTML, `path`.json the data, and `path`.atom a feed where `has_feed` says so.

    `stem` replaces the path before these endings. `files` are views for other endings. `has_script` says
    that the page loads the script for keys; a page with HTML of publishers must not.
    """

    path: str
    view: View
    template: str
    stem: str = ""
    files: Mapping[str, FileView] = field(default_factory=dict)
    has_feed: bool = False
    has_script: bool = True


@dataclass(frozen=True, slots=True)
class Pages:
    """All pages: calls their views, and answers with HTML, JSON, a feed or a file."""

    archive: Archive
    templates: Environment
    catalogues: Mapping[str, Catalogue] = field(repr=False)

    def routes(self, route: PageRoute) -> Iterator[BaseRoute]:
        """The routes of one page."""
        stem = route.stem or route.path
        # Routes with an ending come first: a variable part of a path would match the ending too.
        yield Route(f"{stem}.json", partial(self._json, route))
        if route.has_feed:
            yield Route(f"{stem}.atom", partial(self._atom, route))
        for ending, view in route.files.items():
            yield Route(f"{stem}.{ending}", partial(self._file, view))
        yield Route(route.path, partial(self._html, route))

    def catalogue(self, request: Request) -> Catalogue:
        """The texts in the language that the address, the cookie or the browser asks for."""
        for language in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
            if language and language in self.catalogues:
                return self.catalogues[language]
        return self.catalogues[preferred(request.headers.get("accept-language", ""))]

    def render(self, template: str, request: Request, **values: Any) -> str:
        """The HTML of a template. Every template may call `translate`, and has the address of this page as `here`."""
        translate = self.catalogue(request)
        arguments = {name: value for name, value in request.query_params.items() if name != "lang"}
        others = [(name, f"?{urlencode({**arguments, 'lang': name})}") for name in LANGUAGES]
        here = f"{request.url.path}?{urlencode(arguments)}" if arguments else request.url.path
        common = {
            "here": here,
            "translate": translate,
            "html_language": HTML_LANGUAGE[translate.language],
            "languages": others,
        }
        return self.templates.get_template(template).render(path=request.url.path, **common, **values)

    def _page_request(self, request: Request) -> PageRequest:
        arguments = dict(request.query_params)
        if any("\0" in value for value in (*arguments.values(), *request.path_params.values())):
            raise UsageError("the address holds a character NUL, which no text of the archive holds")
        return PageRequest(self.archive, request.path_params, arguments, self.catalogue(request), utc_now())

    def _view(self, route: PageRoute, request: Request, ending: str) -> tuple[PageRequest, Page | Response]:
        """What the view answers to a request whose path has this ending: a page, or a redirection."""
        page_request = self._page_request(request)
        with self.archive.reopened_if_replaced():
            result = route.view(page_request)
        if isinstance(result, Moved):
            address = f"{result.path}{ending}{page_request.query()}"
            return page_request, RedirectResponse(address, HTTPStatus.MOVED_PERMANENTLY)
        return page_request, result

    def _html(self, route: PageRoute, request: Request) -> Response:
        page_request, page = self._view(route, request, "")
        if isinstance(page, Response):
            return page
        stem, query = route.stem or request.url.path, page_request.query()
        html = self.render(
            route.template,
            request,
            title=page.title,
            has_script=route.has_script,
            json_address=f"{stem}.json{query}",
            atom_address=f"{stem}.atom{page_request.query(after=None)}" if route.has_feed else None,
            **page.values,
        )
        response = cached(request, html.encode(), "text/html; charset=utf-8", is_immutable=page.is_immutable)
        response.headers.update(page.headers)
        response.headers["Vary"] = "Accept-Language, Cookie"
        if route.has_script:
            response.headers["Content-Security-Policy"] = WITH_SCRIPT
        translate = page_request.translate
        if request.query_params.get("lang") == translate.language:
            response.set_cookie(
                LANGUAGE_COOKIE, translate.language, max_age=_YEAR_S, httponly=True, samesite="lax", secure=False
            )
        return response

    def _json(self, route: PageRoute, request: Request) -> Response:
        _, page = self._view(route, request, ".json")
        if isinstance(page, Response):
            return page
        response = cached(request, json_bytes(page.data), "application/json", is_immutable=page.is_immutable)
        response.headers.update(page.headers)
        return response

    def _file(self, view: FileView, request: Request) -> Response:
        page_request = self._page_request(request)
        with self.archive.reopened_if_replaced():
            response = view(page_request)
        # A request for the headers alone must not read the whole archive for an export.
        if request.method == "HEAD":
            return Response(status_code=response.status_code, headers=response.headers)
        return response

    def _atom(self, route: PageRoute, request: Request) -> Response:
        page_request, page = self._view(route, request, ".atom")
        if isinstance(page, Response):
            return page
        address = str(request.url)
        html = str(request.url.replace(path=route.path if route.stem else request.url.path.removesuffix(".atom")))
        addresses = FeedAddresses(page.title, address, html)
        if page.notices:
            feed = notice_feed(addresses, page.notices)
        else:
            feed = atom_feed(page_request.archive, page.articles, addresses)
        response = cached(request, feed, "application/atom+xml")
        response.headers.update(page.headers)
        response.headers["Vary"] = "Accept-Language, Cookie"
        return response


def json_bytes(value: object) -> bytes:
    """The value as JSON, with times in ISO 8601."""
    return json_line(value, default=json_text).encode() + b"\n"


def cached(request: Request, body: bytes, media_type: str, *, is_immutable: bool = False) -> Response:
    """The response with an ETag; 304 without the body if the browser has it already."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # Private: a shared cache must not show the archive to those who may not see it.
    caching = f"private, max-age={_YEAR_S}, immutable" if is_immutable else "private, no-cache"
    headers = {"ETag": etag, "Cache-Control": caching}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def error_json(sentence: str, status: int) -> Response:
    """The answer that says as JSON why there is no page or feed."""
    return JSONResponse({"error": sentence}, status)
