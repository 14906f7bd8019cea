"""Archive file format (docs/archive-format.md): parser and renderer.

They promise `render(parse(data)) == data` for every file in strict form. `warnings` says what was read leniently;
anything that is not an archive file raises ArchiveFileError with the line.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from kzfeed.errors import ArchiveFileError
from kzfeed.feed.decode import decode_undeclared_east_asian

# Python reads no integers beyond 4,300 digits.
STAMP = r"<!--(NaN|0|-?[1-9][0-9]{0,3999})-->"
"""The first line of an archive file."""

_STRICT_START = re.compile(STAMP + r"\n\[")
_STRICT_END = re.compile(r"\)\n------\n\n")
_LENIENT_START = re.compile(r"\s*" + STAMP + r"[ \t]*\n\s*\[")
_LENIENT_END = re.compile(r"\)[ \t]*\n(?:[ \t]*\n)*[ \t]*------[ \t]*(?:\n[ \t]*(?:\n|\Z)|\n|\Z)")
LINK_START = re.compile(r"\]\((?=[A-Za-z][A-Za-z0-9+.-]*:)")
"""The address begins after the last of these."""
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(.*?)^---[ \t]*\n", re.DOTALL | re.MULTILINE)
_FRONT_MATTER_KEY = re.compile(r"(author|tags|categories):[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One archive file. `stamp` is in milliseconds since 1970-01-01T00:00Z, None for `NaN`.

    `front_matter` (the block with its lines of hyphens, as it came), `author`, `tags` and `warnings` come from lenient
    reading; the strict form has no place for them.
    """

    stamp: int | None
    title: str
    url: str
    body: str
    front_matter: str | None = None
    author: str | None = None
    tags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def render(file: ArchiveFile) -> bytes:
    """The file in strict form, which has no front matter."""
    stamp = "NaN" if file.stamp is None else file.stamp
    return f"<!--{stamp}-->\n[{file.title}]({file.url})\n------\n\n{file.body}\n".encode()


def render_with(front_matter: str, file: ArchiveFile) -> bytes:
    """The file with a block of front matter before the strict form."""
    return front_matter.encode() + render(file)


def parse(data: bytes, path: Path | str = "archive file") -> ArchiveFile:
    """Read an archive file, in strict form or leniently; `path` is only named in errors.

    Raises ArchiveFileError with the line and what was expected there.
    """
    text, warnings = _decode(data, path)
    strict = _split(text, _STRICT_START, _STRICT_END)
    if strict and strict.body.endswith("\n") and not warnings:
        return replace(strict, body=strict.body[:-1])
    return _parse_leniently(text, warnings, path)


def _split(text: str, start: re.Pattern[str], end: re.Pattern[str], at: int = 0) -> ArchiveFile | None:
    """The parts of the file whose header begins at `at`; the body still has the LF that ends the file."""
    opening = start.match(text, at)
    closing = end.search(text, opening.end()) if opening else None
    if not opening or not closing:
        return None
    header = text[opening.end() : closing.start()]
    # Nothing is escaped: a title may hold "](" too, so the last one that a URL scheme follows ends it.
    links = list(LINK_START.finditer(header))
    if not links:
        return None
    return ArchiveFile(
        stamp=None if opening[1] == "NaN" else int(opening[1]),
        title=header[: links[-1].start()],
        url=header[links[-1].end() :],
        body=text[closing.end() :],
    )


def _parse_leniently(text: str, warnings: list[str], path: Path | str) -> ArchiveFile:
    if text.startswith("\ufeff"):
        text = text[1:]
        warnings.append("a byte order mark")
    header_zone = text[: text.find("------\r\n") + 8]
    if "\r\n" in header_zone:
        text = text.replace("\r\n", "\n")
        warnings.append("CRLF line ends")

    front_matter = _FRONT_MATTER.match(text)
    at = front_matter.end() if front_matter else 0
    if front_matter:
        warnings.append("Jekyll front matter")

    found = _split(text, _STRICT_START, _STRICT_END, at)
    if not found:
        found = _split(text, _LENIENT_START, _LENIENT_END, at)
        if not found:
            raise _refusal(text, at, path)
        warnings.append("blank lines or spaces around the header")
    if found.body.endswith("\n"):
        found = replace(found, body=found.body[:-1])
    else:
        warnings.append("no line end at the end of the file")

    author, tags = _metadata(front_matter[1]) if front_matter else (None, ())
    block = front_matter[0] if front_matter else None
    return replace(found, front_matter=block, author=author, tags=tags, warnings=tuple(warnings))


def _decode(data: bytes, path: Path | str) -> tuple[str, list[str]]:
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as not_utf8:
        line = data.count(b"\n", 0, not_utf8.start) + 1
        found = data[not_utf8.start : not_utf8.start + 8].hex(" ")
        expected = "text in UTF-8, GB18030, Big5 or Shift_JIS"
        refusal = ArchiveFileError(path, line=line, expected=expected, found=f"bytes {found}")
        # GB18030 takes almost any bytes, so a damaged UTF-8 file would be read as other Chinese text.
        guess = data.decode("utf-8", "replace")
        if sum(character > "\x7f" for character in guess) > 2 * guess.count("\ufffd"):
            raise refusal from not_utf8
        decoded = decode_undeclared_east_asian(data)
        if decoded is None:
            raise refusal from not_utf8
        text, encoding = decoded
        return text, [f"{encoding} instead of UTF-8"]


def _metadata(front_matter: str) -> tuple[str | None, tuple[str, ...]]:
    """Author and tags, read line by line: real titles there hold unescaped quotes, which a YAML parser refuses."""
    author: str | None = None
    tags: dict[str, None] = {}
    key = ""
    for line in front_matter.split("\n"):
        if keyed := _FRONT_MATTER_KEY.match(line):
            key, value = keyed[1], keyed[2]
        elif line.lstrip().startswith("- "):
            value = line.lstrip()[2:]
        else:
            key = value = ""
        items = [_unquoted(item) for item in value.strip().removeprefix("[").removesuffix("]").split(",")]
        if key == "author":
            author = _unquoted(value) or None
        elif key:
            tags.update((item, None) for item in items if item)
    return author, tuple(tags)


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _refusal(text: str, at: int, path: Path | str) -> ArchiveFileError:
    """The error for the first line that is wrong."""
    lines = text[at:].split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    before = text.count("\n", 0, at) + 1

    def refuse(number: int, expected: str) -> ArchiveFileError:
        found = lines[number] if number < len(lines) else "the end of the file"
        return ArchiveFileError(path, line=before + number, expected=expected, found=found)

    if not re.fullmatch(STAMP + r"[ \t\r]*", lines[first]):
        return refuse(first, "<!--milliseconds--> or <!--NaN-->")
    second = next((number for number in range(first + 1, len(lines)) if lines[number].strip()), len(lines) - 1)
    if not lines[second].startswith("["):
        return refuse(second, "[title](url)")
    if not _LENIENT_END.search(text, at):
        return refuse(second + 1, "[title](url), then ------ on the next line")
    return refuse(second, "[title](url) with an absolute URL")
