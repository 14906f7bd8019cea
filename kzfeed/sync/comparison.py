"""Comparison of a folder with the database: `kzfeed verify --files`. Nothing is written.

An archive folder is compared file by file with what the database would write. The files of an export are compared with
the hashes in its list, and with the versions of articles that the database has.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kzfeed.backfill.export_list import NameSet, exported_file, read_lines
from kzfeed.backfill.file_reader import EXPORT_LIST
from kzfeed.errors import UsageError
from kzfeed.export.files import archive_file_bytes, tree_path
from kzfeed.model.articles import StoredArticle
from kzfeed.store.engine import Database
from kzfeed.store.integrity.findings import Checked, Finding, Findings
from kzfeed.store.queries import article_queries
from kzfeed.store.transfer.article_places import newest_of_source, sources_with_articles
from kzfeed.sync import article_lists
from kzfeed.sync.folder import Folder

_SYNC = "`kzfeed sync DIR` writes it as the database has it"
_ADVICE = {
    "missing": _SYNC,
    "differs": f"{_SYNC}; a copy of it in a folder of its own can be stored by `kzfeed backfill`",
    "blocked": "move it out of the folder, then `kzfeed sync DIR` writes the files that belong there",
    "surplus": "`kzfeed backfill` stores it, `kzfeed sync DIR` removes it",
    "export": "export again, or put the file back from a backup",
    "other": "nothing to do: kzfeed did not make it",
}


def compare(
    database: Database,
    report: Callable[[Finding], None],
    on_check: Callable[[int, int], None] = lambda done, total: None,
    *,
    folder: Path,
) -> Checked:
    """Compare the folder with the database; `report` is called with each finding.

    `on_check` is called with the number of files that were compared and of all articles. Raises UsageError if there is
    no such folder, DatabaseError, OSError.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    made: Counter[bool] = Counter()
    compared, total = 0, article_queries.count(database, article_queries.Selection())

    def on_file() -> None:
        nonlocal compared
        compared += 1
        on_check(compared, max(compared, total))

    has_list = (folder / EXPORT_LIST).is_file()
    checks = [_export(database, folder, on_file)] if has_list else []
    if not has_list or Folder(folder).state():
        checks.append(_archive_folder(database, Folder(folder), on_file))
    for check in checks:
        for each in check:
            made[each.is_damage] += 1
            report(each)
    return Checked(compared, 0, damage=made[True], notes=made[False])


def _finding(kind: str, name: str, found: str) -> Finding:
    return Finding(kind, kind != "other", name, found, _ADVICE[kind])


# --- an archive folder -----------------------------------------------------------------------------------------------


def _archive_folder(database: Database, folder: Folder, on_file: Callable[[], None]) -> Findings:
    expected, made = NameSet(), NameSet()
    blocking: set[str] = set()
    for article in article_queries.stream(database):
        path = tree_path(article.source, article.published_at, article.url_hash).as_posix()
        expected.add(path)
        yield from _file(folder, path, archive_file_bytes(article), f"article {article.id}", blocking)
        on_file()
    for path, data in _lists(database):
        expected.add(path)
        yield from _file(folder, path, data, "the newest articles of this source", blocking)
    for name in folder.made():
        made.add(name)
    for name in folder.all_files():
        is_known = name in expected or name in blocking or name == EXPORT_LIST
        if not is_known:
            if name in made:
                yield _finding("surplus", name, "no article has this file")
            else:
                yield _finding("other", name, "not a file of kzfeed")


def _lists(database: Database) -> Iterator[tuple[str, bytes]]:
    for source in sources_with_articles(database):
        timezone, articles = newest_of_source(database, source, article_lists.MAX_ARTICLES)
        yield article_lists.path_of(source).as_posix(), article_lists.render(source, timezone, articles)


def _file(folder: Folder, path: str, data: bytes, of: str, blocking: set[str]) -> Findings:
    """What is wrong with a file, if anything. `blocking` takes up the path of what has its place."""
    if found := folder.obstacle(path):
        blocking.add(found.path)
        yield _finding("blocked", path, f"{found.path} is {found.description}")
        return
    held = folder.read(path)
    if held is None:
        yield _finding("missing", path, f"the file of {of} is missing")
    elif held != data:
        yield _finding("differs", path, f"line {_first_difference(held, data)} is not as in {of}")


def _first_difference(held: bytes, data: bytes) -> int:
    """The number of the first line in which the two differ."""
    lines = zip(held.split(b"\n"), data.split(b"\n"), strict=False)
    same = 0
    for one, other in lines:
        if one != other:
            break
        same += 1
    return same + 1


# --- an export -------------------------------------------------------------------------------------------------------


def _export(database: Database, folder: Path, on_file: Callable[[], None]) -> Findings:
    for line in read_lines(folder / EXPORT_LIST):
        try:
            if line.refusal:
                raise ValueError(line.refusal)
            file = exported_file(line.given)
        except ValueError as error:
            yield _finding("export", EXPORT_LIST, f"line {line.number}: {error}")
            continue
        if said := _fault(database, folder / file.name, file.sha256, str(line.given.get("url_hash"))):
            yield _finding("export", file.name, said)
        on_file()


def _fault(database: Database, file: Path, sha256: str, url_hash: str) -> str | None:
    """What is wrong with an exported file, if anything."""
    if not file.is_file():
        return "the file is missing"
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        return "the file was changed after the export"
    versions = _versions(database, url_hash)
    if not versions:
        return f"the database has no article with the url_hash {url_hash}"
    written = (archive_file_bytes(each, front_matter=wanted) for each in versions for wanted in (False, True))
    return None if data in written else f"no version of article {versions[0].id} in the database has these bytes"


def _versions(database: Database, url_hash: str) -> Sequence[StoredArticle]:
    """All versions of an article, the newest first."""
    try:
        article = article_queries.find(database, url_hash)
    except UsageError:
        return []
    return [each.of(article) for each in reversed(article_queries.versions(database, article.id))]
