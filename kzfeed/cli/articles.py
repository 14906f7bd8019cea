"""Commands that read stored articles: `list`, `show` and `diff`."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.cli.options import AsJson, ShowFormat, Since, SourceName, Until
from kzfeed.cli.output import print_articles, print_json, print_text
from kzfeed.cli.search import bring_up_to_date
from kzfeed.errors import UsageError
from kzfeed.text import printable_lines

if TYPE_CHECKING:
    from kzfeed.model.articles import StoredArticle, StoredVersion
    from kzfeed.store.engine import Database

ArticleReference = Annotated[
    str, typer.Argument(metavar="URL|HASH|ID", help="The article's address, its url_hash, or its id.")
]


def list_articles(
    ctx: typer.Context,
    source: SourceName = None,
    since: Since = None,
    until: Until = None,
    revised: Annotated[bool, typer.Option("--revised", help="Only articles with older versions.")] = False,
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="Only articles that a source no longer shows, though older ones stay.")
    ] = False,
    undated: Annotated[bool, typer.Option("--undated", help="Only articles without a publication date.")] = False,
    tag: Annotated[str | None, typer.Option(help="Only articles with this category, as the feed writes it.")] = None,
    query: Annotated[
        str | None, typer.Option(metavar="QUERY", help="Only articles that `kzfeed search QUERY` finds.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The greatest number of articles.")] = 50,
    after: Annotated[str | None, typer.Option(metavar="KEY", help="Go on after the article with this key.")] = None,
    as_json: AsJson = False,
) -> None:
    """List articles, the newest first, the undated last.

    Example: kzfeed list --source voa --since 2022-01 --until 2022-02
    """
    from kzfeed.search.hits import parse_key
    from kzfeed.search.query import parse
    from kzfeed.store.queries.article_list import FilteredSearch, PropertyFilter, listed, listed_hits, position_of
    from kzfeed.store.search.opening import open_index

    if undated and (since or until):
        raise UsageError("give --undated, or --since and --until: an article without a date is in no period")
    begin = parse_key(after) if after else None
    parsed = None if query is None else parse(query)
    most = min(limit, sys.maxsize - 1) + 1
    with ctx.obj.database(migrate=False) as database:
        wanted = PropertyFilter(ctx.obj.selection(database, source, since, until), revised, withdrawn, undated, tag)
        if parsed is None:
            articles = listed(database, wanted, begin, most)
        else:
            with open_index(database) as index:
                bring_up_to_date(index)
                articles = listed_hits(database, index, FilteredSearch(parsed, wanted), begin, most)
    shown = articles[:limit]
    if as_json:
        print_json([{**article, "key": position_of(article).key} for article in shown])
        return
    print_articles(shown)
    if not shown:
        print("no article found", file=sys.stderr)
    elif len(articles) > limit:
        print(f"\nthere are more: go on with --after {position_of(shown[-1]).key}", file=sys.stderr)


def show(
    ctx: typer.Context,
    article: ArticleReference,
    form: Annotated[
        ShowFormat, typer.Option("--format", help="The archive file, the plain text, or all that the database holds.")
    ] = ShowFormat.FILE,
    revision: Annotated[int | None, typer.Option(help="Show this version. Default: the newest one.")] = None,
) -> None:
    """Show one article, or list those that share an address.

    Characters that control a terminal become escapes.

    Example: kzfeed show 42 --format text
    """
    from kzfeed.export.files import archive_file_bytes
    from kzfeed.store.queries.article_queries import article_rows, versions

    with ctx.obj.database(migrate=False) as database:
        found = _the_article(database, article, as_json=form == ShowFormat.JSON)
        if found is None:
            return
        held = versions(database, found.id)
        if revision is not None:
            found = _in_revision(found, held, revision)
        if form == ShowFormat.JSON:
            rows = article_rows(database, found.id)
            tags = [row["tag"] for row in rows["tags"]]
            print_json({**asdict(found), **rows, "tags": tags, "versions": [asdict(version) for version in held]})
            return
    match form:
        case ShowFormat.FILE if sys.stdout.isatty():
            print(printable_lines(archive_file_bytes(found).decode()), end="")
        case ShowFormat.FILE:
            sys.stdout.buffer.write(archive_file_bytes(found))
        case ShowFormat.TEXT:
            print_text(found.title, found.text)


def _the_article(database: "Database", reference: str, *, as_json: bool = False) -> "StoredArticle | None":
    """The article that the reference names. If several share the address, they are listed and there is none."""
    from kzfeed.store.queries.article_list import sharing_address
    from kzfeed.store.queries.article_queries import find

    sharing = sharing_address(database, reference)
    if len(sharing) > 1:
        print_json(sharing) if as_json else print_articles(sharing)
        return None
    return find(database, sharing[0]["url_hash"] if sharing else reference)


def _in_revision(article: "StoredArticle", held: "Sequence[StoredVersion]", revision: int) -> "StoredArticle":
    """The article as it was in this revision."""
    for version in held:
        if version.revision == revision:
            return version.of(article)
    known = ", ".join(str(version.revision) for version in held)
    raise UsageError(f"cannot show revision {revision}: the archive holds {known}")


def diff(
    ctx: typer.Context,
    article: ArticleReference,
    revision: Annotated[int | None, typer.Option(help="Compare this revision with the one before it.")] = None,
    older: Annotated[int | None, typer.Option("--from", help="The revision to compare from. Default: first.")] = None,
    newer: Annotated[int | None, typer.Option("--to", help="The revision to compare with. Default: newest.")] = None,
) -> None:
    """Show what changed between the versions of an article.

    Each version is compared with the next, or two of them with each other. Articles that share an address are listed.

    Example: kzfeed diff 42 --from 1 --to 3
    """
    from kzfeed.article.diff import revision_diffs
    from kzfeed.cli.diff_output import print_diffs, print_only_version
    from kzfeed.store.queries.article_queries import versions

    if revision is not None:
        if older is not None or newer is not None:
            raise UsageError("give --revision alone, or --from and --to: --revision compares with the one before")
        older, newer = revision - 1, revision
    with ctx.obj.database(migrate=False) as database:
        found = _the_article(database, article)
        if found is None:
            return
        held = versions(database, found.id)
    if older is not None or newer is not None:
        held = _two_of(held, older, newer)
    print_diffs(revision_diffs(held)) if len(held) > 1 else print_only_version(held[0])


def _two_of(held: "Sequence[StoredVersion]", older: int | None, newer: int | None) -> "list[StoredVersion]":
    by_revision = {version.revision: version for version in held}
    wanted = (min(by_revision) if older is None else older, max(by_revision) if newer is None else newer)
    if wanted[0] == wanted[1] or not set(wanted) <= set(by_revision):
        known = ", ".join(map(str, by_revision))
        raise UsageError(f"cannot compare revision {wanted[0]} with {wanted[1]}: the archive holds {known}")
    return [by_revision[number] for number in wanted]
