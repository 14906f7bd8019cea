"""Writer of the archive as a folder: what has come to the database becomes files and lists.

The database comes first: a file is written after its article is committed, and the state of the folder after the file.
So whatever a kill leaves undone is done again, and nothing is written that holds these bytes already.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from kzfeed.backfill.export_list import NameSet
from kzfeed.backfill.file_reader import LISTS
from kzfeed.export.files import archive_file_bytes, tree_path, write_file
from kzfeed.model.articles import StoredArticle
from kzfeed.store.engine import Database
from kzfeed.store.transfer import article_log
from kzfeed.store.transfer.article_places import FormerPlaces, newest_of_source, sources_with_articles
from kzfeed.sync import article_lists
from kzfeed.sync.folder import ChangeKind, FileChange, Folder, FolderState

BATCH = 200
"""The most new and the most changed articles that are written together."""

log = structlog.get_logger()

Counts = Counter[str]
"""How many files were changed, by the kind of change, how many were `unchanged`, and how many were `blocked`."""


@dataclass(frozen=True, slots=True)
class _FolderFile:
    """A file as it should be: its path and bytes, and the change that makes it so (None: it is so)."""

    path: str
    data: bytes
    change: FileChange | None


def catch_up(
    database: Database,
    folder: Folder,
    *,
    go_on: Callable[[], bool] = lambda: True,
    on_path: Callable[[str], None] = lambda path: None,
) -> Counts:
    """Write the files of all articles that have come or changed since the folder was written last, and their lists.

    If the folder was written from another database, or never, all articles are compared with their files. The caller
    holds the folder's lock. `go_on` is asked before each batch whether to continue; `on_path` is called with the path
    of each file that was looked at. Raises DatabaseError, OSError.
    """
    counts: Counts = Counter()
    state, archive_id = _state(database, folder), article_log.archive_id(database)
    while go_on():
        batch = article_log.batch_after(database, state.mark, BATCH)
        if batch is None:
            break
        # Where many batches follow each other, the lists are written once, after the last one.
        lists_due = state.lists_due or len(batch.articles) >= BATCH
        files = [_file_of_article(folder, article, batch.former[article.id]) for article in batch.articles]
        if not lists_due:
            sources = {name for each in batch.former.values() for name in each.sources}
            files += _files_of_lists(database, folder, sources)
        counts += _write(folder, files, on_path)
        state = FolderState(batch.mark, lists_due, archive_id)
        folder.set_state(state)
    if state.lists_due and go_on():
        for name in sources_with_articles(database):
            counts += _write(folder, list(_files_of_lists(database, folder, [name])), on_path)
        folder.set_state(replace(state, lists_due=False))
    return counts


def is_of_another_database(database: Database, folder: Folder) -> bool:
    """Whether another database wrote the folder."""
    state = folder.state()
    if state is None:
        return False
    if state.archive_id is not None:
        return state.archive_id != article_log.archive_id(database)
    return state.first_article is not None and state.first_article != article_log.first_article(database)


def make_equal(database: Database, folder: Folder, *, on_path: Callable[[str], None]) -> tuple[Counts, int]:
    """Make a folder equal to the database: compare all files, and remove those of ours that no article has.

    Nothing is removed if the folder was written from another database, or from a later state of this one: files may be
    the only copies then. They are counted as `left`, and the next call removes them. Returns the counts, and the number
    of other files, which stay. The caller holds the folder's lock. Raises DatabaseError, OSError.
    """
    made, expected = NameSet(), NameSet()
    state = folder.state()
    is_ours = state is None or _is_written_from(database, folder, state)
    for name in folder.made():
        made.add(name)
    folder.set_state(_before_all(database))
    with folder.made_anew() as note:

        def expect(path: str) -> None:
            expected.add(path)
            note(path)
            on_path(path)

        counts = catch_up(database, folder, on_path=expect)
        others = [name for name in folder.all_files() if name not in expected]
        surplus = [name for name in others if name in made]
        for name in surplus:
            note(name)  # until it is removed
    if is_ours:
        counts += _write(folder, [_removed(name) for name in surplus], lambda path: None)
    else:
        counts["left"] += len(surplus)
    return counts, len(others) - len(surplus)


def _state(database: Database, folder: Folder) -> FolderState:
    state = folder.state()
    if state and _is_written_from(database, folder, state):
        return state
    reason = "it was written from another database, or from a later state of this one" if state else "it is new"
    log.info("comparing all articles with the archive folder", folder=str(folder.root), reason=reason)
    return _before_all(database)


def _is_written_from(database: Database, folder: Folder, state: FolderState) -> bool:
    """Whether this database wrote the folder, in a state from which it has only gone on."""
    return not is_of_another_database(database, folder) and article_log.is_known(database, state.mark)


def _before_all(database: Database) -> FolderState:
    """The state of a folder in which nothing is known to be as in the database."""
    return FolderState(
        article_log.mark_before_all(database), lists_due=True, archive_id=article_log.archive_id(database)
    )


def _removed(name: str) -> _FolderFile:
    source = name.partition("/")[0]
    return _FolderFile(name, b"", FileChange("list" if source == LISTS else "removed", source, "", None, (name,)))


def _write(folder: Folder, files: Sequence[_FolderFile], on_path: Callable[[str], None]) -> Counts:
    counts: Counts = Counter()
    free = []
    for file in files:
        if found := folder.obstacle(file.path):
            counts["blocked"] += 1
            if folder.is_news(found):
                log.warning(
                    "files not written, something is in the way",
                    path=str(folder.root / found.path),
                    error=f"it is {found.description}: move it out of the folder, then `kzfeed sync {folder.root}`",
                )
        else:
            free.append(file)
    folder.note([file.change for file in free if file.change])
    for file in free:
        on_path(file.path)
        if file.change:
            if file.change.path:
                write_file(folder.root / file.change.path, file.data)
            for former in file.change.removed:
                folder.remove(former)
    return counts + Counter(file.change.kind if file.change else "unchanged" for file in free)


def _file_of_article(folder: Folder, article: StoredArticle, former: FormerPlaces) -> _FolderFile:
    path = tree_path(article.source, article.published_at, article.url_hash)
    data = archive_file_bytes(article)
    places = {
        tree_path(source, published_at, article.url_hash)
        for source in former.sources | {article.source}
        for published_at in former.dates | {article.published_at}
    }
    stale = tuple(sorted(str(each) for each in places - {path} if folder.has(each)))
    held = folder.read(path)
    if held == data and not stale:
        return _FolderFile(str(path), data, None)
    kind: ChangeKind = "moved" if stale else "new" if held is None else "revised"
    return _FolderFile(str(path), data, FileChange(kind, article.source, article.title, str(path), stale))


def _files_of_lists(database: Database, folder: Folder, sources: Iterable[str]) -> Iterator[_FolderFile]:
    for source in sorted(sources):
        path = str(article_lists.path_of(source))
        timezone, articles = newest_of_source(database, source, article_lists.MAX_ARTICLES)
        data, held = article_lists.render(source, timezone, articles), folder.read(path)
        if not articles:
            if held is not None:
                yield _FolderFile(path, data, FileChange("list", source, "", None, (path,)))
        else:
            yield _FolderFile(path, data, FileChange("list", source, "", path) if held != data else None)
