"""Tags and text come in, all at once or one by one; what a reader of the page sees goes out, one paragraph a line.

Left out is what no reader sees, and the mirror's footer. `wording` is what versions are compared by: it also leaves out
what differs from poll to poll although nobody wrote it, and all white space.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kzfeed.article.html.scanner import VOID, Plain, Tag, attributes_of, decoded

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
"""The tags, start or end, that part the words before them from the words after, and what stands there instead."""

_LINE_BREAKS = ("br", "/br")
_UNSEEN = frozenset(
    {"annotation", "annotation-xml", "audio", "canvas", "datalist", "noscript", "svg", "template", "video"}
)
_SPECIAL = _UNSEEN | {"pre", "time"}
_SEPARATORS: Mapping[str | None, str] = {
    slash + name: separator for name, separator in BREAKS.items() for slash in ("", "/")
}
_ENDED_BY_BLOCK = frozenset({"p", "svg"})
_UNDISPLAYED = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_INVISIBLE = "\x00\u00ad\u200b\u2060\ufeff"  # NUL, soft hyphen, zero-width space, word joiner, BOM

_MOMENT = re.compile(
    r"""
      \d{1,3} \s? (?: 秒 | 分 | [秒分][钟鐘] | 个?小时 | 個?小時 | 時間 | 天 | 日 | 周 | 週 ) \s? [以之]?前
    | \d{1,3} \s? (?: 초 | 분 | 시간 | 일 ) \s? 전
    | (?: \d{1,3} | an? ) \s? (?: second | sec | minute | min | hour | hr | day | week | [smhd] ) s? \s ago
    | 刚刚 | 剛剛 | just \s now
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LONGEST_MOMENT = 30

_FOOTER_LABEL = re.compile(r"(?:获取|獲取)更多\s?RSS\s?[:：]?")
_FOOTER_LINK = re.compile(r"(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}/?", re.IGNORECASE)
_FOOTER_SISTER = re.compile(r"(?:https?://)?(?:[\w-]+\.)*feedx\.[a-z]{2,}/?", re.IGNORECASE)
_MOST_FOOTER_LINES = 12
_LONGEST_FOOTER_LINE = 300


class Reader:
    """Reads one document, at once or tag by tag. Feed it `text` only while it is not `skipping`."""

    def __init__(self) -> None:
        self.skipping = ""  # the element whose content nobody sees
        self._open: Counter[str] = Counter()  # what is open from there on, itself included
        self._preformatted = 0
        self._in_time = False
        self._pieces: list[str] = []
        self._moments: list[int] = []  # where in the pieces the text of <time> stands

    def read_plain(self, markup: Plain) -> bool:
        """A whole document at once, as `tag` and `text` read it; False, and nothing is read, where lines are kept."""
        if "pre" in markup.kinds:
            return False
        names, texts = markup.names, markup.texts
        said = "".join(texts)
        if "&" in said or "\n" in said:
            texts = [decoded(text).replace("\n", " ") for text in texts]
        if unseen := _unseen(markup):
            names, texts = names.copy(), texts.copy()
            self._silence(unseen, markup, names, texts)
        separators = [_SEPARATORS.get(name, "") for name in names]
        self._pieces = [""] * (len(texts) + len(separators))
        self._pieces[::2] = texts
        self._pieces[1::2] = separators
        if "time" in markup.kinds:
            self._moments = [2 * at + 2 for at in _in_time(names, separators, markup.closes_itself)]
        return True

    def _silence(self, unseen: Iterable[int], markup: Plain, names: list[str | None], texts: list[str]) -> None:
        """Take out what stands in the elements that begin at these tags: names of tags, and the texts after them."""
        end = 0
        for start in unseen:
            if start < end:
                continue  # it is itself in another one
            self.skipping = markup.names[start] or ""
            self._open = Counter({self.skipping: 1})
            texts[start + 1] = ""
            if self.skipping == "time":
                names[start] = None  # of what nobody sees, the time is not told either
            for end in range(start + 1, len(names)):
                tag = markup.tag(end)
                if tag is None or not self._leaves(tag):
                    names[end], texts[end + 1] = None, ""
                if not self.skipping:
                    break
        self.skipping = ""

    def tag(self, tag: Tag) -> None:
        """One tag, whatever it does."""
        if self.skipping and not self._leaves(tag):
            return
        name, attributes, _, _ = tag
        separator = BREAKS.get(name)
        if separator:
            self._pieces.append(separator)
            self._in_time = self._in_time and name == "br"  # a <time> without end ends with its block
        if name in _SPECIAL or (attributes and _may_hide(attributes)):
            self._enter_or_leave(tag)

    def text(self, text: str) -> None:
        """The text after a tag, as the markup has it."""
        text = decoded(text)
        if not self._preformatted:
            text = text.replace("\n", " ")
        if self._in_time:
            self._moments.append(len(self._pieces))
        self._pieces.append(text)

    def result(self) -> tuple[str, str]:
        """What a reader sees, one paragraph a line; and what the page says, whatever its white space and the hour.

        Both are without the mirror's footer.
        """
        lines = worded = _without_footer(_lines(self._pieces))
        if self._moments:
            pieces = self._pieces.copy()
            for at in self._moments:
                pieces[at] = ""
            worded = _without_footer(_lines(pieces))
        # A paragraph that says nothing but how long ago it was differs from poll to poll.
        words = [line for line in worded if len(line) > _LONGEST_MOMENT or not _MOMENT.fullmatch(line)]
        return "\n".join(lines), "".join(words).replace(" ", "")

    def _leaves(self, tag: Tag) -> bool:
        """Whether a tag ends the skipped element: its own end tag, or the end of something around it."""
        name, _, closing, empty = tag
        if name in VOID:
            return False
        if closing and self._open[name]:
            self._open[name] -= 1
            is_over = name == self.skipping and not self._open[name]
        elif closing:
            is_over = True
        else:
            is_over = name in _BLOCKS and self.skipping in _ENDED_BY_BLOCK
            if not empty:
                self._open[name] += 1
        if is_over:
            self.skipping = ""
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
            self.skipping, self._open = name, Counter({name: 1})
        elif name == "pre":
            self._preformatted += 1
        elif name == "time":
            self._in_time = True


def _has_content(tag: Tag) -> bool:
    name, _, closing, empty = tag
    return not (closing or empty or name in VOID)


def _may_hide(attributes: str) -> bool:
    lower = attributes.lower()
    return "display" in lower or ("hidden" in lower and "hidden" in lower.replace("aria-hidden", ""))


def _is_hidden(attributes: str) -> bool:
    # Only what no script would show again: "visibility: hidden" wraps whole articles that wait for their script.
    found = attributes_of(attributes)
    return "hidden" in found or bool(_UNDISPLAYED.search(found.get("style", "")))


def _unseen(markup: Plain) -> list[int]:
    """The tags at which elements begin whose content nobody sees."""
    found: set[int] = set()
    if not _UNSEEN.isdisjoint(markup.kinds):
        found.update(at for at, name in enumerate(markup.names) if name in _UNSEEN)
    if _may_hide(" ".join(filter(None, markup.attributes))):
        found.update(at for at, each in enumerate(markup.attributes) if each and _may_hide(each) and _is_hidden(each))
    return sorted(at for at in found if (tag := markup.tag(at)) and _has_content(tag))


def _in_time(
    names: Sequence[str | None], separators: Sequence[str], closes_itself: Sequence[str | None]
) -> Iterator[int]:
    """After which tags the text is that of a <time>."""
    at = _place(names, "time", 0)
    while at < len(names):
        is_in = not closes_itself[at]
        while is_in:
            yield at
            at += 1
            is_in = at < len(names) and names[at] != "/time" and (not separators[at] or names[at] in _LINE_BREAKS)
        at = _place(names, "time", at + 1)


def _place(names: Sequence[str | None], name: str, start: int) -> int:
    """Where the name stands next, or the end."""
    try:
        return names.index(name, start)
    except ValueError:
        return len(names)


def _lines(pieces: Iterable[str]) -> list[str]:
    text = "".join(pieces)
    for mark in _INVISIBLE:
        if mark in text:
            text = text.replace(mark, "")
    return list(filter(None, map(" ".join, map(str.split, text.split("\n")))))


def _without_footer(lines: list[str]) -> list[str]:
    """The lines without the block that the mirror adds: a label, then bare links, one of them its own, then the end."""
    is_mirror = False
    for at in range(len(lines) - 1, max(-1, len(lines) - 1 - _MOST_FOOTER_LINES), -1):
        line = lines[at]
        if len(line) > _LONGEST_FOOTER_LINE:
            break
        label = _FOOTER_LABEL.match(line)
        words = line[label.end() if label else 0 :].split()
        if not all(map(_FOOTER_LINK.fullmatch, words)):
            break
        is_mirror = is_mirror or any(map(_FOOTER_SISTER.fullmatch, words))
        if label:
            return lines[:at] if is_mirror else lines
    return lines
