"""`kzfeed sources import` and `kzfeed sources export`: lists of other feed readers, in and out."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli

from tests.fork_server import clean_environment, fork_server

OPML = Path(__file__).parents[1] / "data" / "opml"
Sources = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Runs `kzfeed sources` in the test's folder."""
    return lambda *arguments: fork_server().run(["sources", *map(str, arguments)], tmp_path, clean_environment())


def tables(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomli.loads((folder / "kzfeed.toml").read_text("utf-8"))["sources"]
    return found


def test_the_list_of_another_reader_is_added_with_titles_folders_and_addresses(
    sources: Sources, tmp_path: Path
) -> None:
    done = sources("import", OPML / "feedly.opml")

    assert (done.returncode, done.stdout) == (0, "2 sources added, 0 there already, 0 left out\n"), done.stderr
    beidi = {"name": "北堤日报", "url": "https://beidi.example.org/feed.xml", "title": "北堤日报"}
    ostwind = {"name": "ostwind", "url": "http://ostwind.example.de/atom", "title": "Ostwind", "tags": ["Daily"]}
    assert tables(tmp_path) == [{**beidi, "tags": ["Asia", "Daily"]}, ostwind]


def test_a_second_import_adds_what_is_new(sources: Sources, tmp_path: Path) -> None:
    sources("import", OPML / "feedly.opml")
    done = sources("import", "--json", OPML / "inoreader.opml")

    assert json.loads(done.stdout) == {"added": ["tide-tables"], "present": ["ostwind"], "left_out": []}
    assert len(tables(tmp_path)) == 3


def test_what_cannot_be_imported_is_named_with_its_line(sources: Sources, tmp_path: Path) -> None:
    done = sources("import", OPML / "urls")

    assert (done.returncode, done.stdout) == (1, "3 sources added, 0 there already, 4 left out\n")
    said = "line 8: left out: exec:~/bin/make-feed: the output of a program"
    assert done.stderr.splitlines()[2] == f"{OPML}/urls: {said}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>", "line 1: not OPML: its outermost element is <html>"),
        (b'<opml>\n<outline text="a" xmlUrl="https://a/?a&b"/></opml>', "line 2: not well-formed XML: "),
        (b"\xff\x00\xfe", "neither OPML nor a list of URLs in UTF-8"),
    ],
)
def test_a_file_that_is_no_list_is_refused(sources: Sources, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "list").write_bytes(content)
    done = sources("import", "list")

    assert done.returncode == 2
    assert f"list: {said}" in done.stderr
    assert not (tmp_path / "kzfeed.toml").exists()


def test_a_missing_file_is_told(sources: Sources) -> None:
    done = sources("import", "none.opml")

    assert (done.returncode, done.stderr) == (2, "kzfeed: none.opml: No such file or directory\n")


def test_an_export_comes_back_as_it_was(sources: Sources, tmp_path: Path) -> None:
    sources("import", OPML / "freshrss.opml")
    sources("set", "ostwind", "every=30m", "timezone=Europe/Berlin", "enabled=false", "url=https://me:pass@x.example/")
    before = tables(tmp_path)
    done = sources("export", "--opml", "out.opml")

    assert (done.returncode, done.stdout) == (0, "3 sources written to out.opml\n"), done.stderr
    exported = (tmp_path / "out.opml").read_text("utf-8")
    assert sources("export").stdout == sources("export", "--opml").stdout == exported
    assert "pass" not in exported
    (tmp_path / "kzfeed.toml").unlink()
    assert sources("import", "out.opml").returncode == 0
    without_password = [{**table, "url": str(table["url"]).replace("me:pass@", "")} for table in before]
    assert sorted(tables(tmp_path), key=str) == sorted(without_password, key=str)


def test_an_export_in_json_is_what_the_variable_of_sources_takes(sources: Sources, tmp_path: Path) -> None:
    sources("import", OPML / "miniflux.opml")
    exported = sources("export", "--json").stdout
    (tmp_path / "other").mkdir()
    environment = clean_environment(KZFEED_SOURCES=exported)
    listed = fork_server().run(["sources", "export", "--json"], tmp_path / "other", environment).stdout

    assert json.loads(listed) == json.loads(exported) == tables(tmp_path)


def test_included_lists_are_exported_too(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "kzfeed.toml").write_text(f'include = ["{OPML}/netnewswire.opml"]\n')

    assert [row["name"] for row in json.loads(sources("export", "--json").stdout)] == ["ostwind", "北堤日报"]
