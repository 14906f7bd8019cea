"""The command `sync`: a folder of archive files made equal to the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.cli.options import folder_or_file
from kzfeed.cli.output import print_sentence
from kzfeed.text import plural

if TYPE_CHECKING:
    from collections import Counter

Directory = Annotated[
    Path, typer.Argument(parser=folder_or_file, metavar="DIR", help="The folder, which is made if it is missing.")
]


def sync(ctx: typer.Context, directory: Directory) -> None:
    """Make a folder of archive files equal to the database.

    It has lists of the newest articles too, and what was changed is printed. Files that kzfeed made and that no article
    has any more are removed. All other files stay. The exit status is 1 where something else has a file's place.

    Example: kzfeed sync articles
    """
    from kzfeed.cli.progress import progress_bar
    from kzfeed.store.queries.article_queries import Selection, count
    from kzfeed.sync.archive_folder import ArchiveFolder
    from kzfeed.sync.configured import archive_folder

    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(20, "not a folder", str(directory))
    with ctx.obj.database(migrate=False) as database, progress_bar("sync", "file") as advance:
        archive = archive_folder(ctx.obj.settings, database)
        if archive is None or archive.folder.root.resolve() != directory.resolve():
            archive = ArchiveFolder(database, directory)
        total = count(database, Selection())
        done = 0

        def on_path(_: str) -> None:
            nonlocal done
            done += 1
            advance(done, max(done, total))

        counts, foreign = archive.make_equal(on_path)
    print_sentence(f"{directory}: {_said(counts, foreign)}")
    if counts["blocked"]:
        raise typer.Exit(1)


def _said(counts: "Counter[str]", foreign: int) -> str:
    """What was changed: `3 files written, 1 moved, 2 removed, 1 list changed, 699 unchanged; 5 other files left`."""
    said = [
        f"{plural(counts['new'] + counts['revised'], 'file')} written",
        f"{counts['moved']:,} moved",
        f"{counts['removed']:,} removed",
        f"{plural(counts['list'], 'list')} changed",
        f"{counts['unchanged']:,} unchanged",
    ]
    if counts["blocked"]:
        said.append(f"{counts['blocked']:,} not written")
    left = f"; {plural(foreign, 'other file')} left" if foreign else ""
    if counts["left"]:
        left += (
            f"; {plural(counts['left'], 'file')} left that this database has no article of, and another one had: "
            "`kzfeed backfill` stores them, and a second `kzfeed sync` removes them"
        )
    return ", ".join(said) + left
