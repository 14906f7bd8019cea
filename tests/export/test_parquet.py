"""Parquet: it opens in DuckDB and pandas with the right types."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import duckdb
import pytest
from pyarrow import parquet

from kzfeed.export.parquet import GROUP_ROWS, writer
from kzfeed.export.run import Write, export
from kzfeed.model.articles import StoredArticle
from kzfeed.store.queries.article_queries import Selection
from kzfeed.store.transfer.records import ArticleRecord, SourceRecord
from tests.export.archives import Archive, only_on_sqlite
from tests.fork_server import clean_environment

pytestmark = pytest.mark.slow_on_postgresql


def test_duckdb_reads_every_column_with_its_type(archive: Archive) -> None:
    archive.export("x.parquet", "--versions")

    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        session.execute(f"CREATE VIEW x AS SELECT * FROM '{archive.folder}/x.parquet'")
        types = {row[0]: row[1] for row in session.execute("DESCRIBE x").fetchall()}
        per_source = session.execute("SELECT source, count(*) FROM x GROUP BY source").fetchall()
        hours = session.execute("SELECT DISTINCT hour(published_at) FROM x WHERE 'a, b' IN tags").fetchall()
        sounds = session.execute("SELECT unnest(media).mime_type FROM x WHERE source = 'pod'").fetchall()
        versions = session.execute("SELECT sum(len(versions)) FROM x").fetchone()

    assert {types[name] for name in ("published_at", "first_seen_at", "last_seen_at")} == {"TIMESTAMP WITH TIME ZONE"}
    assert (types["tags"], types["id"], types["revision"]) == ("VARCHAR[]", "BIGINT", "INTEGER")
    assert types["media"].endswith("[]")
    assert "size_bytes BIGINT" in types["media"].replace('"', "")
    assert "from_at TIMESTAMP WITH TIME ZONE" in types["withdrawals"].replace('"', "")
    assert dict(per_source)["pod"] == 9
    assert len(hours) > 3
    assert {row[0] for row in sounds} == {"audio/mpeg"}
    assert versions == (archive.rows()["revisions"].total(),)


@pytest.mark.slow
@only_on_sqlite
def test_pandas_reads_instants_with_their_zone_and_lists(archive: Archive) -> None:
    import pandas as pd

    archive.export("x.parquet")

    frame = pd.read_parquet(archive.folder / "x.parquet")

    assert len(frame) == archive.rows()["articles"].total()
    assert str(frame["published_at"].dtype) == "datetime64[ms, UTC]"
    assert "versions" not in frame
    assert ["中国", "a, b"] in [list(tags) for tags in frame["tags"]]
    assert any(media[0]["url"] == "https://pod.example/1.mp3" for media in frame["media"] if len(media))


@pytest.mark.slow
@only_on_sqlite
@pytest.mark.parametrize(("times", "letters", "rows"), [(1_000, 0, GROUP_ROWS), (5, 2**20, 40)])
def test_groups_of_rows_are_bounded_by_number_and_by_size(
    archive: Archive, times: int, letters: int, rows: int
) -> None:
    """Each article is written `times` times, with a text that is longer by so many letters."""

    @contextmanager
    def longer(stream: BinaryIO) -> Iterator[Write]:
        with writer(stream, versions=False) as write:

            def write_often(article: StoredArticle, record: ArticleRecord, sources: list[SourceRecord]) -> None:
                for _ in range(times):
                    write(replace(article, text=article.text + "x" * letters), record, sources)

            yield write_often

    with (archive.folder / "x.parquet").open("wb") as stream:
        export(archive.database, Selection(), longer(stream))

    metadata = parquet.ParquetFile(archive.folder / "x.parquet").metadata
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert sum(groups) == metadata.num_rows == times * archive.rows()["articles"].total()
    assert len(groups) > 2
    assert max(groups) <= rows


@pytest.mark.slow
@only_on_sqlite
def test_an_archive_without_articles_is_a_table_without_rows(archive: Archive) -> None:
    import pandas as pd

    archive.export("x.parquet", "--since", "2999-01-01")

    assert len(pd.read_parquet(archive.folder / "x.parquet")) == 0


@pytest.mark.slow
@only_on_sqlite
def test_without_pyarrow_a_sentence_says_what_to_install(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "pyarrow.py").write_text("raise ImportError('no pyarrow here')\n")
    environment = clean_environment(**archive.environment) | {"PYTHONPATH": str(tmp_path / "hidden")}

    done = subprocess.run(
        [sys.executable, "-m", "kzfeed", "export", "x.parquet"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "install kzfeed[parquet]" in done.stderr
    assert not (tmp_path / "x.parquet").exists()
