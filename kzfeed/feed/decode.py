"""Decoder of documents: finds the encoding, even where the headers are wrong.

The text has no byte order mark, no XML declaration and no character that XML 1.0 forbids, so that no parser can be
misled by them. Where bytes were replaced or the encoding is in doubt, the text is flagged.
"""

import codecs
import re
from collections.abc import Iterable

from kzfeed.feed.encoding_score import ABOVE_ASCII, CHINESE, EAST_ASIAN, ENOUGH, naturalness, total
from kzfeed.model.articles import Decoded

_BOMS = (
    # UTF-32 LE begins like UTF-16 LE: it has to be looked for first.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# XML 1.0 Appendix F: how "<", a brace or a line break looks in the wide encodings without a byte order mark.
_WIDE = (
    (re.compile(rb"[<{\s]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[<{\s]"), "utf-32-be"),
    (re.compile(rb"[<{\s]\0[^\0]"), "utf-16-le"),
    (re.compile(rb"\0[<{\s]\0[^\0]"), "utf-16-be"),
)
_EBCDIC = b"\x4c\x6f\xa7\x94"  # "<?xm"

# Where a label is used for more than it says, the superset is meant; several are tried in turn.
_MEANT = {
    "iso8859-1": ("cp1252", "latin_1"),
    "ascii": ("cp1252", "latin_1"),
    "iso8859-9": ("cp1254", "iso8859_9"),
    "koi8-r": ("koi8_u",),
    "gb2312": ("gb18030",),
    "gbk": ("gb18030",),
    "big5": ("big5hkscs", "cp950"),
    "big5hkscs": ("big5hkscs", "cp950"),
    "cp950": ("big5hkscs", "cp950"),
    "shift_jis": ("cp932",),
    "euc_kr": ("cp949",),
    "tis-620": ("cp874",),
}
_LABELS = {
    "x-gbk": "gb18030",
    "x-x-big5": "big5",
    "x-big5": "big5",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "windows-949": "cp949",
    "iso-8859-8-i": "iso8859_8",
}
_NO_CHARSET = frozenset(
    {"idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape", "raw-unicode-escape", "undefined"}
) | frozenset(
    {"base64", "bz2", "hex", "quopri", "rot-13", "uu", "zlib"}  # they give bytes, not text
)
_SEVEN_BIT = re.compile(r"utf-7|hz|iso2022_.*")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:()-]{0,39}")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']\s*([^"'>]{1,40})["']""")
_DECLARATION = re.compile(r"<\?xml\s[^>]*>")

_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\r"})
_FORBIDDEN = re.compile(f"[{re.escape(_CONTROLS.decode())}\ufffe\uffff\ud800-\udfff]")
_REFERENCE = re.compile(r"&#(?:[0-9]+|[xX][0-9a-fA-F]+);")
_REPLACED = re.compile("[\udc80-\udcff]+")

_SINGLE_BYTE = (
    *("cp1252", "cp1250", "iso8859_2", "cp1251", "koi8_u", "iso8859_5", "cp1253", "iso8859_7", "cp1254", "cp1257"),
    *("iso8859_13", "cp1255", "iso8859_8", "cp1256", "iso8859_6", "cp874", "iso8859_15", "mac_roman", "cp866"),
)
"""Encodings that are guessed, the commoner first."""

_DEFAULTS = frozenset({"cp1252", "latin_1", "iso8859-1"})
_NATURAL = 0.95
"""A text that scores this is in its encoding without doubt."""
_CLEARLY = 0.15
"""A guess that scores so much more than what is declared is used instead of it."""


def decode(body: bytes, content_type: str | None = None) -> Decoded:
    """Turn a body into text; `content_type` is the HTTP header as it came. Never raises.

    The order is: byte order mark; UTF-8, also with a few damaged bytes; the HTTP charset and the XML declaration, each
    strictly; detection; UTF-8 with U+FFFD for what cannot be read. If header and declaration differ and both are
    possible, the more natural text is used.
    """
    # A document in another encoding may begin with this mark too, if it was put together from several files.
    body = body.removeprefix(codecs.BOM_UTF8)
    text, encoding, flawed = (
        _by_mark(body)
        or _wide(body)
        or _seven_bit(body, content_type)
        or _utf8(body)
        or _declared(body, content_type)
        or _detected(body, content_type)
        or (_lenient(body, "utf-8")[0], "utf-8", True)
    )
    return Decoded(_document(body, text, encoding), encoding, flawed)


def decode_utf8(body: bytes, content_type: str | None = None) -> Decoded | None:
    """What `decode` makes of a body that is valid UTF-8, without guessing; None for any other body."""
    body = body.removeprefix(codecs.BOM_UTF8)
    text = None if _wide(body) or _seven_bit(body, content_type) else _strict(body, "utf-8")
    return None if text is None else Decoded(_document(body, text, "utf-8"), "utf-8", flawed=False)


def _document(body: bytes, text: str, encoding: str) -> str:
    """The text of a body without its declaration and without what XML forbids."""
    text = _without_declaration(text)
    return _with_possible_references(text) if _is_clean(body, text, encoding) else clean(text)


def decode_undeclared_east_asian(data: bytes) -> tuple[str, str] | None:
    """The text of an archive file that is not UTF-8, with the name of its encoding: GB18030, Big5 or Shift_JIS.

    The encoding is the one in which the text looks most natural; None if the bytes are valid in none of them.
    """
    names = {"gb18030": "GB18030", "big5hkscs": "Big5", "cp932": "Shift_JIS"}
    texts = {codec: text for codec in names if (text := _strict(data, codec)) is not None and "\0" not in text}
    if not texts:
        return None
    best, _ = _guess(_sample(data), texts)
    return texts[best], names[best]


def clean(text: str) -> str:
    """Text without what XML 1.0 §2.2 forbids.

    Controls are dropped, lone surrogates become U+FFFD, and so do numeric references to either (`&#0;`, `&#xD800;`).
    """
    text = _FORBIDDEN.sub(lambda match: "\ufffd" if match[0] >= "\ud800" < "\ue000" > match[0] else "", text)
    return _with_possible_references(text)


def _is_clean(body: bytes, text: str, encoding: str) -> bool:
    """Whether a body in UTF-8 surely holds no forbidden character: to look at bytes takes a tenth of the time."""
    has_controls = any(control in body for control in _CONTROLS)
    return encoding == "utf-8" and not has_controls and "\ufffe" not in text and "\uffff" not in text


def _with_possible_references(text: str) -> str:
    """Text without numeric references to forbidden characters."""
    wrong = {each: mark for each in set(_REFERENCE.findall(text)) if (mark := _instead_of(each)) is not None}
    return _REFERENCE.sub(lambda match: wrong.get(match[0], match[0]), text) if wrong else text


def _instead_of(reference: str) -> str | None:
    """What stands for a numeric reference to a forbidden character; None where it is allowed."""
    digits = reference[2:-1]
    base = 10
    if digits[0] in "xX":
        digits, base = digits[1:], 16
    digits = digits.lstrip("0")
    # No code point has more digits than this, and Python refuses to read very long numbers.
    code = int(digits or "0", base) if len(digits) <= 7 else 0x110000
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return "" if _FORBIDDEN.match(chr(code)) else None


def _without_declaration(text: str) -> str:
    # Controls may stand among the blank lines that servers put first.
    start = re.match("[\\s\ufeff\x00-\x20]*", text)
    text = text[start.end() :] if start else text
    declaration = _DECLARATION.match(text)
    return text[declaration.end() :].lstrip("\ufeff \t\r\n") if declaration else text


# --- encodings that the bytes show -----------------------------------------------------------------------------------

_Decision = tuple[str, str, bool]


def _by_mark(body: bytes) -> _Decision | None:
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return _wide_text(body[len(mark) :], encoding)
    return None


def _wide(body: bytes) -> _Decision | None:
    for start, encoding in _WIDE:
        if start.match(body):
            return _wide_text(body, encoding)
    return None


def _wide_text(body: bytes, encoding: str) -> _Decision:
    try:
        return body.decode(encoding), encoding, False
    except UnicodeDecodeError:
        return body.decode(encoding, "replace"), encoding, True


def _seven_bit(body: bytes, content_type: str | None) -> _Decision | None:
    """ISO-2022, HZ and UTF-7: their bytes are ASCII, so that only a label or an escape sequence tells them from it."""
    if not body.isascii():
        return None
    labels = [codec for codec in _labels(body, content_type) if _SEVEN_BIT.fullmatch(codec)]
    guesses = ["iso2022_jp_2", "iso2022_kr"] if b"\x1b$" in body else []
    for codec in labels + guesses:
        text = _strict(body, codec)
        if text is not None:
            return text, codec, codec not in labels
    return None


def _utf8(body: bytes) -> _Decision | None:
    """UTF-8, also with a few damaged bytes."""
    try:
        return body.decode(), "utf-8", False
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(body):
            return body[: error.start].decode(), "utf-8", True
        text, damages = _lenient(body, "utf-8")
    # Text in other encodings has up to 1.3 characters of UTF-8 by accident for each place that is not UTF-8.
    valid = total(ABOVE_ASCII, text) - damages
    return (text, "utf-8", True) if valid >= 2 * damages else None


# --- declared encodings ----------------------------------------------------------------------------------------------


def _labels(body: bytes, content_type: str | None) -> list[str]:
    """The codecs that HTTP and the XML declaration name, in this order, as far as Python has them."""
    head = body[:1024]
    if head.startswith(_EBCDIC):
        head = head.decode("cp037").encode("latin-1")
    declaration = _DECLARED.search(head)
    labels = [_charset(content_type or ""), declaration[1].decode("latin-1") if declaration else ""]
    if body.startswith(_EBCDIC):
        labels.append("cp037")
    codecs_named: list[str] = []
    for label in labels:
        codecs_named += [codec for codec in _codecs(label.strip()) if codec not in codecs_named]
    return codecs_named


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")
    return ""


def _codecs(label: str) -> Iterable[str]:
    if not _LABEL.fullmatch(label):
        return ()
    label = label.lower()
    try:
        codec = codecs.lookup(_LABELS.get(label, label)).name
    except LookupError:
        return ()
    return () if codec in _NO_CHARSET else _MEANT.get(codec, (codec,))


def _declared(body: bytes, content_type: str | None) -> _Decision | None:
    possible: dict[str, str] = {}
    for codec in _labels(body, content_type):
        text = _strict(body, codec)
        # Nearly any bytes can be read as UTF-16 or EBCDIC, but then the document does not begin with a tag.
        if text is not None and (_begins(text) or not _begins(body[:1024].decode("latin-1"))):
            possible[codec] = text
    if not possible:
        return None
    sample = _sample(body)
    scores = {codec: _score(sample, codec) for codec in possible}
    best = max(scores, key=scores.__getitem__)
    is_alphabet = best not in EAST_ASIAN
    in_doubt = scores[best] < 0.5 or any(text != possible[best] for text in possible.values())
    if scores[best] < (_NATURAL if is_alphabet else 0.75) and not _is_little(sample):
        # A few accented letters may look like Chinese, so a declared alphabet is never taken for it. The exception is
        # Latin-1, which many servers declare by default, if the text does not look like Latin at all.
        is_default = best in _DEFAULTS and scores[best] < 0.2
        guess, score = _guess(sample, (*EAST_ASIAN, *_SINGLE_BYTE) if is_default or not is_alphabet else _SINGLE_BYTE)
        guessed = _lenient(body, guess)[0]
        if score >= max(0.75, scores[best] + _CLEARLY):
            return guessed, guess, True
        in_doubt |= score > scores[best] and guessed != possible[best]
    return possible[best], best, in_doubt


def _begins(text: str) -> bool:
    return text[:1024].lstrip("\ufeff\x00 \t\r\n")[:1] in {"<", "{"}


# --- detection -------------------------------------------------------------------------------------------------------


def _detected(body: bytes, content_type: str | None) -> _Decision | None:
    """The declared encoding, if few bytes contradict it; else the encoding in which the text looks most natural."""
    sample = _sample(body)
    guess, score = _guess(sample, EAST_ASIAN if _is_little(sample) else (*EAST_ASIAN, *_SINGLE_BYTE))
    for codec in _labels(body, content_type):
        if codec != "utf-8":
            declared, damages = _lenient(body, codec)
            if _is_slight(damages, declared) and _score(sample, codec) >= score - _CLEARLY:
                return declared, codec, True
    if score >= 0.5:
        return _lenient(body, guess)[0], guess, True
    text = _strict(body, "cp1252")
    return None if text is None else (text, "cp1252", True)


def _is_little(sample: bytes) -> bool:
    """Whether the sample tells no alphabets apart: a few bytes are mostly what Western editors let slip in."""
    return len(re.findall(rb"[\x80-\xff]", sample)) < 8


def _guess(sample: bytes, codecs_in_question: Iterable[str]) -> tuple[str, float]:
    """The encoding in which the sample looks most natural, the commoner one of several, and its score."""
    scores = {codec: _score(sample, codec) for codec in codecs_in_question}
    best = max(scores, key=scores.__getitem__)
    return best, scores[best]


def _score(sample: bytes, codec: str) -> float:
    text, damages = _lenient(sample, codec)
    advantage = 0.05 if codec in CHINESE else 0
    return naturalness(text, codec) - 4 * damages / max(1, total(ABOVE_ASCII, text)) + advantage


def _sample(body: bytes) -> bytes:
    """Up to 4 KiB of the lines that are not pure ASCII, cut where no East Asian encoding has half a character."""
    stretches: list[bytes] = []
    size = 0
    for match in re.finditer(rb"[^<>\r\n]*[\x80-\xff][^<>\r\n]*", body):
        stretches.append(match[0][:ENOUGH])
        size += len(stretches[-1])
        if size >= ENOUGH:
            break
    return b"\n".join(stretches)


# --- the two ways to apply a codec -----------------------------------------------------------------------------------


def _strict(body: bytes, codec: str) -> str | None:
    try:
        return body.decode(codec)
    except (UnicodeError, LookupError):
        return None


def _lenient(body: bytes, codec: str) -> tuple[str, int]:
    """Text with one U+FFFD for every run of bytes that cannot be read, and how many runs there were."""
    try:
        return _REPLACED.subn("\ufffd", body.decode(codec, "surrogateescape"))
    except UnicodeError:
        # In wide encodings, half a character has no escape.
        text = body.decode(codec, "replace")
        return text, text.count("\ufffd")


def _is_slight(damages: int, text: str) -> bool:
    """Whether so few places are damaged that the encoding is right all the same."""
    return damages == 0 or damages * 6 <= total(ABOVE_ASCII, text)
