"""What people see at a terminal: 80 columns, nothing that controls it, sentences instead of raw errors."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from kzfeed.cli.output import report_line
from kzfeed.poll_once import PollReport
from tests.fork_server import clean_environment, fork_server
from tests.terminal import at_terminal

pytestmark = pytest.mark.usefixtures("sqlite_database")

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
HOSTILE = "\x1b[2J\x9b31m\u202eevil\u2066\u200f"
RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>{title}</title><link>https://e.example/</link><description/>
<item><title>{title}</title><link>https://e.example/1</link><author>{title}</author><category>{title}</category>
<description><![CDATA[<p>{title}</p>]]></description></item></channel></rss>"""


def kzfeed(folder: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return fork_server().run(arguments, folder, clean_environment())


def shown(folder: Path, *arguments: str) -> str:
    """What a terminal of 80 columns without colours gets from a command."""
    return at_terminal(arguments, folder, clean_environment(TERM="xterm", NO_COLOR="1"))


def configure(folder: Path, *sources: tuple[str, str]) -> None:
    tables = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\n' for name, url in sources)
    (folder / "kzfeed.toml").write_text(f'[http]\nhost_gap = "0s"\nmin_interval = "0s"\n{tables}')


# --- nothing that controls the terminal ------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_command_prints_what_controls_a_terminal(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder, address = served
    hostile = HOSTILE.replace("\x1b", "")  # XML has no ESC
    configure(tmp_path, ("feed", f"{address}/feed.xml"), ("gone", f"{address}/{'%1b'}"))
    (folder / "feed.xml").write_text(RSS.format(title=hostile), "utf-8")
    kzfeed(tmp_path, "poll")
    (folder / "feed.xml").write_text(RSS.format(title=hostile + "2"), "utf-8")
    os.utime(folder / "feed.xml", times=(60, 60))
    (tmp_path / "hostile.txt").write_text(f"<!--NaN-->\n[{HOSTILE}](https://f.example/1)\n------\n\n<p>{HOSTILE}</p>\n")
    (tmp_path / f"refused{HOSTILE}.txt").write_text(HOSTILE)

    for arguments in (
        ["poll"],
        ["poll", "--json"],
        ["backfill", "hostile.txt", f"refused{HOSTILE}.txt"],
        ["list"],
        ["list", "--json"],
        ["show", "1", "--format", "text"],
        ["show", "1", "--format", "json"],
        ["show", "2", "--format", "text"],
        ["show", "2", "--format", "json"],
        ["diff", "1"],
        ["list", "--tag", HOSTILE],
        ["stats"],
        ["stats", "--json"],
        ["status"],
        ["status", "--json"],
        ["sources", "list"],
        ["sources", "list", "--json"],
        ["sources", "check", f"{address}/feed.xml"],
        ["sources", "check", f"{address}/feed.xml", "--json"],
        ["explain", "feed"],
        ["explain", "feed", "--json"],
        ["verify"],
        ["verify", "--json"],
        ["show", HOSTILE],
        ["list", "--source", HOSTILE],
        ["explain", HOSTILE],
        ["poll", HOSTILE],
        ["export", f"hostile.txt/{HOSTILE}"],
        ["list", "--config", HOSTILE],
        ["list", "--database", f"sqlite:///{HOSTILE}"],
        ["db", "backup", f"{HOSTILE}/x"],
    ):
        done = kzfeed(tmp_path, *arguments)
        assert not STEERING.search(done.stdout), (arguments, done.stdout)
        assert not STEERING.search(done.stderr), (arguments, done.stderr)
        assert "Traceback" not in done.stderr

    assert "evil" in kzfeed(tmp_path, "list").stdout


def test_json_holds_the_title_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"<!--NaN-->\n[{HOSTILE}](https://f.example/1)\n------\n\nx\n")
    kzfeed(tmp_path, "backfill", "a.txt")

    assert json.loads(kzfeed(tmp_path, "show", "1", "--format", "json").stdout)["title"] == HOSTILE


def test_an_archive_file_is_shown_harmless_at_a_terminal_and_byte_for_byte_elsewhere(tmp_path: Path) -> None:
    data = f"<!--NaN-->\n[t](https://f.example/1)\n------\n\n<p>{HOSTILE}</p>\n"
    (tmp_path / "a.txt").write_text(data)
    kzfeed(tmp_path, "backfill", "a.txt")

    assert kzfeed(tmp_path, "show", "1").stdout == data
    displayed = shown(tmp_path, "show", "1")
    assert not STEERING.search(displayed.replace("\r\n", "\n"))
    assert r"<p>\x1b[2J\x9b31m\u202eevil" in displayed


# --- 80 columns ------------------------------------------------------------------------------------------------------


def test_a_poll_at_a_terminal_is_one_line_for_each_source_and_a_summary(
    tmp_path: Path, served: tuple[Path, str]
) -> None:
    folder, address = served
    (folder / "feed.xml").write_text(RSS.format(title="t"), "utf-8")
    configure(tmp_path, ("good", f"{address}/feed.xml"), ("missing", f"{address}/{'x' * 100}"))

    seen = [ANSI.sub("", line).strip() for line in shown(tmp_path, "poll").splitlines()]
    lines = [line for line in seen if line and not line.startswith("poll ")]

    assert len(lines) == 3, lines
    assert lines[-1] == "2 sources: 1 new, 1 failed; 1 article new, 0 revised" or lines[-1] == (
        "2 sources: 1 failed, 1 new; 1 article new, 0 revised"
    )
    assert {line.partition(":")[0] for line in lines[:2]} == {"good", "missing"}
    assert all(cell_len(line) <= 80 for line in lines)


def test_a_304_is_told_without_numbers_of_entries() -> None:
    assert report_line(PollReport("voa", "not-modified", 304, duration_ms=4)) == "voa: not-modified 304 (4 ms)"


def test_lists_fit_80_columns(tmp_path: Path) -> None:
    for number in range(3):
        text = f"<!--{number}-->\n[{'很长的标题' * 20}](https://e.example/{number})\n------\n\nx\n"
        (tmp_path / f"{number}.txt").write_text(text)
    kzfeed(tmp_path, "backfill", tmp_path)

    for arguments in (["list"], ["sources", "list"], ["stats"], ["verify"]):
        for line in shown(tmp_path, *arguments).splitlines():
            assert cell_len(ANSI.sub("", line)) <= 80, line


@pytest.mark.slow
def test_sentences_are_wrapped_and_keep_addresses_whole(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder, address = served
    (folder / "feed.xml").write_text(RSS.format(title="很长的标题" * 30), "utf-8")
    long = f"{address}/{'x' * 100}"
    name = "好的中文名称来源" * 3
    configure(tmp_path, (name, f"{address}/feed.xml"), ("missing", long))
    polled = ANSI.sub("", shown(tmp_path, "poll"))
    assert re.search(r"revised \(\d+ ms\)", polled), polled

    for arguments in (
        ["poll"],
        ["sources", "list"],
        ["sources", "check", f"{address}/feed.xml"],
        ["sources", "check", long],
        ["explain", name],
        ["explain", "missing"],
        ["explain", "a name that no source has " * 5],
    ):
        lines = shown(tmp_path, *arguments).splitlines()
        for line in (ANSI.sub("", line) for line in lines):
            has_long_address = any("://" in word and cell_len(word) > 80 for word in line.split())
            assert cell_len(line) <= 80 or has_long_address, line
    assert long in shown(tmp_path, "explain", "missing")
    assert long in shown(tmp_path, "sources", "check", long)


def test_log_lines_are_wrapped_to_80_columns(tmp_path: Path) -> None:
    (tmp_path / ("很长的文件名" * 12 + ".txt")).write_text("no archive file")
    (tmp_path / ("long name " * 20 + ".txt")).write_text("no archive file")

    seen = ANSI.sub("\n", shown(tmp_path, "backfill", "."))

    assert "file refused" in seen
    assert all(cell_len(line) <= 80 for line in seen.splitlines())


def test_progress_bars_leave_one_line_of_result(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("<!--NaN-->\n[t](https://f.example/1)\n------\n\nx\n")

    results = {
        "1 file: 1 new, 0 revised, 0 unchanged, 0 refused": ["backfill", "a.txt"],
        "out: 1 file written, 0 unchanged": ["export", "out"],
        "1 article and 0 older versions checked: no damage, no notes": ["verify"],
        " bytes": ["db", "backup", "copy.db"],
    }
    for result, arguments in results.items():
        assert shown(tmp_path, *arguments).splitlines()[-1].endswith(result)


# --- sentences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["export", "file/below"], 1, "file/below: Not a directory"),
        (["export", ""], 2, "an empty path: give the name of a file or folder"),
        (["backfill", ""], 2, "an empty path: give the name of a file or folder"),
        (["list", "--source", "f.exampel"], 2, "no source 'f.exampel' in this database: the nearest is f.example"),
        (["export", "out", "--source", "f.exampel"], 2, "the nearest is f.example"),
        (["stats", "--database", "sqlite:///file.txt"], 3, "file.txt: file is not a database"),
        (["stats", "--database", "sqlite:///kzfeed.db?mode=ro"], 2, "without parameters such as ?mode=ro"),
        (["stats", "--database", "sqlite://"], 2, "a database in memory would be lost"),
        (["stats", "--database", "postgresql://u:p@ss@h/x"], 2, 'a password in which "@" is written as %40'),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file.txt").write_text("no database" * 1000)
    (tmp_path / "a.txt").write_text("<!--NaN-->\n[t](https://f.example/1)\n------\n\nx\n")
    kzfeed(tmp_path, "backfill", "a.txt")

    done = kzfeed(tmp_path, *arguments)

    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Errno" not in done.stderr
    assert "ss@" not in done.stderr


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number}.txt").write_text(
            f"<!--{number}-->\n[{number}](https://e.example/{number})\n------\n\nx\n"
        )
    kzfeed(tmp_path, "backfill", tmp_path)

    for limit in ("1", "400"):
        command = [sys.executable, "-m", "kzfeed", "list", "-n", limit]
        with subprocess.Popen(
            command, cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait() == 0


def test_any_number_of_articles_may_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("<!--NaN-->\n[t](https://f.example/1)\n------\n\nx\n")
    kzfeed(tmp_path, "backfill", "a.txt")

    assert kzfeed(tmp_path, "list", "-n", "99999999999999999999").stdout.count("\n") == 2


def test_an_empty_archive_has_no_dates(tmp_path: Path) -> None:
    kzfeed(tmp_path, "db", "upgrade")

    assert re.search(r"^archive +0 articles, 0 older versions$", kzfeed(tmp_path, "stats").stdout, re.MULTILINE)


@pytest.mark.slow
def test_sources_show_their_addresses_and_which_are_not_polled(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder, address = served
    (folder / "feed.xml").write_text(RSS.format(title="t"), "utf-8")
    (tmp_path / "a.txt").write_text("<!--NaN-->\n[t](https://f.example/1)\n------\n\nx\n")
    configure(tmp_path, ("kept", f"{address}/feed.xml"), ("left", f"{address}/feed.xml?2"))
    kzfeed(tmp_path, "backfill", "a.txt")
    kzfeed(tmp_path, "poll")
    configure(tmp_path, ("kept", f"{address}/feed.xml"))
    kzfeed(tmp_path, "poll")

    lines = kzfeed(tmp_path, "sources", "list").stdout.splitlines()
    rows = {row["name"]: row for row in json.loads(kzfeed(tmp_path, "sources", "list", "--json").stdout)}

    assert lines[0] == "f.example  backfilled  1 article, not polled"
    assert rows["f.example"]["status"] == "backfilled"
    assert lines[2] == f"  {address}/feed.xml"
    assert re.fullmatch(r"  last success: \d{4}-\d\d-\d\d \d\d:\d\d, next poll: \d{4}-\d\d-\d\d \d\d:\d\d", lines[3])
    assert rows["kept"]["next_poll_at"]
    assert rows["f.example"]["next_poll_at"] is None
    assert rows["kept"]["url"] == f"{address}/feed.xml"
    assert kzfeed(tmp_path, "explain", "kept").stdout.startswith(f"kept: {address}/feed.xml\n")
    backfilled = kzfeed(tmp_path, "explain", "f.example")
    assert (backfilled.returncode, backfilled.stderr) == (
        2,
        "kzfeed: the source 'f.example' is not polled: its articles were backfilled\n",
    )


def test_show_as_json_holds_everything_of_an_article(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder, address = served
    body = RSS.format(title="t").replace("<p>t</p>", '<p>t</p><img src="https://e.example/i.png">')
    (folder / "feed.xml").write_text(body, "utf-8")
    configure(tmp_path, ("s", f"{address}/feed.xml"))
    kzfeed(tmp_path, "poll")

    article = json.loads(kzfeed(tmp_path, "show", "https://e.example/1", "--format", "json").stdout)

    assert article["tags"] == ["t"]
    assert [(media["kind"], media["url"]) for media in article["media"]] == [("image", "https://e.example/i.png")]
    assert [sighting["source"] for sighting in article["sightings"]] == ["s"]
    assert [version["revision"] for version in article["versions"]] == [1]
