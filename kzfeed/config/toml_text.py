"""The text of a TOML file with `[[sources]]`, and edits of it that leave everything else byte for byte.

The text must be valid TOML: the caller has read it with a parser. Only the lines of a source that changes go through
tomlkit, which keeps their comments and their order.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

import tomli
import tomlkit
from tomlkit.container import Container
from tomlkit.items import Array

from kzfeed.config.toml_values import toml_item

# Strings and comments, in which brackets and line feeds mean nothing, then what does mean something.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<end>\n)",
    re.DOTALL,
)
_HEADER = re.compile(r"\s*\[")
_ENDS_BLANK = re.compile(r"(\A|\n)(?:[ \t]*\r?\n)+\Z|\A\Z")
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\r?\n)+")


@dataclass(frozen=True, slots=True)
class _Span:
    """A part of the text, of whole lines."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where the sources stand: one `[[sources]]` table each, or all in one `sources = […]`."""

    tables: tuple[_Span, ...] = ()
    inline: _Span | None = None


def source_lines(text: str) -> list[int]:
    """The line of each `[[sources]]`, counted from 1; empty where the sources are written in another way."""
    starts = [0, *(span.start for span in _sources(text).tables)]
    line = 1
    return [line := line + text.count("\n", before, start) for before, start in pairwise(starts)]


def key_line(text: str, key: Sequence[str]) -> int | None:
    """The line of a key such as `http`, `timeout`, counted from 1; None where it has no line of its own."""
    header: list[str] = []
    for span in _statements(text):
        statement = text[span.start : span.end]
        own = list(_keys(tomli.loads(statement)))
        if _HEADER.match(statement):
            header, own = own, []
        if [*header, *own][: len(key)] == list(key):
            return 1 + text.count("\n", 0, span.start)
    return None


def _keys(table: Any) -> Iterator[str]:
    """The keys of a statement, from the outermost to the innermost."""
    while isinstance(table, dict) and len(table) == 1:
        ((key, table),) = table.items()
        yield key


def with_sources(text: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """The text with these sources added at its end, or at the end of `sources = […]`."""
    inline = _sources(text).inline
    if inline:
        document, array = _inline(text, inline)
        if array:
            for table in tables:
                array.append(toml_item(table))
            return _replaced(text, inline, document.as_string())
        text = _replaced(text, inline, "")
    if text and not text.endswith("\n"):
        text += _line_end(text)
    added = "\n".join(map(_table_text, tables)).replace("\n", _line_end(text))
    return f"{text}{_line_end(text) if text.strip() else ''}{added}"


def with_changes(text: str, changes: Mapping[int, Mapping[str, Any]]) -> str:
    """The text with these settings of the sources of these numbers, counted from 0; None takes a setting away."""
    found = _sources(text)
    for number in sorted(changes, reverse=True):
        span = found.inline or _part(text, found.tables[number], changes[number])
        document = tomlkit.parse(text[span.start : span.end])
        sources: Any = document["sources"]
        _change(sources[number if found.inline else 0], changes[number])
        changed = document.as_string()
        if _line_end(text) == "\r\n":
            changed = re.sub(r"(?<!\r)\n", "\r\n", changed)
        text = _replaced(text, span, changed)
        if found.inline:
            found = _sources(text)
    return text


def _part(text: str, span: _Span, changes: Mapping[str, Any]) -> _Span:
    """The source's own lines, without those of `[sources.…]` tables in it, unless these are what changes.

    tomlkit would add a blank line before such a table.
    """
    statements = list(_statements(text[span.start : span.end]))
    own = list(takewhile(lambda each: not _is_header(text, span, each), statements[1:]))
    end = span.start + (own[-1] if own else statements[0]).end
    keys_within = tomli.loads(text[span.start : span.end])["sources"][0].keys()
    keys_of_own = tomli.loads(text[span.start : end])["sources"][0].keys()
    return span if changes.keys() & (keys_within - keys_of_own) else _Span(span.start, end)


def _is_header(text: str, span: _Span, statement: _Span) -> bool:
    return bool(_HEADER.match(text, span.start + statement.start))


def _change(table: Any, changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = toml_item(value)


def without_sources(text: str, numbers: Collection[int]) -> str:
    """The text without the sources of these numbers, counted from 0. Comments around them stay.

    Where no source is left, `sources = []` says so: a file that says nothing about sources would leave them all.
    """
    found = _sources(text)
    if found.inline:
        document, array = _inline(text, found.inline)
        for number in sorted(numbers, reverse=True):
            del array[number]
        return _replaced(text, found.inline, document.as_string())
    for number in sorted(numbers, reverse=True):
        span = found.tables[number]
        before, after = text[: span.start], text[span.end :]
        if _ENDS_BLANK.search(before):
            # One of the two blank lines goes with the source.
            after = _BLANK_LINES.sub("", after, count=1)
        text = before + after if after else _ENDS_BLANK.sub(r"\1", before)
    return text if len(numbers) < len(found.tables) else f"sources = []{_line_end(text)}{text}"


# --- inside ----------------------------------------------------------------------------------------------------------


def _sources(text: str) -> _Sources:
    tables: list[_Span] = []
    inline: _Span | None = None
    is_in_source = is_in_table = False
    for span in _statements(text):
        line = text[span.start : span.end]
        if _HEADER.match(line):
            is_in_table = True
            named = tomli.loads(line)
            is_in_source = "sources" in named
            if isinstance(named.get("sources"), list):
                tables.append(span)
        if is_in_source:
            tables[-1] = _Span(tables[-1].start, span.end)
        elif not is_in_table and re.match(r"\s*[\"']?sources\b", line):
            inline = span
    return _Sources(tuple(tables), inline)


def _statements(text: str) -> Iterator[_Span]:
    """The headers and the pairs of key and value, each with its lines, without blank lines and whole-line comments."""
    start = depth = 0
    for match in _TOKEN.finditer(text):
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth -= 1
        elif match["end"] and depth == 0:
            yield from _statement(text, start, match.end())
            start = match.end()
    yield from _statement(text, start, len(text))


def _statement(text: str, start: int, end: int) -> Iterator[_Span]:
    if not re.compile(r"\s*(?:#|$)").match(text[start:end]):
        yield _Span(start, end)


def _inline(text: str, span: _Span) -> tuple[Container, Array]:
    document = tomlkit.parse(text[span.start : span.end])
    array = document["sources"]
    assert isinstance(array, Array)  # noqa: S101 - the loader has refused everything else
    return document, array


def _replaced(text: str, span: _Span, part: str) -> str:
    return text[: span.start] + part + text[span.end :]


def _table_text(values: Mapping[str, Any]) -> str:
    lines = (f"{tomlkit.key(key).as_string()} = {toml_item(value).as_string()}\n" for key, value in values.items())
    return "".join(["[[sources]]\n", *lines])


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
