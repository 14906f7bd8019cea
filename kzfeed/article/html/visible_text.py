"""Visible text of an HTML body: what a reader of the page sees, one paragraph a line.

It leaves out what no reader sees, and the footer that a mirror adds. The comparison text, by which versions of an
article are compared, also leaves out what changes from poll to poll although nobody edited it. It marks where table
cells and deleted text begin and end, and it has the text of SVG images.
"""

import re
from collections import Counter
from collections.abc import Iterable

from kzfeed.article.html.media import MEDIA_TAGS, MediaCollector
from kzfeed.article.html.scanner import Tag, Token, attributes_of, decoded
from kzfeed.article.strings import UNSPACED
from kzfeed.feed.xml import VOID_ELEMENTS

_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "body", "div", "footer", "header", "hgroup", "html", "main", "nav", "section"),
        *("blockquote", "center", "details", "dialog", "figcaption", "figure", "hr", "p", "pre", "summary"),
        *("h1", "h2", "h3", "h4", "h5", "h6"),
        *("dd", "dir", "dl", "dt", "li", "menu", "ol", "ul"),
        *("caption", "table", "tbody", "tfoot", "thead", "tr"),
        *("fieldset", "form", "legend", "optgroup", "option", "search", "select"),
    }
)
BREAKS = dict.fromkeys(_BLOCKS, "\n") | {"br": "\n", "td": " ", "th": " "}
"""The tags (start or end) that separate the words on both sides of them, and what stands for them in the text."""

_UNSEEN = frozenset(
    {"annotation", "annotation-xml", "audio", "canvas", "datalist", "noscript", "svg", "template", "video"}
)
_SPECIAL = _UNSEEN | {"pre", "time"}
_ENDED_BY_BLOCK = frozenset({"p", "svg"})
_UNDISPLAYED = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_DELETED = frozenset({"del", "s", "strike"})
_WITH_RULES = _SPECIAL | _DELETED | MEDIA_TAGS | {"td", "th"}
"""The tags that do more than break a line."""
_INVISIBLE = "\x00\u00ad\u200b\u2060\ufeff"  # NUL, soft hyphen, zero-width space, word joiner, BOM

# Marks in the comparison text: control characters that HTML cannot contain and that are not white space.
_CELL = "\x10"
_DELETION_START, _DELETION_END = "\x0e\x0f"
_SVG_START, _SVG_END = "\x11\x12"
_WITHOUT_MARKS = str.maketrans({_CELL: " ", **dict.fromkeys((_DELETION_START, _DELETION_END, _SVG_START, _SVG_END))})
_CELL_BOUNDARY = re.compile(f" ?{_CELL}[ {_CELL}]*")
_NO_WORD = re.compile(f"{_SVG_START}[^{_SVG_END}]*{_SVG_END}|[ {_CELL}{_DELETION_START}{_DELETION_END}]")
_SPACE_WITHOUT_MEANING = re.compile(f" (?:(?=[{UNSPACED}])|(?<=[{UNSPACED}] ))")

_RELATIVE_TIME = re.compile(
    r"""
      \d{1,3} \s? (?: 秒 | 分 | [秒分][钟鐘] | 个?小时 | 個?小時 | 時間 | 天 | 日 | 周 | 週 ) \s? [以之]?前
    | \d{1,3} \s? (?: 초 | 분 | 시간 | 일 ) \s? 전
    | (?: \d{1,3} | an? ) \s? (?: second | sec | minute | min | hour | hr | day | week | [smhd] ) s? \s ago
    | 刚刚 | 剛剛 | just \s now
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MAX_RELATIVE_TIME_LENGTH = 30

_FOOTER_LABEL = re.compile(r"(?:获取|獲取)更多\s?RSS\s?[:：]?")
_FOOTER_LINK = re.compile(r"(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}/?", re.IGNORECASE)
_FOOTER_SISTER = re.compile(r"(?:https?://)?(?:[\w-]+\.)*feedx\.[a-z]{2,}/?", re.IGNORECASE)
_MAX_FOOTER_LINES = 12
_MAX_FOOTER_LINE_LENGTH = 300


class VisibleText:
    """The visible text of one document."""

    def __init__(self) -> None:
        self._skipping = ""  # the element whose content is not visible
        self._open: Counter[str] = Counter()  # that element and the open elements inside it
        self._preformatted = 0
        self._in_time = False
        self._in_svg_text = False
        self._pieces: list[str] = []
        self._compared: dict[int, str] = {}  # pieces that are others in the comparison text

    def read(self, tokens: Iterable[Token], media: MediaCollector) -> None:
        """Read a document, and have its media collected."""
        add = self._pieces.append
        for slash, written_name, attributes, solidus, text in tokens:
            if written_name:
                name = written_name.lower()
                if attributes or name in _WITH_RULES or self._skipping or self._in_time:
                    tag = name, attributes or "", slash == "/", solidus is not None
                    if name in MEDIA_TAGS:
                        media.tag(tag)
                    self._tag(tag)
                elif name in BREAKS:
                    add("\n")
            if text and self._skipping:
                self._add_svg_text(decoded(text))
            elif text:
                if self._in_time:
                    self._compared[len(self._pieces)] = ""
                if "&" in text:
                    text = decoded(text)
                add(text if self._preformatted else text.replace("\n", " "))

    def _tag(self, tag: Tag) -> None:
        name, attributes, closing, empty = tag
        if self._skipping and not self._leaves(tag):
            if name == "text":
                self._in_svg_text = self._skipping == "svg" and not (closing or empty)
            return
        if separator := BREAKS.get(name):
            if separator == " ":
                self._compared[len(self._pieces)] = f" {_CELL} "
            self._pieces.append(separator)
            self._in_time = self._in_time and name == "br"  # a <time> without end ends with its block
        elif name in _DELETED and not empty:
            self._add_compared(_DELETION_END if closing else _DELETION_START)
        if name in _SPECIAL or (attributes and _may_hide(attributes)):
            self._enter_or_leave(tag)

    def _add_svg_text(self, text: str) -> None:
        if self._in_svg_text and (words := " ".join(text.split())):
            self._add_compared(f"{_SVG_START} {words} {_SVG_END}")

    def _add_compared(self, text: str) -> None:
        """Add to the comparison text alone."""
        self._compared[len(self._pieces)] = text
        self._pieces.append("")

    def result(self) -> tuple[str, str]:
        """The visible text, and the comparison text."""
        lines = compared = _without_footer(_lines(self._pieces))
        if self._compared:
            pieces = self._pieces.copy()
            for at, piece in self._compared.items():
                pieces[at] = piece
            marked = (_CELL_BOUNDARY.sub(_CELL, line).strip(_CELL) for line in _lines(pieces))
            compared = _without_footer(list(filter(None, marked)))
        # A paragraph that only says how long ago something was differs from poll to poll.
        kept = [
            line
            for line in compared
            if len(line) > _MAX_RELATIVE_TIME_LENGTH or not _RELATIVE_TIME.fullmatch(_without_marks(line))
        ]
        # A line break separates words as a space does, but not in scripts that put no spaces between them.
        comparison_text = _SPACE_WITHOUT_MEANING.sub("", " ".join(kept))
        if _DELETION_START in comparison_text:
            comparison_text = comparison_text.replace(_DELETION_START + _DELETION_END, "")
        return "\n".join(lines), comparison_text

    def _leaves(self, tag: Tag) -> bool:
        """Whether a tag ends the skipped element: its own end tag, or that of an element around it."""
        name, _, closing, empty = tag
        if name in VOID_ELEMENTS:
            return False
        if closing and self._open[name]:
            self._open[name] -= 1
            is_over = name == self._skipping and not self._open[name]
        elif closing:
            is_over = True
        else:
            is_over = name in _BLOCKS and self._skipping in _ENDED_BY_BLOCK
            if not empty:
                self._open[name] += 1
        if is_over:
            self._skipping = ""
            self._in_svg_text = False
        return is_over

    def _enter_or_leave(self, tag: Tag) -> None:
        name, attributes, closing, _ = tag
        if closing and name == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        elif closing and name == "time":
            self._in_time = False
        elif not _has_content(tag):
            return
        elif name in _UNSEEN or _is_hidden(attributes):
            self._skipping, self._open = name, Counter({name: 1})
        elif name == "pre":
            self._preformatted += 1
        elif name == "time":
            self._in_time = True


def words_alone(comparison_text: str) -> str:
    """The comparison text of derivation 1: without white space, marks and the text of SVG images."""
    return _NO_WORD.sub("", comparison_text)


def _has_content(tag: Tag) -> bool:
    name, _, closing, empty = tag
    return not (closing or empty or name in VOID_ELEMENTS)


def _may_hide(attributes: str) -> bool:
    lower = attributes.lower()
    return "display" in lower or ("hidden" in lower and "hidden" in lower.replace("aria-hidden", ""))


def _is_hidden(attributes: str) -> bool:
    # Only what no script shows later: "visibility: hidden" stands around whole articles that wait for their script.
    found = attributes_of(attributes)
    return "hidden" in found or bool(_UNDISPLAYED.search(found.get("style", "")))


def _lines(pieces: Iterable[str]) -> list[str]:
    text = "".join(pieces)
    for mark in _INVISIBLE:
        if mark in text:
            text = text.replace(mark, "")
    return list(filter(None, map(" ".join, map(str.split, text.split("\n")))))


def _without_marks(line: str) -> str:
    # Nearly no line has marks, and to translate one takes far longer than to look for them.
    return line if line.isprintable() else line.translate(_WITHOUT_MARKS)


def _without_footer(lines: list[str]) -> list[str]:
    """The lines without the footer that the mirror adds at the end: a label, then bare links, one of them its own."""
    is_mirror = False
    for at in range(len(lines) - 1, max(-1, len(lines) - 1 - _MAX_FOOTER_LINES), -1):
        line = _without_marks(lines[at]).strip()
        if len(line) > _MAX_FOOTER_LINE_LENGTH:
            break
        label = _FOOTER_LABEL.match(line)
        words = line[label.end() if label else 0 :].split()
        if not all(map(_FOOTER_LINK.fullmatch, words)):
            break
        is_mirror = is_mirror or any(map(_FOOTER_SISTER.fullmatch, words))
        if label:
            return lines[:at] if is_mirror else lines
    return lines
