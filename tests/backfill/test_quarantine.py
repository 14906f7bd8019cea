"""Where refused files go: the folder is made or refused in words, and what cannot be copied is said."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kzfeed.backfill.file_reader import FoundFile
from kzfeed.backfill.run import backfill, by_host, make_quarantine
from kzfeed.errors import UsageError
from kzfeed.store.engine import Database


def test_a_folder_is_made_with_all_above_it_and_may_be_there(tmp_path: Path) -> None:
    for _ in range(2):
        make_quarantine(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()


def test_what_can_be_no_folder_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    beginning = "{}: cannot make this folder for refused files: {}"

    for taken in ("file", "file/below"):
        with pytest.raises(UsageError) as caught:
            make_quarantine(tmp_path / taken)
        assert str(caught.value) == beginning.format(tmp_path / taken, "there is a file of that name")
    with pytest.raises(UsageError, match="cannot make this folder"):
        make_quarantine(tmp_path / "loop")
    with pytest.raises(UsageError, match="No such file or directory"):
        make_quarantine(Path("/proc/kzfeed"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_regular_file_is_not_copied_and_that_is_said(database: Database, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "empty.txt").write_text("")
    aside = tmp_path / "aside"
    make_quarantine(aside)

    with capture_logs() as logs:
        done = backfill(
            database,
            [FoundFile(tmp_path / name) for name in ("empty.txt", "loop.txt", "pipe.txt")],
            source_of=by_host,
            clock=lambda: datetime(2022, 1, 11, tzinfo=UTC),
            quarantine=aside,
        )

    said = [Path(each["path"]).name for each in logs if each["event"] == "file not copied to the quarantine"]
    assert (done.refused, said) == (3, ["loop.txt", "pipe.txt"])
    assert [each.name for each in aside.iterdir()] == ["empty.txt"]
