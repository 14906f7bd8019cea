"""Edits of kzfeed.toml: what changes, and that nothing else does."""

import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from kzfeed.config import edit as editing
from kzfeed.config import toml_text
from kzfeed.config.edit import Contents
from kzfeed.config.files import ConfigFiles, location
from kzfeed.config.load import load
from kzfeed.config.settings import Settings
from kzfeed.config.source_lists import ListedSource
from kzfeed.errors import ConfigError, UsageError
from tests.fork_server import needs_root

FILE = """\
# The feeds of our archive.
include = ["sources.d/*.toml", "feeds.opml"]

[log] # quiet
level = "error"

# From the mirror.
[[sources]] # first
name = "voa" # its name
url = "https://voa.example/" # its address
tags = [ # folders
  "News",
] # the end

# A comment of its own.

[[ "sources" ]]
name = 'bbc'
title = \"\"\"
[[sources]]
name = "not a source" \"\"\"
url = 'https://bbc.example/'

# The rest.
[http]
contact = "a@b.example"
"""
NEW = ListedSource(1, "https://new.example/", 'A "new" 源', ("News/Asia",), settings={"enabled": False})
NEW_TEXT = """
[[sources]]
name = "a-new-源"
url = "https://new.example/"
title = "A \\"new\\" 源"
tags = ["News/Asia"]
enabled = false
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "sources.d").mkdir()
    (tmp_path / "sources.d" / "a.toml").write_text('[[sources]]\nname = "a"\nurl = "https://a.example/"\n')
    (tmp_path / "feeds.opml").write_text('<opml><body>\n<outline text="o" xmlUrl="https://o.example/"/></body></opml>')
    file = tmp_path / "kzfeed.toml"
    file.write_text(FILE, "utf-8")
    return file


def edit(file: Path, change: Callable[[ConfigFiles], tuple[Contents, Any]]) -> Any:
    def read(contents: Contents) -> Settings:
        return load(file, environ={}, edited=contents)

    return editing.edit(location(file, {}, file.parent), lambda files, _: change(files), read)


def add(file: Path, *listed: ListedSource) -> editing.Added:
    added: editing.Added = edit(file, lambda files: editing.with_added(files, listed, file))
    return added


def change(file: Path, name: str, **settings: object) -> None:
    edit(file, lambda files: editing.with_changes(files, {name: settings}))


def remove(file: Path, *names: str) -> None:
    edit(file, lambda files: editing.without(files, names))


# --- what changes ----------------------------------------------------------------------------------------------------


def test_a_source_is_added_at_the_end_and_nothing_else_changes(file: Path) -> None:
    assert list(add(file, NEW).added) == ["a-new-源"]
    assert file.read_text("utf-8") == FILE + NEW_TEXT


def test_an_address_that_is_there_already_is_not_added_again(file: Path) -> None:
    added = add(file, ListedSource(1, "https://O.example:443/#top"), NEW, NEW)

    assert ([name for name, _ in added.present], list(added.added)) == (["o", "a-new-源"], ["a-new-源"])
    assert add(file, NEW).added == {}


def test_a_setting_changes_in_its_line_and_a_new_one_comes_at_the_end_of_the_source(file: Path) -> None:
    change(file, "voa", url="https://other.example/", every="30m", tags=None)
    expected = FILE.replace("https://voa.example/", "https://other.example/")
    expected = expected.replace('tags = [ # folders\n  "News",\n] # the end\n', 'every = "30m"\n')

    assert file.read_text("utf-8") == expected


def test_a_setting_that_is_set_and_taken_away_again_leaves_no_trace(file: Path) -> None:
    change(file, "bbc", enabled=False)
    assert "enabled = false\n\n# The rest." in file.read_text("utf-8")
    change(file, "bbc", enabled=None)

    assert file.read_text("utf-8") == FILE


def test_a_removed_source_takes_its_lines_with_it_and_leaves_the_comments_around_it(file: Path) -> None:
    remove(file, "bbc")
    assert file.read_text("utf-8") == re.sub(r'\[\[ "sources.*bbc.example/\'\n\n', "", FILE, flags=re.DOTALL)
    file.write_text(FILE, "utf-8")
    remove(file, "voa")
    assert file.read_text("utf-8") == re.sub(r"\[\[sources\]\] # first.*the end\n", "", FILE, count=1, flags=re.DOTALL)


def test_a_source_of_an_included_file_changes_there(file: Path) -> None:
    included = file.parent / "sources.d" / "a.toml"
    change(file, "a", enabled=False)
    assert included.read_text() == '[[sources]]\nname = "a"\nurl = "https://a.example/"\nenabled = false\n'
    remove(file, "a", "voa")

    assert included.read_text() == "sources = []\n"
    assert "voa" not in file.read_text("utf-8")


def test_when_the_last_source_goes_the_file_says_that_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "kzfeed.toml"
    file.write_text('# feeds\n[[sources]]\nname = "a"\nurl = "https://a.example/"\n')
    remove(file, "a")
    assert file.read_text() == "sources = []\n# feeds\n"

    add(file, NEW)
    assert file.read_text() == "# feeds\n" + NEW_TEXT


@pytest.mark.parametrize(
    ("change_it", "expected"),
    [
        (
            lambda file: add(file, ListedSource(1, "https://n.example/", tags=("t",))),
            '{ name = "a", url = "https://a.example/" }, # first\n'
            '  { name = "b", url = "https://b.example/" },\n'
            '  {name = "n.example", url = "https://n.example/", tags = ["t"]},\n',
        ),
        (
            lambda file: change(file, "b", enabled=False),
            '{ name = "a", url = "https://a.example/" }, # first\n'
            '  { name = "b", url = "https://b.example/", enabled = false},\n',
        ),
        (lambda file: remove(file, "b"), '{ name = "a", url = "https://a.example/" }, # first\n'),
    ],
    ids=["add", "set", "remove"],
)
def test_sources_that_are_one_list_are_edited_too(
    tmp_path: Path, change_it: Callable[[Path], object], expected: str
) -> None:
    file = tmp_path / "kzfeed.toml"
    lines = '{ name = "a", url = "https://a.example/" }, # first\n  { name = "b", url = "https://b.example/" },\n'
    file.write_text(f"sources = [\n  {lines}]\n[log]\n")
    change_it(file)

    assert file.read_text() == f"sources = [\n  {expected}]\n[log]\n"


def test_a_byte_order_mark_and_the_ends_of_lines_stay(file: Path) -> None:
    file.write_bytes(("\ufeff" + FILE).replace("\n", "\r\n").encode())
    change(file, "bbc", every="30m")
    add(file, NEW)
    content = file.read_bytes()

    assert content.startswith(b"\xef\xbb\xbf# The feeds")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert b'every = "30m"\r\n\r\n# The rest' in content
    assert content.endswith(NEW_TEXT.replace("\n", "\r\n").encode())


def test_the_first_source_makes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "kzfeed.toml"
    where = location(None, {}, tmp_path)

    def read(contents: Contents) -> Settings:
        return load(environ={}, cwd=tmp_path, edited=contents)

    editing.edit(where, lambda files, _: editing.with_added(files, [NEW], where.paths[0]), read)
    assert file.read_text("utf-8") == NEW_TEXT.lstrip()


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"every": "3x"}, "sources.voa.every = '3x': expected \"auto\" or a duration"),
        ({"evry": "3m"}, "sources.voa.evry = …: expected a known key (did you mean every?)"),
        ({"url": None}, "sources.voa.url = nothing: expected a value"),
        ({"url": "https://o.example"}, "expected another url: sources[1] has this one"),
    ],
)
def test_a_change_that_would_be_wrong_is_refused_and_nothing_is_written(
    file: Path, settings: dict[str, Any], said: str
) -> None:
    before = file.stat()
    with pytest.raises(UsageError) as caught:
        change(file, "voa", **settings)

    assert str(caught.value).startswith("nothing is changed, the configuration would be wrong:\n")
    assert said in str(caught.value)
    assert (file.read_text("utf-8"), file.stat().st_ino) == (FILE, before.st_ino)


def test_a_name_that_nobody_has_is_refused_with_the_nearest_one(file: Path) -> None:
    with pytest.raises(UsageError, match=r"no source 'voe' is configured in .*kzfeed.toml: the nearest is voa"):
        remove(file, "voa", "voe")
    assert file.read_text("utf-8") == FILE


def test_a_source_of_an_opml_file_is_refused_with_the_place_to_edit(file: Path) -> None:
    with pytest.raises(UsageError, match=r"the source 'o' is in line 2 of .*feeds.opml: kzfeed reads OPML files"):
        change(file, "o", enabled=False)


def test_a_configuration_that_is_wrong_already_is_not_edited(file: Path) -> None:
    file.write_text("parse.timeout = 5\n" + FILE, "utf-8")
    with pytest.raises(ConfigError, match=r"parse\.timeout = 5"):
        change(file, "voa", enabled=False)


# --- the file --------------------------------------------------------------------------------------------------------


def test_mode_and_symbolic_links_stay(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / "linked" / "kzfeed.toml"
    link.parent.mkdir()
    real = file.rename(tmp_path / "real.toml")
    (tmp_path / "linked" / "feeds.opml").write_text("<opml/>")
    (tmp_path / "linked" / "sources.d").mkdir()
    link.symlink_to(real)
    change(link, "voa", enabled=False)

    assert link.is_symlink()
    assert "enabled = false" in real.read_text("utf-8")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_change_that_changes_nothing_writes_nothing(file: Path) -> None:
    before = file.stat()
    change(file, "voa", enabled=None)

    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@needs_root
def test_the_owner_stays(file: Path) -> None:
    os.chown(file, 54_321, 54_322)
    change(file, "voa", enabled=False)

    assert (file.stat().st_uid, file.stat().st_gid) == (54_321, 54_322)


def test_edits_at_the_same_time_lose_nothing(file: Path) -> None:
    urls = [f"https://n{number}.example/" for number in range(8)]
    threads = [threading.Thread(target=add, args=(file, ListedSource(1, url, "same title"))) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {source["url"] for source in tomli.loads(file.read_text("utf-8"))["sources"]} >= {*urls}


def test_a_change_by_an_editor_meanwhile_is_not_overwritten(file: Path) -> None:
    def edit_meanwhile(files: ConfigFiles) -> tuple[Contents, Any]:
        file.write_text(FILE + "# mine\n", "utf-8")
        return editing.with_changes(files, {"voa": {"enabled": False}})

    with pytest.raises(UsageError, match="was changed by another program at the same time"):
        edit(file, edit_meanwhile)
    assert file.read_text("utf-8") == FILE + "# mine\n"


# --- any file --------------------------------------------------------------------------------------------------------

_VALUES = st.one_of(
    st.sampled_from(['"a # b"', "'[[sources]]'", '"""x\n[[sources]]\n"""', "'''\n[a]\n''''", '"\\"]"', "[1, [2]] # c"]),
    st.sampled_from(["{ a = [1], b = '}' }", "[\n  'x', # ]\n  \"y\"\n]", "1979-05-27", "true", '"""\\"""]"""']),
)
_KEYS = st.sampled_from(["alpha", "'be.ta'", '"[[gamma]]"', "delta.d", "'新'"])
_TRIVIA = st.sampled_from(["", "\n", "# comment [[sources]]\n", "   \n", "  # x = [\n"])


@st.composite
def _body(draw: st.DrawFn) -> str:
    keys = draw(st.lists(_KEYS, unique=True, max_size=3))
    return "".join(draw(_TRIVIA) + f"{key} = {draw(_VALUES)}{draw(st.sampled_from(['', ' # y']))}\n" for key in keys)


@st.composite
def _files(draw: st.DrawFn) -> str:
    parts = [draw(_body())]
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["source", "table", "list"]), max_size=5))):
        if kind == "source":
            header = draw(st.sampled_from(["[[sources]]", '[["sources"]] # s', "  [[ 'sources' ]]"]))
            parts.append(f"{draw(_TRIVIA)}{header}\nname = 's{number}'\n{draw(_body())}")
            if draw(st.booleans()):
                parts.append(f"[sources.headers] # h\n{draw(_body())}")
        else:
            header = f"[t{number}.'x']" if kind == "table" else "[[others]]"
            parts.append(f"{draw(_TRIVIA)}{header}\n{draw(_body())}")
    return "".join(parts) + draw(_TRIVIA).rstrip("\n")


@given(_files(), st.data())
def test_comments_order_and_all_other_lines_stay_whatever_the_file(text: str, data: st.DataObject) -> None:
    before = tomli.loads(text)
    sources = before.get("sources", [])
    added = toml_text.with_sources(text, [{"name": "n", "tags": ["新"]}])
    assert added.startswith(text)
    assert tomli.loads(added) == before | {"sources": [*sources, {"name": "n", "tags": ["新"]}]}
    if not sources:
        return
    number = data.draw(st.integers(0, len(sources) - 1))

    changed = toml_text.with_changes(text, {number: {"enabled": False}})
    expected = [{**each, "enabled": False} if index == number else each for index, each in enumerate(sources)]
    assert tomli.loads(changed) == before | {"sources": expected}
    assert sorted(map(str.strip, changed.splitlines())) == sorted(
        map(str.strip, [*text.splitlines(), "enabled = false"])
    )
    assert toml_text.with_changes(changed, {number: {"enabled": None}}) in (text, text + "\n")

    left = toml_text.without_sources(text, {number})
    rest = [each for index, each in enumerate(sources) if index != number]
    assert tomli.loads(left) == before | {"sources": rest}
    kept = iter(text.splitlines())
    assert all(line in kept for line in left.splitlines() if line != "sources = []")
    lines = text.splitlines()
    assert [lines[line] for line in toml_text.source_lines(text)] == [f"name = '{each['name']}'" for each in sources]
