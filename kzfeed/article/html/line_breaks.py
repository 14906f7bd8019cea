"""Trimming and joining the lines of a body, by the rule of docs/archive-format.md.

Every function takes time in proportion to its input, and raises nothing.
"""

import re
from dataclasses import dataclass, field

from kzfeed.article.html.scanner import TOKEN, decoded
from kzfeed.article.html.visible_text import BREAKS
from kzfeed.article.strings import UNSPACED, WHITE_SPACE, trim

_KEEPS_LINES = re.compile("<(?=[pt])(?:pre|textarea)", re.IGNORECASE)
_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)(?:[^\S\n]|[/>])")
_UNSPACED = re.compile(f"[{UNSPACED}]")
# The line breaks without a character of a script without spaces on either side and without a breaking tag after them.
_NOT_SURELY_GLUED = re.compile(
    rf"\n(?<![{UNSPACED}]\n)(?![{UNSPACED}]|</?(?:{'|'.join(sorted(BREAKS, key=len))})[ />])"
)
_INVISIBLE_RANGES = (
    *((0, 0), (0xAD, 0xAD), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xE0100, 0xE01EF)),
)
"""NUL, soft hyphen, zero-width characters and direction marks, variation selectors, BOM."""
_UNSEEN = WHITE_SPACE + "".join(chr(each) for first, last in _INVISIBLE_RANGES for each in range(first, last + 1))


def trim_lines(html: str) -> str:
    """The body as the archive keeps it: split at LF, every line trimmed, the lines joined.

    One space goes between two lines where the words on both sides of the break would otherwise be glued together.
    `<pre>` and `<textarea>` keep their line breaks and indentation, from the first character of the start tag to the
    end tag, or to the end of the body where that is missing.
    """
    if not _KEEPS_LINES.search(html):
        lines = list(filter(None, map(trim, html.split("\n"))))
        trimmed = "\n".join(lines)
        if all(_is_plainly_glued(trimmed, each.start()) for each in _NOT_SURELY_GLUED.finditer(trimmed)):
            return "".join(lines)
    breaks = _LineBreaks()
    end = 0
    for token in TOKEN.finditer(html):
        breaks.text(html[end : token.start()], end)
        breaks.token(token)
        end = token.end()
    breaks.text(html[end:], end)
    pieces = []
    start = 0
    for position, joint in zip(breaks.positions, breaks.joints, strict=True):
        pieces += [trim(html[start:position]), joint]
        start = position + 1
    last = html[start:]
    return "".join(pieces) + (last.lstrip(WHITE_SPACE) if breaks.ends_in_kept_lines else trim(last))


def _is_plainly_glued(html: str, position: int) -> bool:
    """Whether nothing goes between the lines on both sides of a break, as far as the characters beside it show.

    Nearly every body is joined by this alone, at a tenth of the cost of scanning it (docs/decisions/html-scanner.md).
    """
    return _begins_with_breaking_tag(html, position + 1) or (
        html[position - 1] == ">"
        and _begins_with_breaking_tag(html, html.rfind("<", html.rfind("\n", 0, position) + 1, position))
    )


def _begins_with_breaking_tag(html: str, start: int) -> bool:
    name = _TAG_NAME.match(html, start) if start >= 0 else None
    return name is not None and name[1].lower() in BREAKS


@dataclass(slots=True)
class _LineBreaks:
    """The line breaks of a body that are not kept: the position of each, and its joint: nothing or a space."""

    positions: list[int] = field(default_factory=list)
    joints: list[str] = field(default_factory=list)
    ends_in_kept_lines: bool = False
    _pre_depth: int = 0
    _last_visible: str = ""
    """The last visible character, empty where a block-level tag or <br> came after it."""
    _joined: int = 0
    """How many line breaks there were when that character was read."""

    def text(self, text: str, start: int) -> None:
        """Text between two tags, which begins at position `start` of the body."""
        if not text:
            return
        for number, line in enumerate(text.split("\n")):
            if number:
                self._add(start - 1)
            start += len(line) + 1
            if visible := decoded(line).strip(_UNSEEN):
                self._see(visible[0], visible[-1])
        self.ends_in_kept_lines = self._pre_depth > 0

    def token(self, token: re.Match[str]) -> None:
        """A tag, or a comment."""
        name, closing = (token["name"] or "").lower(), bool(token["slash"])
        was_in_pre = self._pre_depth > 0
        if name == "pre" and closing:
            self._pre_depth = max(0, self._pre_depth - 1)
        elif name == "pre" and token["solidus"] is None:
            self._pre_depth += 1
        if name in BREAKS:
            self._last_visible = ""
        self.ends_in_kept_lines = self._pre_depth > 0 or (name == "textarea" and not closing)
        if not (was_in_pre or self.ends_in_kept_lines):
            for found in re.finditer("\n", token[0]):
                self._add(token.start() + found.start())

    def _add(self, position: int) -> None:
        if not self._pre_depth:
            self.positions.append(position)
            self.joints.append("")

    def _see(self, first: str, last: str) -> None:
        if len(self.joints) > self._joined and self._last_visible and not _UNSPACED.search(self._last_visible + first):
            # The first break of several: one space is enough.
            self.joints[self._joined] = " "
        self._last_visible = last
        self._joined = len(self.joints)
