"""Changes of the configuration's files, as the daemon sees them."""

import os
from pathlib import Path

import pytest

from kzfeed.config.files import Location
from kzfeed.config.watch import ConfigWatch

EMPTY = "sources = []\n"


@pytest.fixture
def main(tmp_path: Path) -> Path:
    file = tmp_path / "kzfeed.toml"
    file.write_text(f'include = ["lists/*.toml"]\n{EMPTY}')
    (tmp_path / "lists").mkdir()
    return file


def put(path: Path, text: str) -> None:
    """Write the file, at a time of its own."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def sees_a_change(watch: ConfigWatch) -> bool:
    """Whether the watch tells of a change, and of none after the files were read again."""
    told = (watch.has_changed(), watch.has_changed())
    watch.note_reading()
    assert not watch.has_changed()
    return told == (False, True)


def test_every_change_of_a_file_is_seen(main: Path) -> None:
    other, included = main.with_name("other.toml"), main.parent / "lists" / "a.toml"
    watch = ConfigWatch(Location((main, other)))
    assert not sees_a_change(watch)

    put(included, EMPTY)
    assert sees_a_change(watch)
    put(included, EMPTY + "# more")
    assert sees_a_change(watch)
    included.unlink()
    assert sees_a_change(watch)
    main.unlink()
    assert sees_a_change(watch)
    put(other, EMPTY)
    assert sees_a_change(watch)
    put(main, EMPTY)
    assert sees_a_change(watch)


def test_a_file_that_is_being_written_is_left_alone_until_it_stays_the_same(main: Path) -> None:
    watch = ConfigWatch(Location((main,)))
    told = []
    for number in range(3):
        put(main, EMPTY + "#" * number)
        told.append(watch.has_changed())

    assert (told, watch.has_changed()) == ([False, False, False], True)


def test_included_files_are_watched_while_the_file_that_names_them_is_wrong(main: Path) -> None:
    included = main.parent / "lists" / "a.toml"
    watch = ConfigWatch(Location((main,)))
    put(main, "include = [")
    watch.note_reading()
    put(included, EMPTY)

    assert sees_a_change(watch)


def test_new_includes_are_watched_although_the_new_configuration_was_refused(main: Path, tmp_path: Path) -> None:
    watch = ConfigWatch(Location((main,)))
    put(main, 'include = ["new.toml"]')
    watch.note_reading()
    put(tmp_path / "new.toml", EMPTY)

    assert sees_a_change(watch)
