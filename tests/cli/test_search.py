"""`kzfeed search` as people see it: hits on a terminal and as JSON, pages, and what it says of its index."""

import json
import re
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from kzfeed.store.engine import Database
from tests.cli.test_terminal import ANSI, STEERING, kzfeed
from tests.fork_server import READER, clean_environment, fork_server, needs_root
from tests.search.reference import Text
from tests.store.search_archive import add_articles, add_sources
from tests.terminal import at_terminal

DAY = datetime(2024, 5, 1, 12, tzinfo=UTC)
TEXTS = [
    Text(
        1,
        "哈薩克斯坦總統訪問北京",
        "开头很长。" * 40 + "他说，哈萨克斯坦与中亚五国的合作很好。" + "后面。" * 60,
        "a",
        DAY,
    ),
    Text(
        2, "Kazakhstan\x1b[2J in Central Asia", "The Kazakhs of “New York” use 5G网络。", "b", DAY + timedelta(days=1)
    ),
    Text(3, "别的事", "中亚没有日期", "c", None),
]


@pytest.fixture
def archive(sqlite_database: Database) -> Database:
    """Three articles in kzfeed.db, the database that kzfeed uses in its working directory."""
    add_sources(sqlite_database)
    add_articles(sqlite_database, TEXTS)
    return sqlite_database


def ids(done: "subprocess.CompletedProcess[str]") -> list[int]:
    return [int(hit["url"].rpartition("/")[2]) for hit in json.loads(done.stdout)]


@pytest.mark.usefixtures("archive")
def test_hits_are_printed_with_date_source_title_and_snippet(tmp_path: Path) -> None:
    done = kzfeed(tmp_path, "search", "中亚")

    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["2024-05-01 12:00  a", "哈薩克斯坦總統訪問北京"]
    assert "  …他说，哈萨克斯坦与中亚五国的合作很好。" in done.stdout
    assert "  https://e.example/1\n\n-  c\n别的事\n  中亚没有日期\n  https://e.example/3\n" in done.stdout


@pytest.mark.usefixtures("archive")
def test_at_a_terminal_hits_are_emphasised_and_lines_fit_80_columns(tmp_path: Path) -> None:
    shown = at_terminal(["search", "哈萨克"], tmp_path, clean_environment(TERM="xterm"))

    assert re.search(r"\x1b\[[0-9;]+m哈薩克\x1b\[0m", shown)
    assert re.search(r"\x1b\[[0-9;]+m哈萨克\x1b\[0m", shown)
    lines = ANSI.sub("", shown.partition("2024-05-01")[2]).splitlines()
    assert max(map(cell_len, lines)) <= 80


@pytest.mark.usefixtures("archive")
def test_nothing_that_controls_a_terminal_is_printed(tmp_path: Path) -> None:
    for arguments in (["search", "kazakhstan"], ["search", "kazakhstan", "--json"]):
        assert not STEERING.search(kzfeed(tmp_path, *arguments).stdout)


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["中亚"], [1, 3]),
        (["哈薩克 中亞"], [1]),
        (["哈薩克", "中亞"], [1]),
        (["中亚", "-哈萨克"], [3]),
        (["中亚", "-source:a"], [3]),
        (["kazakh*"], [2]),
        (["kazakh"], []),
        (['"new york"'], [2]),
        (["G網絡"], [2]),
        (["title:中亚"], []),
        (["中亚 since:2024-05-01 until:2024-05-02"], [1]),
        (["--limit", "1", "中亚"], [1]),
        (["中亚", "-n", "1"], [1]),
        (["--", "中亚", "-n"], [1, 3]),
        (["中亚", "-shanghai", "-kazakhstan"], [1, 3]),
        (["中亚", "--relevance"], [3, 1]),
    ],
)
def test_queries_find_what_they_say(tmp_path: Path, arguments: list[str], expected: list[int]) -> None:
    assert ids(kzfeed(tmp_path, "search", "--json", *arguments)) == expected


@pytest.mark.usefixtures("archive")
def test_json_is_a_list_of_objects(tmp_path: Path) -> None:
    (hit,) = json.loads(kzfeed(tmp_path, "search", "--json", "5g").stdout)

    assert list(hit) == ["url", "title", "source", "published_at", "snippet", "key"]
    assert hit["published_at"] == "2024-05-02T12:00:00.000Z"
    assert hit["snippet"] == TEXTS[1].text
    assert kzfeed(tmp_path, "search", "--json", "不存在").stdout == "[]\n"


@pytest.mark.usefixtures("archive")
def test_a_full_page_says_how_to_go_on(tmp_path: Path) -> None:
    first = kzfeed(tmp_path, "search", "中亚", "--limit", "1")
    found = re.search(r"there may be more: go on with --after (\S+)", first.stderr)
    assert found

    assert ids(kzfeed(tmp_path, "search", "中亚", "--json", "--after", found[1])) == [3]
    assert kzfeed(tmp_path, "search", "中亚", "--after", "undated:3").stderr == "no article found\n"


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to search for"),
        (["中亚", "source:d"], "no source 'd' in this database: `kzfeed sources list` shows their names"),
        (["中亚", "since:soon"], "expected a date in UTC"),
        (["中亚", "--since", "2024"], "has no option --since: write since:2024-05 in the query"),
        (["中亚", "--source=voa"], "has no option --source: write source:voa in the query"),
        (["中亚", "--undated"], "has no option --undated: write `kzfeed list --query QUERY` with it"),
        (["中亚", "--limti", "3"], "No such option: --limti (Possible options: --limit)"),
        (["--", "中亚", "--since"], "--since: a query has no options"),
        (["中亚", "--after", "x"], "'x' is not the key of an article"),
        (["中亚", "--after", "1:1", "--relevance"], "give --after or --relevance"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = kzfeed(tmp_path, "search", *arguments)

    assert done.returncode == 2
    assert said in done.stderr


def test_what_came_since_the_last_search_is_found_by_the_next_one(tmp_path: Path, archive: Database) -> None:
    assert ids(kzfeed(tmp_path, "search", "--json", "中亚")) == [1, 3]
    add_articles(archive, [Text(4, "", "中亚", published_at=DAY)])

    assert ids(kzfeed(tmp_path, "search", "--json", "中亚")) == [4, 1, 3]


def test_the_index_can_be_built_again(tmp_path: Path, archive: Database) -> None:
    kzfeed(tmp_path, "search", "中亚")

    built = kzfeed(tmp_path, "search", "--rebuild")

    assert (built.returncode, built.stdout, built.stderr) == (0, "", "the search index is built\n")
    assert ids(kzfeed(tmp_path, "search", "--json", "--rebuild", "中亚")) == [1, 3]


@needs_root
def test_a_reader_who_may_not_write_searches_and_is_told_what_the_index_lacks(empty_archive: Path) -> None:
    # Not in pytest's folder, which only root may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(f"sqlite:///{shutil.copy(empty_archive, folder)}")
        add_sources(database)
        add_articles(database, TEXTS)

        def search_as_reader(*options: str) -> "subprocess.CompletedProcess[str]":
            folder.chmod(0o755)
            for file in folder.iterdir():
                file.chmod(0o644)
            return fork_server().run(["search", "--json", "中亚", *options], folder, clean_environment(), user=READER)

        missing = search_as_reader()
        not_built = search_as_reader("--rebuild")
        kzfeed(folder, "search", "中亚")
        complete = search_as_reader()
        add_articles(database, [Text(4, "", "中亚", published_at=DAY)])
        lagging = search_as_reader()
        database.close()

    assert missing.returncode == 3
    assert "this archive has no search index yet: `kzfeed search --rebuild` builds one" in missing.stderr
    assert not_built.returncode == 3
    assert "kzfeed.search.db, the search index: run the command as a user who may write the archive" in not_built.stderr
    assert (ids(complete), complete.stderr) == ([1, 3], "")
    assert ids(lagging) == [1, 3]
    assert "the search index lags: 1 article not indexed yet, the first of them stored at" in lagging.stderr
