"""The list of changes: later versions of articles, those that kzfeed saw last first."""

from dataclasses import asdict
from typing import Any

from kzfeed.article.diff import MarkedText, diff_texts
from kzfeed.errors import UsageError
from kzfeed.store.queries.version_list import ListedChange, changes, parse_version_key
from kzfeed.web.atom import Notice
from kzfeed.web.page import Page, PageRequest, PageRoute
from kzfeed.web.templates import article_address

PAGE_SIZE = 30
LEAST_SIZES = (0, 10, 50, 200, 1_000)
"""The least sizes of changes, in characters, that the form offers."""
_MAX_MARKED_LENGTH = 300
"""The length of a title up to which the changed words in it are marked."""


def change_list(request: PageRequest) -> Page:
    """The page of changes that have at least the size that the reader asks for."""
    least, after = _least(request), request.argument("after")
    page = changes(request.archive.database, parse_version_key(after) if after else None, PAGE_SIZE, least)
    next_query = request.query(after=page.after.key) if page.after else None
    return Page(
        title=request.translate("changes.title"),
        values={
            "changes": [(change, comparison_address(change), _marked_title(change)) for change in page.changes],
            "least": least,
            "least_sizes": LEAST_SIZES,
            "is_first": after is None,
            "next_query": next_query,
            "first_query": request.query(after=None),
            "examined_to": page.examined_to,
        },
        data={
            "changes": [_as_json(change) for change in page.changes],
            "next": next_query and f"/changes.json{next_query}",
        },
        notices=[_notice(request, change) for change in page.changes],
    )


def _least(request: PageRequest) -> int:
    typed = request.argument("least")
    if typed is None:
        return 0
    if not (typed.isascii() and typed.isdigit() and len(typed) < 10):
        raise UsageError(f"least={typed}: expected a number of characters")
    return int(typed)


def comparison_address(change: ListedChange) -> str:
    """The address of the page that compares the version with the one before it, or shows it where that is missing."""
    number = change.position.revision
    if change.former_title is None:
        return f"{article_address(change.url_hash)}/v/{number}"
    return f"{article_address(change.url_hash)}/diff/{number - 1}..{number}"


def _marked_title(change: ListedChange) -> MarkedText | None:
    """The title with its changes marked; None if it did not change."""
    if not change.is_title_changed or change.former_title is None:
        return None
    before, after = change.former_title, change.title
    is_short = max(len(before), len(after)) <= _MAX_MARKED_LENGTH
    return diff_texts(before if is_short else _cut(before), after if is_short else _cut(after))


def _cut(title: str) -> str:
    return title if len(title) <= _MAX_MARKED_LENGTH else f"{title[:_MAX_MARKED_LENGTH]}…"


def _as_json(change: ListedChange) -> dict[str, Any]:
    values = asdict(change)
    position = values.pop("position")
    return {
        **position,
        **values,
        "is_of_headline": change.is_title_changed,
        "key": change.position.key,
        "address": f"{comparison_address(change)}.json",
    }


def _notice(request: PageRequest, change: ListedChange) -> Notice:
    translate = request.translate
    about = [translate("changes.seen", source=change.source)]
    if change.is_title_changed:
        about.append(translate("changes.former_title", title=change.former_title))
    about.append(size_text(request, change))
    return Notice(
        key=f"{change.url_hash}/{change.position.revision}",
        title=change.title or change.url or change.url_hash,
        updated=change.position.seen_at,
        address=comparison_address(change),
        author=change.source,
        text=" · ".join(about),
    )


def size_text(request: PageRequest, change: ListedChange) -> str:
    """How much changed, in words."""
    if change.size is None:
        return request.translate("changes.unknown_size")
    return request.translate("changes.size", new=change.size.new, gone=change.size.gone)


PAGES = (PageRoute("/changes", change_list, "changes.html", has_feed=True),)
