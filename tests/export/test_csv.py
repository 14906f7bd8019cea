"""CSV: RFC 4180, and no surprise in pandas."""

import csv
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.export.archives import Archive, archive_on, only_on_sqlite

pytestmark = pytest.mark.slow_on_postgresql

AWKWARD = [
    "=1+1",
    '"quoted", and; more',
    "two\nlines\r\nand a\rreturn",
    "NA",
    "中亚 🎉",
    " spaces ",
    "\t@tab",
    "\ufeffBOM",
]


def titles(database: Database) -> list[str]:
    with database.read() as connection:
        query = sa.select(tables.articles.c.title).order_by(tables.articles.c.id)
        return list(connection.execute(query).scalars())


@pytest.fixture
def awkward(original: Database, tmp_path: Path) -> Archive:
    """A rich archive with texts that need quotes, or that programs take for something else."""
    with original.write() as connection:
        for article_id, title in enumerate(AWKWARD, start=1):
            query = sa.update(tables.articles).where(tables.articles.c.id == article_id)
            connection.execute(query.values(title=title, content=title, text=title))
    return archive_on(original, tmp_path)


def test_every_value_comes_back_through_pandas(awkward: Archive) -> None:
    import pandas as pd

    awkward.export("x.csv")

    frame = pd.read_csv(awkward.folder / "x.csv", parse_dates=["published_at"], keep_default_na=False)

    by_id = frame.sort_values("id")
    assert list(by_id["title"]) == list(titles(awkward.database))
    assert list(by_id["content"][: len(AWKWARD)]) == AWKWARD
    assert set(frame.columns) == {column.name for column in tables.articles.c} | {
        *("source", "revision_source", "tags", "media"),
    }
    assert "中国; a, b" in set(frame["tags"])
    assert frame["media"].str.contains("https://pod.example/1.mp3").any()


def test_instants_have_a_zone_in_pandas(archive: Archive) -> None:
    import pandas as pd

    archive.export("x.csv.zst")

    frame = pd.read_csv(archive.folder / "x.csv.zst", parse_dates=["published_at", "first_seen_at"])

    assert isinstance(frame["first_seen_at"].dtype, pd.DatetimeTZDtype)
    assert int(frame["published_at"].isna().sum()) > 0


def test_the_file_is_rfc_4180(awkward: Archive) -> None:
    awkward.export("x.csv")

    written = (awkward.folder / "x.csv").read_bytes()

    text = written.decode("utf-8")
    rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    assert text.endswith("\r\n")
    assert {len(row) for row in rows} == {len(rows[0])}
    assert text.startswith("id,url_hash,url,title,")


@only_on_sqlite
def test_a_row_has_no_room_for_versions(archive: Archive) -> None:
    done = archive.kzfeed("export", "x.csv", "--versions")

    assert done.returncode == 2
    assert "a row of CSV has room for one version" in done.stderr


@pytest.mark.parametrize(("filled", "form"), [("sqlite", "csv"), ("postgresql", "jsonl")], indirect=["filled"])
def test_two_exports_of_one_database_are_identical(archive: Archive, form: str) -> None:
    archive.export(f"a.{form}")
    archive.export(f"b.{form}")

    assert (archive.folder / f"a.{form}").read_bytes() == (archive.folder / f"b.{form}").read_bytes()
