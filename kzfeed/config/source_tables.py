"""Sources of the configuration as tables: how messages call their keys, and in which file and line each stands."""

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

from kzfeed.config import values
from kzfeed.config.files import ConfigFiles
from kzfeed.source_names import is_source_name


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
