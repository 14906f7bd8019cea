"""JSON Lines: they hold all that the database holds, and come back exactly."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import zstandard

from kzfeed.store import tables
from tests.export.archives import Archive, only_on_sqlite
from tests.export.conftest import NewArchive
from tests.export.test_restore import assert_same

pytestmark = pytest.mark.slow_on_postgresql


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("filled", "other", "name"),
    [("sqlite", "postgresql", "x.jsonl"), ("postgresql", "sqlite", "below/X.JSONL.zst")],
    indirect=["filled"],
)
def test_json_lines_come_back_row_for_row_on_both_engines(
    archive: Archive, new_archive: NewArchive, other: str, name: str
) -> None:
    before = archive.rows()

    done = archive.export(name, "--versions")

    assert done.stdout == f"{name}: {before['articles'].total()} articles written\n"
    for target in (archive, new_archive(other)):
        for _ in range(2):
            done = target.kzfeed("backfill", name)
            assert (done.returncode, done.stderr) == (0, "")
            assert_same(before, target.rows())
        assert target.kzfeed("verify").returncode == 0
    assert min(before[name].total() for name in ("revisions", "gaps", "media", "tags", "sightings", "withdrawals")) > 0


def test_a_line_holds_every_column_of_its_article(archive: Archive) -> None:
    archive.export("x.jsonl", "--versions")

    found = lines(archive.folder / "x.jsonl")

    columns = {column.name for column in tables.articles.c} | {"source", "tags", "media", "sightings"}
    assert [columns - line.keys() for line in found] == [set()] * len(found)
    with archive.database.read() as connection:
        query = sa.select(tables.articles.c.id, tables.articles.c.title, tables.articles.c.text)
        assert {tuple(row) for row in connection.execute(query)} == {
            (line["id"], line["title"], line["text"]) for line in found
        }
    revised = next(line for line in found if line["revision"] == 3)
    assert [version["revision"] for version in revised["versions"]] == [1, 2]
    assert "改了一次" in revised["versions"][1]["content"]
    assert revised["published_at"].endswith("Z")


@only_on_sqlite
def test_lines_may_be_chosen_and_come_in_any_order(archive: Archive, new_archive: NewArchive) -> None:
    archive.export("x.jsonl", "--versions")
    target, path = new_archive("sqlite"), archive.folder / "x.jsonl"
    shuffled = path.read_bytes().splitlines(keepends=True)
    random.Random(5).shuffle(shuffled)
    path.write_bytes(b"".join(shuffled))

    assert target.kzfeed("backfill", "x.jsonl").returncode == 0
    assert_same(archive.rows(), target.rows())


def test_articles_are_chosen_by_source_and_time(archive: Archive) -> None:
    archive.export("pod.jsonl", "--source", "pod")
    archive.export("late.jsonl", "--since", "2022-01-11T02:00:00", "--until", "2022-01-11T05:00:00")

    assert {line["source"] for line in lines(archive.folder / "pod.jsonl")} == {"pod"}
    late = [line["published_at"] for line in lines(archive.folder / "late.jsonl")]
    assert late == sorted(late)
    assert "2022-01-11T02" <= late[0] <= late[-1] < "2022-01-11T05"


@only_on_sqlite
def test_standard_output_has_the_articles_and_nothing_else(archive: Archive) -> None:
    done = archive.export("-", "--format", "jsonl")

    assert len(done.stdout.splitlines()) == archive.rows()["articles"].total()
    assert done.stderr == f"{archive.rows()['articles'].total()} articles written\n"


@only_on_sqlite
def test_a_line_that_does_not_fit_is_refused_by_its_number(archive: Archive, new_archive: NewArchive) -> None:
    archive.export("x.jsonl")
    path = archive.folder / "x.jsonl"
    broken = {
        b"{not json": "expected JSON: Expecting property name enclosed in double quotes at column 2",
        b'{"url_hash": 7}': "expected text",
        b"\xff": "expected UTF-8",
    }
    first, _, _, _, *others = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, *broken, *others]))
    target = new_archive("sqlite")

    done = target.kzfeed("backfill", "x.jsonl")

    assert done.returncode == 1
    for number, reason in enumerate(broken.values(), 2):
        (said,) = [line for line in done.stderr.splitlines() if f"x.jsonl: line {number}: " in line]
        assert reason in said
    count = len(others) + 1
    assert done.stdout == f"{count + 3} articles: {count} new, 0 revised, 0 unchanged, 3 refused\n"


MISFITS: list[tuple[str, object]] = [
    ("title", None),
    ("content", 7),
    ("title", "\ud800"),
    ("content", "a\x00"),
    ("versions", [{"revision": 1}]),
    ("sources", [{"name": "../x"}]),
    ("fingerprint", "x"),
]


@only_on_sqlite
def test_a_value_that_does_not_fit_is_refused(archive: Archive, new_archive: NewArchive) -> None:
    archive.export("x.jsonl", "--versions")
    path = archive.folder / "x.jsonl"
    found = lines(path)
    for line, (key, value) in zip(found, MISFITS, strict=False):
        line[key] = value
    path.write_text("".join(json.dumps(each) + "\n" for each in found), "utf-8")
    target = new_archive("sqlite")

    done = target.kzfeed("backfill", "x.jsonl")

    for number in range(1, len(MISFITS) + 1):
        assert f"x.jsonl: line {number}: " in done.stderr
    assert target.rows()["articles"].total() == len(found) - len(MISFITS)
    assert target.kzfeed("verify").returncode == 0


@only_on_sqlite
def test_a_text_that_a_stranger_wrote_into_a_line_is_derived_again(archive: Archive, new_archive: NewArchive) -> None:
    archive.export("x.jsonl", "--versions")
    path = archive.folder / "x.jsonl"
    path.write_text("".join(json.dumps(each | {"text": "false"}) + "\n" for each in lines(path)), "utf-8")
    target = new_archive("sqlite")

    assert target.kzfeed("backfill", "x.jsonl").returncode == 0
    assert_same(archive.rows(), target.rows())


@only_on_sqlite
def test_compressed_bytes_that_are_cut_off_are_refused_and_the_rest_is_stored(
    archive: Archive, new_archive: NewArchive
) -> None:
    archive.export("x.jsonl")
    whole = (archive.folder / "x.jsonl").read_bytes()
    first = zstandard.compress(b"".join(whole.splitlines(keepends=True)[:5]))
    (archive.folder / "cut.jsonl.zst").write_bytes(first + zstandard.compress(whole)[:-20])
    (archive.folder / "not.jsonl.zst").write_bytes(whole)
    target = new_archive("sqlite")

    cut = target.kzfeed("backfill", "cut.jsonl.zst")
    other = target.kzfeed("backfill", "not.jsonl.zst")

    assert (cut.returncode, other.returncode) == (1, 1)
    assert "cut.jsonl.zst: line" in cut.stderr
    assert "the file is cut off" in cut.stderr
    assert target.rows()["articles"].total() >= 5
    assert "the file is not what .zst says" in other.stderr
