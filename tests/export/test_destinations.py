"""Where an export goes: names that ask for formats, standard output, devices, and which articles it holds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.export.archives import Archive, only_on_sqlite
from tests.terminal import at_terminal


@only_on_sqlite
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-"], "standard output is one stream: give --format"),
        (["-", "--format", "files"], "standard output is one stream: archive files need a folder"),
        (["-", "--format", "parquet"], "so name a file"),
        (["x.parquet.zst"], "x.parquet.zst: Parquet is compressed inside: leave .zst out"),
        (["x.json"], "x.json: no format has this ending"),
        (["x.pdf"], "x.pdf: no format has this ending"),
        (["x.HTML"], "x.HTML: no format has this ending"),
        (["x.md"], "x.md: no format has this ending"),
        (["x.zst"], "x.zst: no format has this ending"),
        (["x.jsonl.gz"], "x.jsonl.gz: no format has this ending"),
        (["x.jsonl", "--layout", "flat"], "--layout is for archive files, not for jsonl"),
        ([".", "--format", "csv"], ". is a folder: csv needs the name of a file"),
        (["/dev/null"], "/dev/null is not a folder: archive files need one"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(archive: Archive, arguments: list[str], sentence: str) -> None:
    done = archive.kzfeed("export", *arguments)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert not list(archive.folder.glob("x*"))


@only_on_sqlite
def test_the_format_may_be_another_than_the_names(archive: Archive) -> None:
    archive.export("x.dat", "--format", "jsonl")

    assert json.loads((archive.folder / "x.dat").read_bytes().splitlines()[0])["url_hash"]


@only_on_sqlite
def test_a_full_disk_is_named_by_the_file_and_leaves_nothing(archive: Archive) -> None:
    (archive.folder / "x.csv").symlink_to("/dev/full")
    before = sorted(archive.folder.iterdir())

    done = archive.kzfeed("export", "x.csv")

    assert done.returncode == 1
    assert "x.csv: No space left on device" in done.stderr
    assert sorted(archive.folder.iterdir()) == before


@only_on_sqlite
def test_a_folder_that_may_not_be_written_names_the_file(archive: Archive) -> None:
    (archive.folder / "plain").write_text("")

    done = archive.kzfeed("export", "plain/x.jsonl")

    assert done.returncode == 1
    assert "plain" in done.stderr


@pytest.mark.slow
@only_on_sqlite
def test_a_reader_that_has_read_enough_is_no_failure(archive: Archive) -> None:
    program = str(Path(sys.executable).with_name("kzfeed"))
    command = f"'{program}' export - --format jsonl; echo $? > status"

    first = subprocess.run(
        ["sh", "-c", f"({command}) | head -c 100"],
        cwd=archive.folder,
        env=dict(archive.environment),
        capture_output=True,
        check=False,
    )

    assert len(first.stdout) == 100
    assert (archive.folder / "status").read_text() == "0\n"
    assert b"Broken pipe" not in first.stderr


@only_on_sqlite
def test_at_a_terminal_a_bar_shows_progress_and_no_text_controls_it(archive: Archive) -> None:
    environment = {**archive.environment, "TERM": "xterm", "NO_COLOR": "1"}

    to_file = at_terminal(["export", "x.jsonl"], archive.folder, environment)
    to_terminal = at_terminal(["export", "-", "--format", "jsonl", "--source", "pod"], archive.folder, environment)
    refused = at_terminal(["export", "-", "--format", "csv"], archive.folder, environment)

    assert "export" in to_file
    assert to_file.rstrip().endswith(f"x.jsonl: {archive.rows()['articles'].total()} articles written")
    assert [json.loads(line)["source"] for line in to_terminal.splitlines()[:-1]] == ["pod"] * 9
    assert "standard output is a terminal" in refused


@pytest.mark.slow
def test_a_query_chooses_what_a_search_finds(archive: Archive) -> None:
    archive.export("all.jsonl")
    archive.export("some.jsonl", "--query", "灯塔 -title:第3集")
    archive.export("one.jsonl", "--query", "正文", "--source", "news", "--since", "2022-01-11T03:00")

    def lines(name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (archive.folder / name).read_bytes().splitlines()]

    every = [line["id"] for line in lines("all.jsonl")]
    found = [line["id"] for line in lines("some.jsonl")]
    assert len(found) == 8
    assert sorted(found, key=every.index) == found
    assert {line["source"] for line in lines("one.jsonl")} == {"news"}
    assert all(str(line["published_at"]) >= "2022-01-11T03" for line in lines("one.jsonl"))
    other = archive.kzfeed("export", "none.jsonl", "--query", "灯塔 source:pod", "--source", "news")
    assert "no article has both the source news and one of source:pod" in other.stderr


def test_a_reversed_period_is_refused_and_the_earlier_file_stays(archive: Archive) -> None:
    kept = archive.folder / "kept.jsonl"
    kept.write_text("earlier")

    for more in ([], ["--query", "正文"]):
        done = archive.kzfeed("export", "kept.jsonl", "--since", "2024-07", "--until", "2024-05", *more)

        assert (done.returncode, kept.read_text()) == (2, "earlier")
        assert "no time is since 2024-07-01 and before 2024-05-01" in done.stderr
