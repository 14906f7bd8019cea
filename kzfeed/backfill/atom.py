"""Reader of the Atom feeds that an export wrote. Each entry becomes the same line as in JSON Lines.

Other feeds are refused, because they are sources to be polled.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

from kzfeed.backfill.export_list import ListLine

NAMESPACE = "urn:kzfeed:export"
ELEMENT = "article"
"""The element of this namespace that holds, as JSON, what Atom has no element for."""
MAX_ENTRY_CHARACTERS = 256 * 2**20

XML_FORBIDS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""The characters that XML 1.0 cannot hold. A text with one of them is in the JSON too."""

_ATOM = "http://www.w3.org/2005/Atom"
_ENTRY = f"{_ATOM} entry"
_FIELDS = {f"{_ATOM} title": "title", f"{_ATOM} content": "content", f"{NAMESPACE} {ELEMENT}": ELEMENT}
_READ_BYTES = 1 << 16


def read_entries(file: BinaryIO) -> Iterator[ListLine]:
    """The entries of a feed, one at a time in memory; their numbers are the lines of the file on which they begin.

    If the file is not XML, the last one is a refusal that says so. Raises OSError.
    """
    entries = _Entries()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, _: entries.start(name, parser.CurrentLineNumber)
    parser.EndElementHandler = entries.end
    parser.CharacterDataHandler = entries.text
    try:
        while True:
            data = file.read(_READ_BYTES)
            parser.Parse(data, not data)
            yield from entries.take()
            if not data:
                return
    except (expat.ExpatError, ValueError) as error:
        yield from entries.take()
        yield ListLine(parser.CurrentLineNumber, {}, f"expected an Atom feed: {error}")


class _Entries:
    """Handlers of expat's events, which gather the fields of entries."""

    def __init__(self) -> None:
        self._done: list[ListLine] = []
        self._depth = 0
        self._line = 0
        self._field: str | None = None
        self._fields: dict[str, list[str]] | None = None
        self._size = 0

    def take(self) -> list[ListLine]:
        """The entries that have ended since the last call."""
        done, self._done = self._done, []
        return done

    def start(self, name: str, line: int) -> None:
        self._depth += 1
        if self._depth == 1 and name != f"{_ATOM} feed":
            raise ValueError(f"the document is a {name.rpartition(' ')[2][:40]!r}")
        if self._depth == 2 and name == _ENTRY:
            self._fields, self._line, self._size = {}, line, 0
        elif self._depth == 3 and self._fields is not None and name in _FIELDS:
            self._field = _FIELDS[name]
            self._fields[self._field] = []

    def text(self, text: str) -> None:
        if self._fields is None or self._field is None or self._depth != 3:
            return
        self._size += len(text)
        if self._size > MAX_ENTRY_CHARACTERS:
            raise ValueError(f"an entry is longer than {MAX_ENTRY_CHARACTERS} characters")
        self._fields[self._field].append(text)

    def end(self, _name: str) -> None:
        if self._depth == 3:
            self._field = None
        elif self._depth == 2 and self._fields is not None:
            self._done.append(_line(self._line, {name: "".join(parts) for name, parts in self._fields.items()}))
            self._fields = None
        self._depth -= 1


def _line(number: int, fields: dict[str, str]) -> ListLine:
    written = fields.pop(ELEMENT, None)
    if written is None:
        return ListLine(number, {}, "not an entry of an export: kzfeed polls other feeds as sources")
    try:
        given: Any = json.loads(written)
    except (ValueError, RecursionError) as error:
        return ListLine(number, {}, f"expected JSON in {ELEMENT}: {error or 'nested too deep'}")
    if not isinstance(given, dict):
        return ListLine(number, {}, f"expected a JSON object in {ELEMENT}")
    return ListLine(number, {**fields, **given})
