"""An export comes back exactly: `backfill` of its folder restores every table, on and between both engines."""

import json
import os
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.article.url import url_hash
from kzfeed.backfill.file_reader import EXPORT_LIST, find_files
from kzfeed.backfill.run import Progress, backfill, by_host
from kzfeed.errors import DocumentError
from kzfeed.export.files import FileTree
from kzfeed.export.formats import Format, Layout
from kzfeed.export.run import export
from kzfeed.export.streams import stream_writer
from kzfeed.model.articles import Document, Gap, WindowComparison
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.sandbox.document_reader import read_document
from kzfeed.store import sources, tables
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from kzfeed.store.queries import article_queries
from kzfeed.store.queries.article_queries import Selection
from tests.conftest import NewDatabase
from tests.export.atom_rules import breaches

NOW = datetime(2022, 1, 11, 18, tzinfo=UTC)
COLUMNS_OF_SOURCES = ("name", "title", "url", "site_url", "configured_url")
"""The others are configuration and bookkeeping of polls."""
NOTHING_SHARED = WindowComparison()
NOT_COMPARED = ("polls", "hosts", "host_queue", "claims", "row_counts", "article_changes", "archive_identity")
COMPARED = [table for table in tables.metadata.sorted_tables if table.name not in NOT_COMPARED]

Rows = dict[str, Counter[tuple[Any, ...]]]


def rows(database: Database) -> Rows:
    """All rows of the compared tables, with url_hashes and names of sources instead of ids."""
    with database.read() as connection:
        names = dict(map(tuple, connection.execute(sa.select(tables.sources.c.id, tables.sources.c.name))))
        of_articles = sa.select(tables.articles.c.id, tables.articles.c.url_hash)
        hashes = dict(map(tuple, connection.execute(of_articles)))
        keys = {"sources": names, "articles": hashes}
        found: Rows = {}
        for table in COMPARED:
            columns = [column for column in table.c if column.name != "id"]
            if table is tables.sources:
                columns = [table.c[name] for name in COLUMNS_OF_SOURCES]
            references = [{key.column.table.name for key in column.foreign_keys} for column in columns]
            found[table.name] = Counter(
                tuple(keys[next(iter(to))][value] if to else value for value, to in zip(row, references, strict=True))
                for row in connection.execute(sa.select(*columns))
            )
    # A day from which a correction took the last article keeps its row, with zeros.
    found["day_counts"] = Counter(row for row in found["day_counts"] if any(row[2:]))
    return found


def assert_same(left: Rows, right: Rows) -> None:
    for name, expected in left.items():
        missing, extra = expected - right[name], right[name] - expected
        assert not missing + extra, f"{name}: missing {list(missing)[:2]}, too many {list(extra)[:2]}"


def show(
    database: Database, source: str, body: bytes, now: datetime, overlap: WindowComparison = NOTHING_SHARED
) -> int:
    """A source shows this document; returns the number of its articles."""
    if not sources.load(database, [source]):
        sources.add(database, [SourceConfig(source, f"https://{source}.example/rss")], now)
    (before,) = sources.load(database, [source])
    feed, articles = read_document(Document(body, None, before.url, "Asia/Shanghai", now))
    title = before.title or feed.title
    after = replace(before, last_polled_at=now, last_document_at=now, title=title, site_url=feed.site_url)
    poll = Poll(source_id=before.id, started_at=now, duration=timedelta(), outcome="unchanged", entries=len(articles))
    (stored,) = commit_polls(database, [PollCommit(after, poll, articles, window=overlap)])
    assert isinstance(stored, Poll)
    return len(articles)


def rss(title: str, items: Sequence[str]) -> bytes:
    media = 'xmlns:media="http://search.yahoo.com/mrss/"'
    channel = f"<title>{title}</title><link>https://{title}.example/</link>{''.join(items)}"
    return f'<rss version="2.0" {media}><channel>{channel}</channel></rss>'.encode()


def podcast(number: int) -> str:
    return (
        f"<item><title>第{number}集</title><link>https://pod.example/show</link><guid>pod-{number}</guid>"
        f"<pubDate>Tue, 11 Jan 2022 {number % 24:02}:39:03 +0800</pubDate><category>播客</category>"
        f'<enclosure url="https://pod.example/{number}.mp3" type="audio/mpeg" length="{number}000"/>'
        f"<description>第{number}集：灯塔的故事，{'海' * number}</description></item>"
    )


def news(number: int, wording: str = "", link: str = "") -> str:
    address = link or f"https://news.example/{number}"
    date = f"<pubDate>Tue, 11 Jan 2022 {number % 24:02}:00:01 GMT</pubDate>" if number % 3 else ""
    return (
        f"<item><title>标题 [{number}](x) 新闻</title><link>{address}</link>{date}"
        f"<category>中国</category><category>a, b</category><author>记者 {number}</author>"
        f'<description><![CDATA[<p>正文 {number} {wording}</p>\n<img src="https://img.example/{number}.jpg">]]></description>'
        f"</item>"
    )


def fill(database: Database) -> None:
    """A rich archive: podcasts under one link, entries without link or date, shared articles, revisions, gaps."""
    at = [NOW + timedelta(hours=hour) for hour in range(6)]
    show(database, "pod", rss("pod", [podcast(number) for number in range(1, 10)]), at[0])
    without_link = [f"<item><guid isPermaLink='false'>tag:{n}</guid><title>无链接 {n}</title></item>" for n in range(4)]
    show(
        database,
        "news",
        rss("news", [*map(news, range(8)), *without_link, "<item><title>只有标题</title></item>"]),
        at[1],
    )
    show(database, "mirror", rss("mirror", [news(1), news(2, "镜像的话"), news(30)]), at[2])
    show(database, "news", rss("news", [news(number, "改了一次") for number in range(4)]), at[3])
    taken_down = frozenset({url_hash("https://news.example/3")})
    show(
        database,
        "news",
        rss("news", [news(1, "又改了"), news(2), news(5).replace("11 Jan", "10 Jan")]),
        at[4],
        WindowComparison(gap=Gap(at[2], at[3]), withdrawn=taken_down),
    )
    show(database, "empty", rss("empty", []), at[5])


def export_to(database: Database, folder: Path, layout: Layout = Layout.TREE) -> Path:
    total = article_queries.count(database, Selection())
    export(database, Selection(), FileTree(folder, layout, total).writer(), versions=True)
    return folder


def bring_back(database: Database, *paths: Path) -> Progress:
    return backfill(database, find_files(paths), source_of=by_host, clock=lambda: NOW + timedelta(days=900))


def findings(database: Database) -> list[Any]:
    found: list[Any] = []
    verify(database, found.append)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engines", "layout"), [(("sqlite", "postgresql"), Layout.TREE), (("postgresql", "sqlite"), Layout.FLAT)]
)
def test_an_export_comes_back_row_for_row(
    new_database: NewDatabase, engines: tuple[str, str], layout: Layout, tmp_path: Path
) -> None:
    original = new_database(engines[0])
    fill(original)
    before = rows(original)
    folder = export_to(original, tmp_path / "out", layout)

    for engine in ("same", *engines):
        database = original if engine == "same" else new_database(engine)
        for _ in range(2):
            done = bring_back(database, folder)
            assert done.refused == 0
            assert_same(before, rows(database))
        assert findings(database) == []
        again = export_to(database, tmp_path / f"again-{engine}", layout)
        assert contents(again) == contents(folder)
    assert before["revisions"].total() > 4
    assert min(before[name].total() for name in ("gaps", "media", "tags", "sightings", "withdrawals")) > 0


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_lines_of_a_list_may_come_in_any_order(
    original: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_database("sqlite")
    listing = export_to(original, tmp_path / "out") / EXPORT_LIST
    lines = listing.read_bytes().splitlines(keepends=True)
    random.Random(7).shuffle(lines)
    listing.write_bytes(b"".join(lines))

    assert bring_back(database, tmp_path / "out").refused == 0
    assert_same(rows(original), rows(database))


@pytest.mark.slow
def test_a_restore_that_was_broken_off_ends_like_one_that_was_not(
    original: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_database("sqlite")
    for hour in (10, 11):  # more versions than two batches take
        wording = f"{hour} 点的话"
        show(original, "news", rss("news", [news(n, wording) for n in range(120)]), NOW + timedelta(hours=hour))
    folder = export_to(original, tmp_path / "out")

    def break_off(progress: Progress) -> None:
        if progress.files > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(database, find_files([folder]), source_of=by_host, clock=lambda: NOW, on_batch=break_off)
    partly = rows(database)["articles"].total()
    bring_back(database, folder)

    assert 0 < partly < rows(original)["articles"].total()
    assert_same(rows(original), rows(database))


def test_what_is_restored_is_left_alone_when_its_source_shows_it_again(
    original: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_database("sqlite")
    bring_back(database, export_to(original, tmp_path / "out"))
    later = NOW + timedelta(days=1)
    document = rss("pod", [podcast(number) for number in range(1, 10)])

    for each in (original, database):
        show(each, "pod", document, later)

    assert_same(rows(original) | {"sources": Counter()}, rows(database) | {"sources": Counter()})


def test_newest_versions_alone_leave_no_hole(original: Database, new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database("sqlite")
    export(original, Selection(), FileTree(tmp_path / "out", Layout.TREE, 0).writer())

    done = bring_back(database, tmp_path / "out")

    assert (done.refused, findings(database)) == (0, [])
    assert rows(database)["articles"].total() == rows(original)["articles"].total()
    assert rows(database)["revisions"].total() == 0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_versions_that_two_archives_saw_are_put_in_the_order_in_which_they_were_seen(
    original: Database, new_database: NewDatabase, engine: str, tmp_path: Path
) -> None:
    database = new_database(engine)
    bring_back(database, export_to(original, tmp_path / "before"))
    link = "https://news.example/1"
    words = {}
    for hour, (archive, source) in enumerate(
        [(original, "news"), (database, "third"), (original, "mirror"), (database, "news")], 20
    ):
        words[hour] = f"Wording of hour {hour}, which no other one shares."
        show(archive, source, rss(source, [news(1, words[hour])]), NOW + timedelta(hours=hour))
    folder = export_to(original, tmp_path / "after")

    for _ in range(2):
        assert bring_back(database, folder).refused == 0
        held = article_queries.versions(database, held_id(database, link))
        assert [each.revision for each in held] == list(range(1, len(held) + 1))
        assert [each.seen_at for each in held] == sorted(each.seen_at for each in held)
        found = [hour for each in held for hour, wording in words.items() if wording in each.text]
        assert found == [20, 21, 22, 23]
        assert findings(database) == []
    sightings = article_queries.article_rows(database, held_id(database, link))["sightings"]
    shown = {row["source"]: held[row["revision"] - 1].text for row in sightings}
    assert {source: words[hour] in shown[source] for source, hour in [("news", 23), ("third", 21), ("mirror", 22)]} == {
        "news": True,
        "third": True,
        "mirror": True,
    }


def held_id(database: Database, link: str) -> int:
    return article_queries.find(database, link).id


FRONT = "---\ntitle: '{0}'\ntags: [甲]\n---\n"
FILE = "<!--{0}-->\n[t](https://news.example/1)\n------\n\n{0}\n"


@pytest.mark.parametrize(
    ("engines", "form"),
    [
        (("sqlite", "postgresql"), Format.FILES),
        (("postgresql", "sqlite"), Format.FILES),
        (("sqlite", "postgresql"), Format.JSONL),
        (("postgresql", "sqlite"), Format.ATOM),
    ],
)
def test_every_version_comes_back_with_its_own_date_and_front_matter(
    new_database: NewDatabase, engines: tuple[str, str], form: Format, tmp_path: Path
) -> None:
    original, database = map(new_database, engines)
    for number in (1, 2, 3):
        (tmp_path / "1.md").write_text((FRONT.format(number) if number != 2 else "") + FILE.format(number))
        bring_back(original, tmp_path / "1.md")
    files = FileTree(tmp_path / "out", Layout.TREE, 1, front_matter=True).writer()
    stream = stream_writer(form, tmp_path / "out", sys.stdout.buffer, now=NOW, versions=True)
    export(original, Selection(), files if form == Format.FILES else stream, versions=True)
    exported = tmp_path / "out" if form == Format.FILES else (tmp_path / "out").rename(tmp_path / f"x.{form}")

    assert bring_back(database, exported).refused == 0

    assert_same(rows(original), rows(database))
    held = article_queries.versions(database, held_id(database, "https://news.example/1"))
    assert [(each.published_raw, each.front_matter) for each in held] == [
        ("<!--1-->", FRONT.format(1)),
        ("<!--2-->", None),
        ("<!--3-->", FRONT.format(3)),
    ]
    assert findings(database) == []


def test_an_export_of_the_first_kzfeed_comes_back_and_its_files_are_renamed_by_the_next_export(
    original: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_database("sqlite")
    folder = export_to(original, tmp_path / "out")
    expected = contents(folder)
    listing = folder / EXPORT_LIST
    listing.write_text(re.sub(r"\.r(\d+)\.txt", r".v\1.txt", listing.read_text("utf-8")), "utf-8")
    for file in folder.rglob("*.r*.txt"):
        file.rename(file.with_name(re.sub(r"\.r(\d+)\.txt", r".v\1.txt", file.name)))

    assert bring_back(database, folder).refused == 0

    assert_same(rows(original), rows(database))
    assert contents(export_to(original, folder)) == expected


# --- lists that do not fit -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def four_articles(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """A folder of four exported articles, and the rows that they have in the archive."""
    folder = tmp_path_factory.mktemp("four")
    with closing(Database(f"sqlite:///{shutil.copy(empty_archive, folder)}")) as database:
        show(database, "news", rss("news", [news(number) for number in range(4)]), NOW)
        return export_to(database, folder / "out"), rows(database)


def edited(folder: Path, edit: Callable[[dict[str, Any]], dict[str, Any] | str]) -> None:
    """Change the last line of the list."""
    listing = folder / EXPORT_LIST
    *lines, last = listing.read_text("utf-8").splitlines()
    changed = edit(json.loads(last))
    lines.append(changed if isinstance(changed, str) else json.dumps(changed))
    listing.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.parametrize(
    "edit",
    [
        lambda line: "{not json",
        lambda line: "[" * 100_000,
        lambda line: json.dumps(line)[:-1] + ', "x": NaN}',
        lambda line: "[]",
        lambda line: "x" * (17 * 2**20),
        lambda line: line | {"name": "../../secret.txt"},
        lambda line: line | {"name": "/etc/passwd"},
        lambda line: line | {"name": 7},
        lambda line: line | {"sha256": "0" * 64},
        lambda line: line | {"url_hash": "not a hash"},
        lambda line: line | {"url": "https://elsewhere.example/"},
        lambda line: line | {"published_at": "1999-01-01T00:00:00.000Z"},
        lambda line: line | {"first_seen_at": "2022-02-30T00:00:00.000Z"},
        lambda line: line | {"source": "../../etc"},
        lambda line: line | {"revision": True},
        lambda line: line | {"revision": 2**40},
        lambda line: line | {"author": "nul\x00"},
        lambda line: line | {"author": "\ud800"},
        lambda line: line | {"tags": [1]},
        lambda line: line | {"tags": {"a": 1}},
        lambda line: line | {"media": [{"kind": "image"}]},
        lambda line: line | {"sightings": line["sightings"] * 2},
        lambda line: line | {"versions": [7]},
        lambda line: line | {"sources": [{"name": "/x"}]},
        lambda line: line | {"newest": False},
    ],
)
def test_a_line_that_does_not_fit_is_refused_by_its_number_and_the_rest_is_restored(
    new_database: NewDatabase,
    four_articles: tuple[Path, Rows],
    edit: Callable[[dict[str, Any]], dict[str, Any] | str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    exported, all_rows = four_articles
    folder, database = shutil.copytree(exported, tmp_path / "out"), new_database("sqlite")
    edited(folder, edit)
    (tmp_path / "secret.txt").write_text("<!--1-->\n[t](https://e.example/secret)\n------\n\nx\n")

    done = bring_back(database, folder)

    assert done.refused >= 1
    assert f"{folder / EXPORT_LIST}: line 4: " in capsys.readouterr().out
    expected, found = all_rows["articles"], rows(database)["articles"]
    assert not found - expected
    assert (expected - found).total() <= 1
    assert findings(database) == []


def test_an_edited_or_missing_file_is_refused_and_comes_back_when_it_is_mended(
    original: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_database("sqlite")
    folder = export_to(original, tmp_path / "out")
    version, newest = next(folder.rglob("*.r1.txt")), next(folder.glob("pod/**/*.txt"))
    kept = {path: path.read_bytes() for path in (version, newest)}
    version.unlink()
    newest.write_bytes(kept[newest] + b"edited\n")

    done = bring_back(database, folder)

    assert done.refused >= 2
    assert rows(database)["articles"].total() == rows(original)["articles"].total() - 2
    for path, data in kept.items():
        path.write_bytes(data)
    assert bring_back(database, folder).refused == 0
    assert_same(rows(original), rows(database))


def test_a_link_out_of_the_folder_is_not_followed(new_database: NewDatabase, tmp_path: Path) -> None:
    original, database = new_database("sqlite"), new_database("sqlite")
    show(original, "news", rss("news", [news(1)]), NOW)
    folder = export_to(original, tmp_path / "out")
    file = next(folder.rglob("*.txt"))
    shutil.move(file, tmp_path / "outside.txt")
    file.symlink_to(tmp_path / "outside.txt")

    assert bring_back(database, folder).refused == 1
    assert rows(database)["articles"].total() == 0


def test_a_list_that_is_no_regular_file_is_refused_with_the_files_that_it_may_name(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / EXPORT_LIST)
    (tmp_path / "1.txt").write_text("<!--1-->\n[t](https://e.example/1)\n------\n\nx\n")

    done = bring_back(new_database("sqlite"), tmp_path)

    assert (done.refused, done.tally.new) == (2, 0)


def test_files_that_no_list_names_are_known_by_their_url(new_database: NewDatabase, tmp_path: Path) -> None:
    original, database = new_database("sqlite"), new_database("sqlite")
    show(original, "news", rss("news", [news(1)]), NOW)
    folder = export_to(original, tmp_path / "out")
    (folder / "mine.txt").write_text("<!--1-->\n[t](https://e.example/mine)\n------\n\nx\n")

    done = bring_back(database, folder)

    assert (done.tally.new, done.refused) == (2, 0)


def test_an_export_of_the_newest_versions_into_an_earlier_export_keeps_the_older_ones(
    original: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_database("sqlite")
    folder = export_to(original, tmp_path / "out")
    before = contents(folder)

    export(original, Selection(), FileTree(folder, Layout.TREE, 0).writer())

    assert contents(folder).keys() == before.keys()
    assert bring_back(database, folder).refused == 0
    assert_same(rows(original), rows(database))


def test_an_export_of_one_source_beside_another_keeps_both_in_the_list(
    original: Database, new_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_database("sqlite")
    for source in ("pod", "news", "mirror"):
        export(original, Selection(source), FileTree(tmp_path / "out", Layout.TREE, 0).writer(), versions=True)

    assert bring_back(database, tmp_path / "out").refused == 0
    for name in ("articles", "revisions", "sightings"):
        assert rows(database)[name] == rows(original)[name]


# --- foreign feeds ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foreign_archive(shared: Path, empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every fifth of the foreign feeds that can be read, each as a source of its own."""
    file = tmp_path_factory.mktemp("foreign") / "kzfeed.db"
    shutil.copyfile(empty_archive, file)
    total = 0
    with closing(Database(f"sqlite:///{file}")) as database:
        for number, feed in enumerate(sorted((shared / "corpus").rglob("*"))[::5]):
            if feed.suffix.lower() in (".xml", ".json", ".atom", ".rss", ".rdf") and feed.is_file():
                with suppress(DocumentError):
                    total += show(database, f"foreign-{number}", feed.read_bytes(), NOW + timedelta(minutes=number))
    assert total > 100
    return file


@pytest.fixture
def foreign(foreign_archive: Path, tmp_path: Path) -> Iterator[Database]:
    """A copy of that file, to change."""
    with closing(Database(f"sqlite:///{shutil.copy(foreign_archive, tmp_path)}")) as database:
        yield database


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_foreign_feeds_come_back_row_for_row(
    new_database: NewDatabase, engine: str, foreign: Database, tmp_path: Path
) -> None:
    before = rows(foreign)
    folder = export_to(foreign, tmp_path / "out")

    for database in (new_database(engine), foreign):
        assert bring_back(database, folder).refused == 0
        assert_same(before, rows(database))


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "form"), [("postgresql", Format.JSONL), ("sqlite", Format.ATOM)])
def test_foreign_feeds_come_back_from_one_stream(
    new_database: NewDatabase, engine: str, form: Format, foreign: Database, tmp_path: Path
) -> None:
    database, path = new_database(engine), tmp_path / f"x.{form}"

    export(foreign, Selection(), stream_writer(form, path, sys.stdout.buffer, now=NOW, versions=True), versions=True)

    assert bring_back(database, path).refused == 0
    assert_same(rows(foreign), rows(database))
    assert form != Format.ATOM or breaches(path) == []
