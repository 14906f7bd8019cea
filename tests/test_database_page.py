"""docs/database.md describes the schema: every table, column and view of it, and nothing else."""

import re
from pathlib import Path

import sqlalchemy as sa

from kzfeed.store.engine import Database

PAGE = Path(__file__).parents[1] / "docs" / "database.md"


def described() -> dict[str, list[list[str]]]:
    """The rows of the table under each heading that is the name of a table or view, each as its cells."""
    parts = re.split(r"^### (\w+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    return {
        name: [[cell.strip() for cell in row.split(" | ")] for row in re.findall(r"^\| (`.+) \|$", text, re.MULTILINE)]
        for name, text in sections.items()
    }


def test_the_page_has_every_table_column_and_view_and_no_other(database: Database) -> None:
    with database.read() as connection:
        inspector = sa.inspect(connection)
        names = {*inspector.get_table_names(), *inspector.get_view_names()} - {"polls_default"}  # a partition
        schema = {name: {column["name"] for column in inspector.get_columns(name)} for name in names}

    page = {name: {row[0].strip("`") for row in rows} for name, rows in described().items()}

    assert page == schema


def test_every_column_has_a_meaning_a_unit_and_an_example() -> None:
    for name, rows in described().items():
        for row in rows:
            assert len(row) == 4, (name, row)
            assert all(row), (name, row)
            assert row[3].startswith("`"), (name, row)
