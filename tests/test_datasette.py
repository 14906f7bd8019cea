"""deploy/datasette.yml makes `datasette kzfeed.db` a browser of the archive, with descriptions and the cookbook."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from kzfeed.store import schema
from kzfeed.store.engine import Database
from tests.fork_server import clean_environment
from tests.test_cookbook import ANSWERS, fill, queries
from tests.test_database_page import described

METADATA = Path(__file__).parents[1] / "deploy" / "datasette.yml"


def metadata() -> dict[str, Any]:
    (database,) = yaml.safe_load(METADATA.read_text("utf-8"))["databases"].values()
    return dict(database)


def test_the_file_has_the_queries_of_the_cookbook_and_the_columns_of_the_database_page() -> None:
    written = metadata()

    columns = {name: set(table["columns"]) for name, table in written["tables"].items()}
    assert columns == {name: {row[0].strip("`") for row in rows} for name, rows in described().items()}
    assert {name: each["sql"] for name, each in written["queries"].items()} == {
        f"question_{number:02}": sql for number, sql in queries("SQLite").items()
    }


@pytest.fixture(scope="module")
def datasette(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Datasette that shows the known archive."""
    folder = tmp_path_factory.mktemp("datasette")
    database = Database(f"sqlite:///{folder}/kzfeed.db")
    schema.upgrade(database)
    fill(database)
    database.close()
    command = [sys.executable, "-W", "ignore", "-m", "datasette", "kzfeed.db", "--metadata", METADATA, "--port", "0"]
    process = subprocess.Popen(
        [*map(str, command)], cwd=folder, env=clean_environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    with process.stderr as log:
        said = next(found for line in log if (found := re.search(r"running on (http://[\d.:]+)", line)))
        yield said[1]
        process.terminate()
        log.read()
    process.wait()


def get(address: str) -> str:
    with urlopen(address, timeout=180) as response:  # noqa: S310 - on loopback
        return str(response.read().decode())


@pytest.mark.parametrize("number", ANSWERS)
def test_each_question_of_the_cookbook_can_be_asked(datasette: str, number: int) -> None:
    rows = json.loads(get(f"{datasette}/kzfeed/question_{number:02}.json?_shape=arrays"))["rows"]

    assert [tuple(row) for row in rows] == ANSWERS[number]


@pytest.mark.parametrize("name", metadata()["tables"])
def test_each_table_and_view_has_a_page_with_its_description(datasette: str, name: str) -> None:
    page = get(f"{datasette}/kzfeed/{name}")

    assert metadata()["tables"][name]["description"][:20] in page


def test_facets_count_and_sources_are_named(datasette: str) -> None:
    page = get(f"{datasette}/kzfeed/articles")

    assert "?language=zh" in page
    assert re.search(r'<a href="/kzfeed/sources/\d+">voa</a>', page)
