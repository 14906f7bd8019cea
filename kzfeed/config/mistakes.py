"""Mistakes in settings, in words: the place of each, the value there, what was expected, and its file and line."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from kzfeed.config import addresses, values
from kzfeed.config.files import ConfigFiles
from kzfeed.config.filters import FilterRuleSettings
from kzfeed.config.settings import HostSettings, Settings, SourceSettings
from kzfeed.source_names import is_source_name

SECTIONS: Final[dict[str, type[BaseModel]]] = {
    name: type(field.default) for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)
}
Mistake = tuple[values.Place, object, str]
"""The place of a mistake, the value there, and what was expected."""


class SourceTables:
    """The sources as tables, and where they stand: in `files`, or in a variable where that is None."""

    def __init__(self, tables: Any, files: ConfigFiles | None) -> None:
        self.tables = tables
        self._files = files if files and files.places else None
        self._lines: dict[Path, list[int]] = {}

    def holder(self, number: int) -> str:
        """A sentence that the source of this number has something already, and where it stands."""
        if self._files is None:
            return f"sources[{number + 1}] has this one"
        place, line = self._files.places[number], self._line(number)
        what = "another outline" if place.line else f"sources[{place.number + 1}]"
        return f"{what} has this one ({place.file}{f', line {line}' if line else ''})"

    def where(self, place: values.Place, main: str) -> tuple[str, int | None]:
        """The file and the line of a value."""
        number = place[1] if place[:1] == ("sources",) and len(place) > 1 else None
        if self._files is None or not isinstance(number, int):
            return main, None
        return str(self._files.places[number].file), self._line(number)

    def place_of(self, name: str, main: str) -> tuple[str, int | None]:
        """The file and the line of the source of this name."""
        return self.where(("sources", self._names.index(name)), main)

    def called(self, place: values.Place) -> str:
        """The key of this place; a source is called by its name where that is valid and unique."""
        parts = [part for part in place if part != "[key]"]  # where a table's key is itself the mistake
        if len(parts) > 1 and isinstance(number := parts[1], int):
            name = self._names[number]
            good = is_source_name(name) and self._counts[name] == 1
            own_number = self._files.places[number].number if self._files else number
            parts[:2] = [f"sources.{name}" if good else f"sources[{own_number + 1}]"]
        words = (f"[{part + 1}]" if isinstance(part, int) else f".{values.shown(part)}" for part in parts)
        return "".join(words).removeprefix(".")

    @cached_property
    def _names(self) -> list[str | None]:
        names = [source.get("name") if isinstance(source, dict) else None for source in self.tables]
        return [name if isinstance(name, str) else None for name in names]

    @cached_property
    def _counts(self) -> Counter[str | None]:
        return Counter(self._names)

    def _line(self, number: int) -> int | None:
        from kzfeed.config.toml_text import source_lines  # imported late: only mistakes need it

        assert self._files  # noqa: S101 - both callers have looked
        place = self._files.places[number]
        if place.line is not None:
            return place.line
        if place.file not in self._lines:
            self._lines[place.file] = source_lines(self._files.contents[place.file].decode("utf-8-sig"))
        lines = self._lines[place.file]
        return lines[place.number] if place.number < len(lines) else None


def contradictions(sources: object, has_it: Callable[[int], str]) -> Iterator[Mistake]:
    """Names and URLs that two sources share, and sources with two schedules: place, value, what was expected.

    `has_it` gives the sentence that the source of this number has the value already, and where that source stands.
    """
    seen: dict[tuple[str, object], int] = {}
    for number, source in enumerate(sources if isinstance(sources, list) else []):
        if not isinstance(source, dict):
            continue
        for key, identity in (("name", values.source_name), ("url", addresses.address)):
            with suppress(ValueError):
                first = seen.setdefault((key, identity(source.get(key))), number)
                if first != number:
                    expected = f"another {key}: {has_it(first)}"
                    yield ("sources", number, key), source[key], expected
        if "every" in source and "cron" in source:
            yield ("sources", number, "cron"), source["cron"], "no cron beside every: a source has one of them"


def explained(details: ErrorDetails) -> Mistake:
    """The place of a mistake, the value there, and what was expected."""
    place, value = details["loc"], details["input"]
    match details["type"]:
        case "value_error":
            return place, value, str(details["ctx"]["error"])
        case "literal_error":
            return place, value, f"one of {details['ctx']['expected']}"
        case "extra_forbidden":
            return place, values.UNSEEN, _known_key(place)
        case "missing":
            return place, values.Unquoted("nothing"), "a value: every source has a name and a url"
        case "tuple_type" if len(place) > 1:
            return place, value, 'a list of tables, such as [{ title = "^直播" }]'
        case "tuple_type":
            return place, value, 'a list of tables: [[sources]] in a file, [{"name": …}, …] in KZFEED_SOURCES'
        case "dict_type" if len(place) > 1:
            return place, value, 'a table of headers, such as { X-Archive = "kzfeed" }'
        case "dict_type":
            return place, value, 'a table of hosts: [hosts."feedx.net"] in a file, {"feedx.net": …} in KZFEED_HOSTS'
    return place, value, "a table"


def may_be_secret(place: values.Place) -> bool:
    if place[:2] == ("fleet", "token"):
        return True
    return len(place) > 2 and place[2] in ("headers", "basic_auth", "bearer") and place[-1] != "[key]"


def _known_key(place: values.Place) -> str:
    *outer, key = map(str, place)
    tables: dict[str, type[BaseModel]] = {**SECTIONS, "sources": SourceSettings, "hosts": HostSettings}
    tables |= {"include": FilterRuleSettings, "exclude": FilterRuleSettings}
    # A table within a source is named by the source's key.
    table = outer[2] if len(outer) > 2 else outer[0] if outer else None
    known = list(tables[table].model_fields if table else [*Settings.model_fields, "include"])
    near = difflib.get_close_matches(key, known, n=1)
    near += [f"{section}.{key}" for section, model in SECTIONS.items() if key in model.model_fields]
    if near:
        return f"a known key (did you mean {near[0]}?)"
    quotes = ", and quotes around the host" if outer[:1] == ["hosts"] else ""
    return f"one of the keys {', '.join(known)}{quotes}"
