"""The command `search`: full-text search in the archive."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from kzfeed.cli.options import AsJson, words_last
from kzfeed.cli.output import minute, print_json
from kzfeed.errors import UsageError
from kzfeed.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kzfeed.cli.progress import Advance
    from kzfeed.search.hits import SearchResult
    from kzfeed.search.snippet import Snippet
    from kzfeed.store.search.index import Index

_PIPE_WIDTH = 80
_FIELDS = {
    "--source": "source:voa in the query",
    "--since": "since:2024-05 in the query",
    "--until": "until:2024-05 in the query",
    "--title": "title:选举 in the query",
    **dict.fromkeys(("--undated", "--revised", "--withdrawn", "--tag"), "`kzfeed list --query QUERY` with it"),
}
"""What to write instead of options that `search` does not have and `list` has, or that look like fields."""
_INDENT = "  "


class SearchCommand(TyperCommand):
    """The command `search`, in which a word may begin with a hyphen: -北京, -shanghai.

    Options are what begins with two hyphens, and -n and -h. All after `--` are words.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. Raises UsageError for options that must be written otherwise here."""
        return super().parse_args(ctx, words_last(self, args, _is_option))


def _is_option(argument: str) -> bool:
    name = argument.partition("=")[0]
    if name in _FIELDS:
        raise UsageError(f"`kzfeed search` has no option {name}: write {_FIELDS[name]}")
    return argument in ("-n", "-h") or argument.startswith("--")


def search(
    ctx: typer.Context,
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help='Words and "phrases" that must all occur; -not, word*, title:, source:, since:, until:.',
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The greatest number of articles.")] = 20,
    after: Annotated[str | None, typer.Option(metavar="KEY", help="Go on after the article with this key.")] = None,
    relevance: Annotated[
        bool, typer.Option("--relevance", help="The best of the newest 500 first, instead of the newest first.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build the index again first, also while a daemon runs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find articles by their titles and texts, the newest first.

    docs/search.md explains what a query may hold.

    Example: kzfeed search 哈薩克斯坦 -北京 since:2022
    """
    from kzfeed.search.hits import parse_key
    from kzfeed.search.query import parse
    from kzfeed.store.search.opening import open_index
    from kzfeed.store.search.results import best_results, newest_results

    if relevance and after:
        raise UsageError("give --after or --relevance: only the order of time goes on")
    parsed = parse(" ".join(query or [])) if query or not rebuild else None
    begin = parse_key(after) if after else None
    with ctx.obj.database(migrate=False) as database, open_index(database) as index:
        bring_up_to_date(index, rebuild=rebuild)
        if parsed is None:
            print("the search index is built", file=sys.stderr)
            return
        limit = min(limit, sys.maxsize)
        if relevance:
            results = best_results(database, index, parsed, limit=limit)
        else:
            results = newest_results(database, index, parsed, begin, limit=limit)
    if as_json:
        print_json([_as_json(each) for each in results])
        return
    for number, each in enumerate(results):
        _print_result(each, is_first=number == 0)
    _print_end(results, limit, relevance=relevance)


def bring_up_to_date(index: "Index", *, rebuild: bool = False) -> None:
    """Index new and changed articles, with a progress bar if there are any, and say how far the index still lags."""
    from kzfeed.cli.progress import progress_bar
    from kzfeed.store.search.upkeep import catch_up_before_search

    with ExitStack() as bars:

        def advance(done: int, total: int | None) -> None:
            # Usually there is nothing to index, and no bar appears.
            if not shown:
                shown.append(bars.enter_context(progress_bar("index", "article")))
            shown[0](done, total)

        shown: list[Advance] = []
        if rebuild:
            index.rebuild(advance)
        lag = catch_up_before_search(index, advance)
    if lag.articles:
        since = f", the first of them stored at {minute(lag.since)} UTC" if lag.since else ""
        print(f"the search index lags: {plural(lag.articles, 'article')} not indexed yet{since}", file=sys.stderr)


def _as_json(result: "SearchResult") -> dict[str, Any]:
    return {
        "url": result.url,
        "title": result.title.text,
        "source": result.source,
        "published_at": result.published_at,
        "snippet": result.snippet.text,
        "key": result.key,
    }


def _print_end(results: "Sequence[SearchResult]", limit: int, *, relevance: bool) -> None:
    if not results:
        print("no article found", file=sys.stderr)
    elif len(results) == limit and not relevance:
        print(f"\nthere may be more: go on with --after {results[-1].key}", file=sys.stderr)


def _print_result(result: "SearchResult", *, is_first: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    heading = Text(f"{minute(result.published_at).strip()}  {printable(result.source)}", "dim")
    lines = [heading, _text(result.title, "bold"), _text(result.snippet), Text(printable(result.url or ""), "dim")]
    if not is_first:
        console.print()
    for number, line in enumerate(lines):
        if not line.plain:
            continue
        # A long address stays one line, so that it can be opened.
        if number == len(lines) - 1:
            console.print(Text(_INDENT) + line, soft_wrap=True)
            continue
        indent = _INDENT if number > 1 else ""
        for part in line.wrap(console, console.width - len(indent)):
            part.rstrip()
            console.print(Text(indent) + part, soft_wrap=True)


def _text(shown: "Snippet", style: str = "") -> Any:
    """The text for a terminal, with its hits emphasised. On a pipe only the text is left of it."""
    from rich.text import Text

    text, last = Text(style=style), 0
    for start, end in shown.hits:
        text.append(_one_line(shown.text[last:start]))
        text.append(_one_line(shown.text[start:end]), "bold underline yellow")
        last = end
    text.append(_one_line(shown.text[last:]))
    return text


def _one_line(text: str) -> str:
    return printable(text.replace("\n", " ").replace("\t", " "))
