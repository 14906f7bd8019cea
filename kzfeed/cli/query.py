"""Command `query`: SQL of the user's own, which can only read."""

import contextlib
import csv
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from kzfeed.cli.options import AsJson, words_last
from kzfeed.cli.table import print_chart, print_table, value_text
from kzfeed.errors import UsageError
from kzfeed.text import json_line, printable


class QueryCommand(TyperCommand):
    """The command `query`, in which a query may begin with a comment: `-- SQLite`, and a line break or space in it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments."""
        return super().parse_args(ctx, words_last(self, args, _is_option))


def _is_option(argument: str) -> bool:
    name = argument.partition("=")[0]
    return argument.startswith("-") and argument != "-" and not any(map(str.isspace, name))


def seconds(text: str) -> float:
    """The seconds that an option names: `5`, `0.5`, or a length of time as in kzfeed.toml, `5m`."""
    from kzfeed.config.values import duration

    length = text
    try:
        with contextlib.suppress(ValueError):
            length = f"{round(float(text) * 1000)}ms"
        return duration(length).total_seconds()
    except (ValueError, OverflowError):
        expected = "expected seconds, such as 5 or 0.5, or a length of time, such as 5m"
        raise typer.BadParameter(f"{text!r}: {expected}") from None


def query(
    ctx: typer.Context,
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT. Without it, or as -, it is read from standard input.")
    ] = "-",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a line of names (RFC 4180, UTF-8).")] = False,
    as_json: AsJson = False,
    as_chart: Annotated[
        bool, typer.Option("--chart", help="Print bars: the first column is the label, the last number is the length.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(parser=seconds, metavar="SECONDS", help="The most time that the database may take."),
    ] = 30.0,
) -> None:
    """Ask the database in SQL, and print a table.

    Nothing can be changed: the database itself refuses it. docs/database.md describes the tables, docs/cookbook.md has
    queries to begin with.

    Example: kzfeed query "select source, count(*) from article_list group by 1"
    """
    from kzfeed.store.queries.user_query import run_query

    if as_csv + as_json + as_chart > 1:
        raise UsageError("choose one of --csv, --json and --chart")
    text = _standard_input() if sql == "-" else sql
    with (
        ctx.obj.database(migrate=False) as database,
        run_query(database, text, timedelta(seconds=timeout)) as result,
    ):
        write = print_csv if as_csv else print_json_rows if as_json else print_chart if as_chart else print_table
        write(result.columns, result.rows)


def _standard_input() -> str:
    if sys.stdin.isatty():
        print("type a query, and end it by Ctrl-D:", file=sys.stderr)
    return sys.stdin.buffer.read().decode("utf-8-sig", "replace")


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print the rows as CSV; NULL is an empty field."""
    # A file gets every value as it is, a terminal nothing that controls it.
    text_of = (lambda value: printable(value_text(value))) if sys.stdout.isatty() else value_text
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else text_of(value) for value in row] for row in rows)


def print_json_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print the rows as a list of objects, each on a line.

    The second `id` of a row is named `id_2`. JSON has no infinite number: it is null.
    """
    names: list[str] = []
    for number, name in enumerate(columns):
        earlier = columns[:number].count(name)
        names.append(f"{name}_{earlier + 1}" if earlier else name)
    before = "["
    for row in rows:
        values = (None if _is_no_json_number(value) else value for value in row)
        print(before + json_line(dict(zip(names, values, strict=True)), default=_json_value), end="")
        before = ",\n "
    print("[]" if before == "[" else "]")


def _is_no_json_number(value: object) -> bool:
    return isinstance(value, float | Decimal) and not math.isfinite(value)


def _json_value(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value_text(value)
