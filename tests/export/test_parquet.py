"""Parquet: it opens in DuckDB and pandas with the right types."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pyarrow import parquet

from kzfeed.export import parquet as parquet_writer
from tests.export.archives import Archive
from tests.fork_server import clean_environment


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


def test_pandas_reads_instants_with_their_zone_and_lists(archive: Archive) -> None:
    archive.export("x.parquet")

    frame = pd.read_parquet(archive.folder / "x.parquet")

    assert len(frame) == archive.rows()["articles"].total()
    assert str(frame["published_at"].dtype) == "datetime64[ms, UTC]"
    assert "versions" not in frame
    assert ["中国", "a, b"] in [list(tags) for tags in frame["tags"]]
    assert any(media[0]["url"] == "https://pod.example/1.mp3" for media in frame["media"] if len(media))


def test_groups_of_rows_are_bounded(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from kzfeed.export.formats import Format
    from kzfeed.export.run import export
    from kzfeed.export.streams import stream_writer
    from kzfeed.store.queries import Selection

    monkeypatch.setattr(parquet_writer, "GROUP_ROWS", 4)
    monkeypatch.setattr(parquet_writer, "_PART_ROWS", 2)
    path = archive.folder / "x.parquet"

    writer = stream_writer(Format.PARQUET, path, sys.stdout.buffer, now=datetime.now(UTC), versions=False)
    export(archive.database, Selection(), writer)

    metadata = parquet.ParquetFile(path).metadata
    assert metadata.num_rows == archive.rows()["articles"].total()
    assert max(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)) == 4


def test_an_archive_without_articles_is_a_table_without_rows(archive: Archive) -> None:
    archive.export("x.parquet", "--since", "2999-01-01")

    assert len(pd.read_parquet(archive.folder / "x.parquet")) == 0


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
