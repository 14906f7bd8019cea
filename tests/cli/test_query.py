"""`kzfeed query`: what people see of their own SQL, on both engines; nothing can be written, and memory is bounded."""

import csv
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.cells import cell_len

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.cli.table import chart_lines, fitted_widths
from kzfeed.store import tables
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.queries.user_query import FETCH_SIZE
from tests.cli.test_terminal import shown
from tests.fork_server import clean_environment, fork_server

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(scope="module")
def archive(shared_database: Database) -> Database:
    """Three articles of two sources; one title holds control characters, one article has no date."""
    made = [
        ("voa.example", ArchiveFile(1641922743000, "河面结冰前的最后一班渡船", "https://voa.example/1", "<p>渡船</p>")),
        ("voa.example", ArchiveFile(1641922744000, "Esc \x1b[2J and %", "https://voa.example/2", "<p>灯塔</p>")),
        ("新闻", ArchiveFile(None, "无日期", "https://xw.example/3", "<p>" + "长" * 500 + "</p>")),
    ]
    store_files(shared_database, [(name, article_of_file(file)) for name, file in made], NOW)
    return shared_database


class Query:
    """Runs `kzfeed query` on the archive."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return fork_server().run(["--database", self.url, "query", *arguments], self.folder, clean_environment())

    def refused(self, *arguments: str) -> str:
        """The one line with which the query ends, and its exit status."""
        done = self(*arguments)
        assert done.stdout == ""
        assert re.fullmatch(r"kzfeed: .+\n", done.stderr), done.stderr
        return f"{done.returncode} {done.stderr.removeprefix('kzfeed: ').strip()}"


@pytest.fixture
def query(archive: Database, tmp_path: Path) -> Query:
    return Query(archive.engine.url.render_as_string(hide_password=False), tmp_path)


# --- what is printed -------------------------------------------------------------------------------------------------


def test_csv_has_the_same_fields_on_both_engines(query: Query) -> None:
    done = query("--csv", "SELECT title, source_id AS s, published_at, first_seen_at FROM articles ORDER BY id")

    assert done.stderr == ""
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["title", "s", "published_at", "first_seen_at"],
        ["河面结冰前的最后一班渡船", "1", "2022-01-11 17:39:03.000", "2022-01-11 18:00:00.000"],
        ["Esc \x1b[2J and %", "1", "2022-01-11 17:39:04.000", "2022-01-11 18:00:00.000"],
        ["无日期", "2", "", "2022-01-11 18:00:00.000"],
    ]


def test_json_is_a_list_of_objects_in_which_no_column_hides_another(query: Query) -> None:
    done = query(
        "--json",
        "SELECT a.id, s.id, a.title, count(*) AS n, sum(a.id) AS sum FROM articles a JOIN sources s "
        "ON s.id = a.source_id WHERE a.title LIKE '%and %' GROUP BY a.id, s.id, a.title",
    )

    assert json.loads(done.stdout) == [{"id": 2, "id_2": 1, "title": "Esc \x1b[2J and %", "n": 1, "sum": 2}]
    assert "\x1b" not in done.stdout
    assert json.loads(query("--json", "SELECT id FROM articles WHERE id < 0").stdout) == []


@pytest.mark.parametrize(
    ("shared_database", "sql"),
    [("sqlite", "SELECT 9e999 AS n"), ("postgresql", "SELECT 'NaN'::numeric AS n")],
    indirect=["shared_database"],
)
def test_a_number_that_json_does_not_have_is_null(query: Query, sql: str) -> None:
    assert json.loads(query("--json", sql).stdout) == [{"n": None}]


def test_a_table_fits_a_terminal_and_nothing_in_it_controls_the_terminal(query: Query) -> None:
    sql = "SELECT id, title, published_at, text FROM articles ORDER BY id"
    lines = shown(query.folder, "--database", query.url, "query", sql).splitlines()

    assert lines[0].split() == ["id", "title", "published_at", "text"]
    assert "河面结冰" in lines[2]
    assert "Esc \\x1b[2J" in lines[3]
    assert "NULL" in lines[4]
    assert lines[4].endswith("长…")
    assert lines[5] == "(3 rows)"
    assert max(map(cell_len, lines)) <= 80
    # The third column begins in the same cell of each line.
    starts = {cell_len(re.split("2022-|NULL|published", line)[0]) for line in lines[:5] if "─" not in line}
    assert len(starts) == 1


def test_a_row_that_is_too_wide_for_a_table_is_printed_a_value_a_line(query: Query) -> None:
    lines = shown(query.folder, "--database", query.url, "query", "SELECT * FROM articles").splitlines()

    names = [column.name for column in tables.articles.c]
    assert [line.split()[0] for line in lines[: len(names)]] == names
    assert lines[-1] == "(3 rows)"
    assert max(map(cell_len, lines)) <= 80


def test_a_pipe_gets_whole_values(query: Query) -> None:
    done = query("SELECT text FROM articles WHERE published_at IS NULL")

    assert "长" * 500 in done.stdout
    assert query("SELECT id FROM articles WHERE id < 0").stdout.splitlines()[-1] == "(0 rows)"


def test_later_rows_are_not_cut_where_there_is_room(query: Query) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, i AS same FROM n"
    lines = shown(query.folder, "--database", query.url, "query", rows).splitlines()

    assert lines[-2].split() == ["1000", "1000"]
    assert lines[-1] == "(1,000 rows)"


def test_a_chart_has_a_bar_for_each_row_and_chinese_labels_are_aligned(query: Query) -> None:
    sql = (
        "SELECT s.name, count(*) AS articles FROM articles a JOIN sources s ON s.id = a.source_id GROUP BY 1 ORDER BY 2"
    )
    first, second = query("--chart", sql).stdout.splitlines()

    assert first.split() == ["新闻", "1", first.split()[2]]
    assert cell_len(first.split("1  ")[0]) == cell_len(second.split("2  ")[0])
    assert second.count("█") in (2 * first.count("█"), 2 * first.count("█") + 1)
    assert cell_len(second) == 80


def test_the_query_may_come_by_standard_input(query: Query) -> None:
    question, answer = query.folder / "question.sql", query.folder / "answer"
    question.write_text("-- 数\nSELECT count(*) AS n FROM articles;\n", encoding="utf-8")
    for arguments in ([], ["-"]):
        command = ["--database", query.url, "query", "--csv", *arguments]
        process = fork_server().start(
            command, query.folder, clean_environment(), stdin=str(question), stdout=str(answer), stderr=str(answer)
        )
        assert fork_server().wait(process) == 0
    assert answer.read_text() == "n\n3\nn\n3\n"


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM tags",
        "UPDATE articles SET title = 'x' RETURNING id",
        "INSERT INTO tags (article_id, tag) VALUES (1, 'x') RETURNING id",
        "DROP TABLE tags",
        "CREATE TABLE more (a int)",
        "CREATE TEMP TABLE more (a int)",
        "SELECT 1; DELETE FROM tags",
        "SELECT 1; COMMIT; DELETE FROM tags",
        "COMMIT",
        "",
        "-- nothing\n",
    ],
)
def test_what_is_not_one_reading_statement_is_refused_by_the_engine(query: Query, archive: Database, sql: str) -> None:
    with archive.write() as connection:
        connection.execute(sa.delete(tables.tags))
        connection.execute(sa.insert(tables.tags), [{"article_id": 1, "tag": "kept"}])

    said = query.refused("--", sql)

    assert said.startswith("2 ")
    assert "give one SELECT" in said
    with archive.read() as connection:
        assert connection.execute(sa.select(tables.tags.c.tag)).scalars().all() == ["kept"]
        assert not sa.inspect(connection).has_table("more")


@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (DELETE FROM tags RETURNING id) SELECT * FROM gone",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT nextval('tags_id_seq')",
        "SELECT id FROM tags FOR UPDATE",
        "SELECT lo_create(0)",
    ],
)
@pytest.mark.parametrize("shared_database", ["postgresql"], indirect=True)
def test_postgresql_refuses_to_write_by_a_select(query: Query, sql: str) -> None:
    assert query.refused(sql).startswith("2 ")


@pytest.mark.parametrize(
    "sql",
    ["ATTACH 'other.db' AS other", "VACUUM INTO 'copy.db'", "PRAGMA query_only = OFF", "PRAGMA journal_mode = OFF"],
)
@pytest.mark.parametrize("shared_database", ["sqlite"], indirect=True)
def test_sqlite_reaches_no_other_file_and_keeps_its_settings(query: Query, sql: str) -> None:
    assert query.refused(sql).startswith("2 ")
    assert not (query.folder / "other.db").exists()
    assert not (query.folder / "copy.db").exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM artciles", "there is no table artciles: the nearest is articles (docs/database.md has all)"),
        ("SELECT zzzzqq FROM articles", "there is no column zzzzqq: docs/database.md has all"),
        ("SELECT titel FROM articles", "there is no column titel: the nearest is title (docs/database.md has all)"),
        ("SELECT a.titel FROM articles a", "there is no column titel: the nearest is title (docs/database.md has all)"),
        ("SELECT no_such(1)", "has no function no_such: was the query written for another engine?"),
        ("SELEC 1", "cannot run the query: "),
    ],
)
def test_a_wrong_query_is_one_sentence_that_says_what_is_near(query: Query, sql: str, said: str) -> None:
    refused = query.refused(sql)

    assert said in refused
    assert refused.startswith("2 ")


def test_a_query_that_takes_too_long_is_stopped(query: Query) -> None:
    began = time.monotonic()

    said = query.refused("--timeout", "0.3", ENDLESS)

    assert said == "1 the query took longer than 0.3 s and was stopped: narrow it down, or give --timeout"
    assert time.monotonic() - began < 30


def test_a_query_may_begin_with_a_comment_and_have_a_time_with_a_unit(query: Query) -> None:
    assert query("-- SQLite\nSELECT 1 AS n", "--timeout", "5s", "--csv").stdout == "n\n1\n"
    assert query("--json", "--timeout=0.5", "--a\nSELECT 1 AS n").stdout == '[{"n": 1}]\n'
    assert "No such option: --cvs" in query("--cvs", "SELECT 1").stderr
    for wrong in ("5x", "0"):
        assert f"'{wrong}': expected seconds, such as 5 or 0.5" in query("--timeout", wrong, "SELECT 1").stderr


def test_a_long_value_in_a_pipe_is_whole_and_does_not_widen_the_other_lines(query: Query) -> None:
    lines = query("SELECT title, text, id FROM articles ORDER BY id").stdout.splitlines()

    assert [cell_len(line) < 100 for line in lines] == [True, True, True, True, False, True]
    assert "长" * 500 in lines[4]


@pytest.mark.slow
def test_ctrl_c_stops_a_query(query: Query) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    # Without an end: the rows that were asked for come, and then the engine looks for more.
    sql = f"{rows} SELECT i, '{'x' * 9000}' AS text FROM n WHERE i <= {2 * FETCH_SIZE}"
    process = subprocess.Popen(
        [sys.executable, "-m", "kzfeed", "--database", query.url, "query", "--csv", sql],
        cwd=query.folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background ignore it
    )
    assert process.stdout
    for _ in range(FETCH_SIZE):
        assert process.stdout.readline()
    process.send_signal(signal.SIGINT)

    _, said = process.communicate(timeout=180)
    assert "took longer" not in said
    assert process.returncode != 0


def test_only_one_format_can_be_chosen_and_a_chart_needs_numbers(query: Query) -> None:
    assert "choose one of" in query.refused("--csv", "--json", "SELECT 1")
    assert "a chart needs" in query.refused("--chart", "SELECT title, url FROM articles")
    assert "more than 1,000 bars" in query.refused(
        "--chart", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT i, i FROM n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("form", ["--csv", "--timeout=100"])
def test_many_rows_do_not_fill_the_memory(query: Query, form: str) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) "
    sql = f"{rows} SELECT i, '{'x' * 9000}' AS text FROM n"
    answer, log = query.folder / "answer", query.folder / "log"
    os.mkfifo(answer)  # the process waits for its reader before it does anything
    command = ["--database", query.url, "query", form, sql]
    process = fork_server().start(command, query.folder, clean_environment(), stdout=str(answer), stderr=str(log))
    # It begins with what the fork server has in memory. The rows alone are 54 MB.
    (kilobytes,) = re.findall(r"VmData:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    limit = 1024 * int(kilobytes) + 40_000_000
    resource.prlimit(process, resource.RLIMIT_DATA, (limit, limit))

    with answer.open() as lines:
        assert sum(1 for _ in lines) >= 6_001, log.read_text()
    assert fork_server().wait(process) == 0, log.read_text()


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_wide_columns_are_shrunk_first_and_times_are_kept_whole() -> None:
    assert fitted_widths([3, 23, 100, 200], 80) == [3, 23, 27, 27]
    assert fitted_widths([30, 20], None) == [30, 20]
    assert fitted_widths([23, 23, 23, 23], 80) == [20, 20, 20, 20]
    assert fitted_widths([40] * 12, 80) is None


def test_bars_are_in_proportion_and_numbers_are_written_out() -> None:
    assert list(chart_lines([("一月", 8), ("二月", 4), ("三月", 0), ("四月", -1), ("五月", None)], 22)) == [
        "一月     8  ██████████",
        "二月     4  █████",
        "三月     0",
        "四月    -1",
        "五月  NULL",
    ]
