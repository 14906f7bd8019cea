"""The pages of one article: its newest version, each version, and its archive file."""

import re
from dataclasses import asdict
from typing import Any

from markupsafe import Markup
from starlette.responses import PlainTextResponse, Response

from kzfeed.errors import UsageError
from kzfeed.export.files import archive_file_bytes
from kzfeed.model.articles import StoredArticle, StoredVersion, VersionHead
from kzfeed.store.queries.article_queries import article_rows, find, version_heads, versions
from kzfeed.web.body import clean_body
from kzfeed.web.page import Moved, NotFound, Page, PageRequest, PageRoute
from kzfeed.web.templates import HASH_DIGITS, article_address

_HASH = re.compile(r"[0-9a-f]{8,64}")


def article_of(request: PageRequest) -> StoredArticle:
    """The article that the path names by the beginning of its url_hash. Raises NotFound."""
    digits = request.path["hash"]
    if not _HASH.fullmatch(digits):
        raise NotFound(f"{digits!r} is no article: an address has {HASH_DIGITS} digits of its url_hash (0-9, a-f)")
    try:
        found = find(request.archive.database, digits)
    except UsageError as error:
        raise NotFound(str(error)) from error
    if not found.url_hash.startswith(digits):  # `find` takes digits for an id as well
        raise NotFound(f"no article begins with {digits}")
    return found


def versions_of(request: PageRequest, article: StoredArticle) -> list[VersionHead]:
    """All versions of the article without their texts, the oldest first."""
    return version_heads(request.archive.database, article.id)


def version_of(request: PageRequest, article: StoredArticle, number: str) -> StoredVersion:
    """The version with this number. Raises NotFound."""
    if re.fullmatch("[1-9][0-9]{0,8}", number):
        for version in versions(request.archive.database, article.id, [int(number)]):
            return version
    raise NotFound(f"there is no version {number}: the archive holds 1 to {article.revision}")


def article(request: PageRequest) -> Page | Moved:
    """The page of an article: its newest version and all that is known of it."""
    found = article_of(request)
    address = article_address(found.url_hash)
    if len(request.path["hash"]) != HASH_DIGITS:
        return Moved(address)
    held = versions_of(request, found)
    rows = article_rows(request.archive.database, found.id)
    tags = [row["tag"] for row in rows["tags"]]
    return Page(
        title=_title(found),
        values={
            **_shown(request, found),
            "held": held,
            "rows": rows,
            "tags": tags,
        },
        data={**asdict(found), **rows, "tags": tags, "versions": [asdict(version) for version in held]},
        articles=[found.id],
    )


def version(request: PageRequest) -> Page | Moved:
    """The page of one version of an article."""
    found = article_of(request)
    number = request.path["number"]
    held = version_of(request, found, number)
    address = article_address(found.url_hash)
    if len(request.path["hash"]) != HASH_DIGITS:
        return Moved(f"{address}/v/{number}")
    then = held.of(found)
    return Page(
        title=_title(then),
        values={**_shown(request, then), "version": held, "article_page": address},
        data={"url_hash": found.url_hash, "url": found.url, **asdict(held)},
        # The date of the newest version may still be corrected.
        is_immutable=held.revision < found.revision,
    )


def file(request: PageRequest) -> Response:
    """The article as an archive file: the body as it came."""
    found = article_of(request)
    if "number" in request.path:
        found = version_of(request, found, request.path["number"]).of(found)
    return PlainTextResponse(archive_file_bytes(found))


def _title(article: StoredArticle) -> str:
    return " ".join(article.title.split()) or article.url or article.url_hash


def _shown(request: PageRequest, article: StoredArticle) -> dict[str, Any]:
    """Values for the templates of both pages. `body` is None where the body is too large or too deep to be shown."""
    body = clean_body(article.content, article.url, lambda kind: request.translate(f"media.{kind}"))
    return {
        "article": article,
        "body": None if body is None else Markup(body),  # noqa: S704 - cleaned
        "paragraphs": article.text.split("\n") if body is None else [],
    }


PAGES = (
    PageRoute("/a/{hash}/v/{number}", version, "version.html", files={"txt": file}, has_script=False),
    PageRoute("/a/{hash}", article, "article.html", files={"txt": file}, has_feed=True, has_script=False),
)
