"""`kzfeed sync DIR` makes a folder equal to the database, and `kzfeed verify --files DIR` says what differs."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from kzfeed.article.archive_file import parse
from kzfeed.model.polls import SourceConfig
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.store.transfer.article_log import archive_id
from tests.conftest import NewDatabase
from tests.export.archives import Archive, archive_on
from tests.export.test_restore import NOW, fill, news, rss, show
from tests.slow import slow
from tests.sync.folders import another_archive, articles, git, times, tree, write_file

pytestmark = pytest.mark.slow_on_postgresql


@pytest.mark.slow
def test_a_folder_has_the_files_of_an_export_and_a_list_for_each_source(archive: Archive) -> None:
    fill(archive.database)
    archive.export("exported")

    done = archive.kzfeed("sync", "articles")

    assert done.returncode == 0, done.stderr
    folder = archive.folder / "articles"
    assert articles(folder) == tree(archive.folder / "exported")
    assert sorted(name for name in tree(folder) if name.startswith("lists/")) == [
        "lists/mirror.md",
        "lists/news.md",
        "lists/pod.md",
    ]
    assert done.stdout == "articles: 23 files written, 0 moved, 0 removed, 3 lists changed, 0 unchanged\n"
    before = times(folder)
    again = archive.kzfeed("sync", "articles")
    assert again.stdout == "articles: 0 files written, 0 moved, 0 removed, 0 lists changed, 26 unchanged\n"
    assert times(folder) == before
    compared = archive.kzfeed("verify", "--files", "articles")
    assert (compared.returncode, compared.stdout) == (0, "articles: 23 files compared: all as in the database\n")


def test_a_list_names_the_newest_articles_in_the_time_zone_of_the_source_and_the_undated_ones_last(
    archive: Archive,
) -> None:
    items = [
        "<item><title>旧</title><link>https://z.example/1</link>"
        "<pubDate>Sun, 31 Jan 2021 16:30:00 GMT</pubDate></item>",
        "<item><title>[新](x)</title><link>https://z.example/2</link>"
        "<pubDate>Mon, 01 Mar 2021 10:00:00 GMT</pubDate></item>",
        "<item><title>无日期</title><link>https://z.example/3</link></item>",
    ]
    sources.add(archive.database, [SourceConfig("z", "https://z.example/rss", timezone="Asia/Shanghai")], NOW)
    show(archive.database, "z", rss("z", items), NOW)

    archive.kzfeed("sync", "articles")

    lines = (archive.folder / "articles/lists/z.md").read_text("utf-8").splitlines()
    assert [line.rpartition("](")[0] for line in lines] == ["3-1 [[新](x)", "2-1 [旧", "[无日期"]
    for line in lines:
        path = line.rpartition("](")[2].removesuffix(")")
        assert (archive.folder / "articles/lists" / path).is_file()


def test_a_list_has_three_hundred_articles_and_a_title_is_one_line(archive: Archive) -> None:
    for number in range(303):
        write_file(archive.folder / "in", number, stamp=number * 86_400_000, title=f"zwei\n Zeilen {number}")
    archive.kzfeed("backfill", "in", "--source", "s")

    archive.kzfeed("sync", "articles")

    lines = (archive.folder / "articles/lists/s.md").read_text("utf-8").splitlines()
    assert len(lines) == 300
    assert lines[0].startswith("10-30 [zwei Zeilen 302](../s/1970/10/")
    assert lines[-1].startswith("1-4 [zwei Zeilen 3](../s/1970/01/")


def test_sync_writes_moves_and_removes_what_differs_and_leaves_what_kzfeed_did_not_make(archive: Archive) -> None:
    show(archive.database, "news", rss("news", [news(number) for number in range(6)]), NOW)
    archive.kzfeed("sync", "articles")
    folder = archive.folder / "articles"
    expected = tree(folder)
    edited, deleted, gone, *_ = sorted(articles(folder))
    (folder / edited).write_text("edited")
    (folder / deleted).unlink()
    (folder / "README.md").write_text("of the user")
    (folder / "news/2022/01/0123456789abcdef.txt").write_text("of the user too")
    with archive.database.write() as connection:
        key = f"(SELECT id FROM articles WHERE url_hash LIKE '{Path(gone).stem}%%')"
        for table in ("sightings", "tags", "media", "article_changes"):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE article_id = {key}")
        connection.exec_driver_sql(f"DELETE FROM articles WHERE id = {key}")

    differing = archive.kzfeed("verify", "--files", "articles")
    done = archive.kzfeed("sync", "articles")

    assert differing.returncode == 1
    for said in (
        f"damage: differs: {edited}: line 1 is not as in article ",
        f"damage: missing: {deleted}: the file of article ",
        f"damage: surplus: {gone}: no article has this file",
        "damage: differs: lists/news.md: ",
        "note: other: ",
    ):
        assert said in differing.stdout
    assert differing.stdout.endswith("articles: 5 files compared: 4 differ, 2 other files\n")
    assert done.stdout == (
        "articles: 2 files written, 0 moved, 1 removed, 1 list changed, 3 unchanged; 2 other files left\n"
    )
    assert tree(folder).keys() == (expected.keys() - {gone}) | {"README.md", "news/2022/01/0123456789abcdef.txt"}
    assert archive.kzfeed("verify", "--files", "articles").returncode == 0


def test_an_article_whose_date_is_corrected_moves(archive: Archive) -> None:
    item = news(1)
    show(archive.database, "news", rss("news", [item]), NOW)
    archive.kzfeed("sync", "articles")
    show(archive.database, "news", rss("news", [item.replace("11 Jan 2022", "10 Dec 2021")]), NOW + timedelta(hours=1))

    done = archive.kzfeed("sync", "articles")

    assert "0 files written, 1 moved, 0 removed, 1 list changed" in done.stdout
    (name,) = articles(archive.folder / "articles")
    assert name.startswith("news/2021/12/")
    assert not (archive.folder / "articles/news/2022/01").exists()


@pytest.mark.slow
def test_verify_compares_an_export_with_its_list_and_with_all_versions_of_the_database(archive: Archive) -> None:
    fill(archive.database)
    archive.export("out", "--versions", "--layout", "flat")
    assert archive.kzfeed("verify", "--files", "out").returncode == 0
    show(archive.database, "news", rss("news", [news(2, "später")]), NOW + timedelta(days=1))
    assert archive.kzfeed("verify", "--files", "out").returncode == 0
    older = next((archive.folder / "out").glob("*.r1.txt"))
    older.write_text(older.read_text("utf-8") + "\n", "utf-8")

    done = archive.kzfeed("verify", "--files", "out", "--json")

    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(each["row"], each["found"]) for each in report["findings"]] == [
        (older.name, "the file was changed after the export")
    ]


def test_a_folder_comes_back_by_backfill_and_its_lists_are_no_articles(
    archive: Archive, new_database: NewDatabase
) -> None:
    for number in range(3):
        write_file(archive.folder / "in", number)
    archive.kzfeed("backfill", "in", "--source-from", "folder")
    archive.kzfeed("sync", "articles")
    other = another_archive(new_database("sqlite"), archive.folder)

    done = other.kzfeed("backfill", "articles", "--source", "in")

    assert done.stdout == "3 files: 3 new, 0 revised, 0 unchanged, 0 refused\n"
    assert other.kzfeed("verify", "--files", "articles").returncode == 0


@pytest.mark.slow
def test_real_files_are_backfilled_synced_compared_and_come_back(archive: Archive, shared: Path) -> None:
    copies = 3 if archive.database.dialect == "sqlite" else 1
    for number, real in enumerate(sorted((shared / "corpus" / "family").iterdir())):
        url, text = parse(real.read_bytes()).url, real.read_text("utf-8")
        for copy in range(copies):
            file = archive.folder / f"in/{copy}/{number}.md"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace(f"]({url})\n------", f"]({url}{'&' if '?' in url else '?'}{copy})\n------", 1))
    count = 76 * copies

    assert archive.kzfeed("backfill", "in").stdout.startswith(f"{count} files: {count} new")
    assert f"{count} files written" in archive.kzfeed("sync", "articles").stdout
    compared = archive.kzfeed("verify", "--files", "articles")
    assert compared.stdout == f"articles: {count} files compared: all as in the database\n"
    archive.export("out", "--front-matter")
    assert sorted(articles(archive.folder / "out").values()) == sorted(tree(archive.folder / "in").values())


@pytest.mark.parametrize("command", [("sync", "in/1.txt"), ("verify", "--files", "missing")])
def test_what_is_no_folder_is_refused(archive: Archive, command: tuple[str, ...]) -> None:
    write_file(archive.folder / "in", 1)

    done = archive.kzfeed(*command)

    assert done.returncode in (1, 2)
    assert done.stderr.endswith("folder\n")


def test_a_folder_that_was_emptied_or_is_new_is_filled_again(archive: Archive) -> None:
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "articles"\n')
    archive.kzfeed("backfill", write_file(archive.folder / "in", 1), write_file(archive.folder / "in", 2))
    expected = tree(archive.folder / "articles")
    assert len(expected) == 3

    shutil.rmtree(archive.folder / "articles")
    archive.kzfeed("backfill", archive.folder / "in/1.txt")

    assert tree(archive.folder / "articles") == expected


def test_a_folder_of_a_later_state_is_compared_whole_and_what_is_newer_in_it_stays(
    archive: Archive, new_database: NewDatabase
) -> None:
    """As after a restore of an older backup, which has the same identity: only `sync` removes what it lacks."""
    for number in range(4):
        write_file(archive.folder / "in", number)
    archive.kzfeed("backfill", "in", "--source", "s")
    archive.kzfeed("sync", "articles")
    held = articles(archive.folder / "articles")
    other = another_archive(new_database("sqlite"), archive.folder, identity=archive_id(archive.database))
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "articles"\n')

    done = other.kzfeed("backfill", "in/0.txt", write_file(archive.folder / "more", 9), "--source", "s")

    assert "comparing all articles with the archive folder" in done.stderr
    after = articles(archive.folder / "articles")
    assert held.items() < after.items()
    assert len(after) == 5
    assert "0 files written, 0 moved, 3 removed" in other.kzfeed("sync", "articles").stdout


def test_the_first_sync_with_another_database_removes_nothing(archive: Archive, new_database: NewDatabase) -> None:
    archive.kzfeed("backfill", write_file(archive.folder / "in", 1), write_file(archive.folder / "in", 2))
    archive.kzfeed("sync", "articles")
    other = another_archive(new_database("sqlite"), archive.folder)
    other.kzfeed("backfill", archive.folder / "in/2.txt")

    done = [other.kzfeed("sync", "articles").stdout for _ in range(2)]

    assert done[0].endswith(
        "; 1 file left that this database has no article of, and another one had: "
        "`kzfeed backfill` stores them, and a second `kzfeed sync` removes them\n"
    )
    assert "1 removed" in done[1]


@pytest.mark.slow
def test_another_database_does_not_write_the_configured_folder_until_it_is_synced(
    archive: Archive, new_database: NewDatabase
) -> None:
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "articles"\ngit = true\n')
    archive.kzfeed("backfill", write_file(archive.folder / "in", 1))
    folder = archive.folder / "articles"
    before = tree(folder), git(folder, "rev-parse", "HEAD")
    other = another_archive(new_database("sqlite"), archive.folder)

    done = other.kzfeed("backfill", write_file(archive.folder / "in", 2))

    assert done.returncode == 0
    assert "another database wrote it: `kzfeed sync articles` makes the folder follow this one" in done.stderr
    assert (tree(folder), git(folder, "rev-parse", "HEAD")) == before
    assert "1 file written" in other.kzfeed("sync", "articles").stdout
    other.kzfeed("backfill", write_file(archive.folder / "in", 3))
    assert len(articles(folder)) == 3
    assert git(folder, "rev-list", "--count", "HEAD") == "3\n"


def test_another_database_with_the_same_articles_does_not_write_the_folder(
    archive: Archive, new_database: NewDatabase
) -> None:
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "articles"\ngit = true\n')
    files = [write_file(archive.folder / "in", number) for number in (1, 2)]
    archive.kzfeed("backfill", *files)
    folder = archive.folder / "articles"
    before = tree(folder), git(folder, "rev-parse", "HEAD")
    other = another_archive(new_database("sqlite"), archive.folder)

    done = [other.kzfeed("backfill", *files), other.kzfeed("backfill", write_file(archive.folder / "in", 1, "其他"))]

    for each in done:
        assert "another database wrote it: `kzfeed sync articles`" in each.stderr
    assert (tree(folder), git(folder, "rev-parse", "HEAD")) == before


def test_a_folder_of_an_older_kzfeed_belongs_to_the_database_with_its_first_article(
    archive: Archive, new_database: NewDatabase
) -> None:
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "articles"\n')
    archive.kzfeed("backfill", first := write_file(archive.folder / "in", 1))
    file = archive.folder / "articles/.kzfeed/state.json"
    state = json.loads(file.read_bytes())
    older = {name: state[name] for name in ("mark", "lists_due")} | {"first_article": state["mark"]["url_hash"]}
    file.write_text(json.dumps(older))
    other = another_archive(new_database("sqlite"), archive.folder)

    done = [
        other.kzfeed("backfill", write_file(archive.folder / "in", 2)),
        archive.kzfeed("backfill", write_file(archive.folder / "in", 3)),
        other.kzfeed("backfill", first),
    ]

    assert ["another database wrote it" in each.stderr for each in done] == [True, False, True]
    assert len(articles(archive.folder / "articles")) == 2


def test_an_older_backup_of_the_database_writes_its_folder_on(sqlite_database: Database, tmp_path: Path) -> None:
    archive = archive_on(sqlite_database, tmp_path)
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "articles"\n')
    archive.kzfeed("backfill", write_file(archive.folder / "in", 1))
    archive.kzfeed("db", "backup", "older.db")
    archive.kzfeed("backfill", write_file(archive.folder / "in", 2))

    done = archive.kzfeed("--database", "sqlite:///older.db", "backfill", write_file(archive.folder / "in", 3))

    assert "comparing all articles with the archive folder" in done.stderr
    assert len(articles(archive.folder / "articles")) == 3


def test_a_rescue_of_the_database_writes_its_folder_on(sqlite_database: Database, tmp_path: Path) -> None:
    archive = another_archive(sqlite_database, tmp_path)
    (archive.folder / "kzfeed.toml").write_text('sources = []\n[archive]\ndirectory = "articles"\n')
    archive.kzfeed("backfill", write_file(archive.folder / "in", 1))
    archive.kzfeed("db", "rescue", "rescued.db")

    done = archive.kzfeed("--database", "sqlite:///rescued.db", "backfill", write_file(archive.folder / "in", 2))

    assert "archive folder" not in done.stderr
    assert len(articles(archive.folder / "articles")) == 2


@pytest.mark.parametrize("obstacle", ["link", slow("file"), slow("folder")])
def test_what_has_the_place_of_a_file_is_named_and_all_other_files_are_written(
    sqlite_database: Database, tmp_path: Path, obstacle: str
) -> None:
    archive = archive_on(sqlite_database, tmp_path)
    for source in ("blocked", "free"):
        archive.kzfeed("backfill", write_file(tmp_path / "in", len(source)), "--source", source)
    archive.kzfeed("sync", "other")
    (name,) = (each for each in articles(tmp_path / "other") if each.startswith("blocked/"))
    folder, outside = tmp_path / "articles", tmp_path / "outside"
    outside.mkdir()
    place = folder / (name if obstacle == "folder" else "blocked")
    place.parent.mkdir(parents=True)
    match obstacle:
        case "link":
            place.symlink_to("../outside")
        case "file":
            place.write_text("of the user")
        case _:
            place.mkdir()

    done = archive.kzfeed("sync", "articles")
    compared = archive.kzfeed("verify", "--files", "articles")

    assert (done.returncode, compared.returncode) == (1, 1)
    assert "1 file written, 0 moved, 0 removed, 2 lists changed, 0 unchanged, 1 not written" in done.stdout
    assert "files not written, something is in the way" in done.stderr
    assert f"articles/{place.relative_to(folder)}" in done.stderr
    assert f"damage: blocked: {name}: {place.relative_to(folder)} is a " in compared.stdout
    assert "note: other" not in compared.stdout
    assert list(outside.iterdir()) == []
    place.rename(tmp_path / "moved")
    assert archive.kzfeed("sync", "articles").returncode == 0
    assert archive.kzfeed("verify", "--files", "articles").returncode == 0


def test_a_link_in_the_place_of_the_notes_of_kzfeed_is_named_and_not_followed(
    sqlite_database: Database, tmp_path: Path
) -> None:
    archive = archive_on(sqlite_database, tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles/.kzfeed").symlink_to("../outside")

    done = archive.kzfeed("sync", "articles")

    assert done.returncode != 0
    assert "articles/.kzfeed" in done.stderr
    assert "move it out of the folder" in done.stderr
    assert list((tmp_path / "outside").iterdir()) == []
