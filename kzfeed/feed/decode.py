"""Decoder of documents: finds the encoding, even where the headers are wrong.

The text has no byte order mark, no XML declaration and no character that XML 1.0 forbids, so that no parser can be
misled by them. Where bytes were replaced or the encoding is in doubt, the text is flagged.
"""

import codecs
import re
from collections.abc import Iterable

from kzfeed.feed.encoding_guess import (
    CLEARLY,
    Decoding,
    by_likelihood,
    is_common_chinese,
    is_unnatural,
    read_as,
    read_in_all,
    sample_of,
)
from kzfeed.feed.encoding_label import are_one_label, codecs_of, labels_of, name_of
from kzfeed.feed.encoding_score import ABOVE_ASCII, EAST_ASIAN, total
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

_SEVEN_BIT = re.compile(r"utf-7|hz|iso2022_.*")
_DECLARATION = re.compile(r"<\?xml\s[^>]*>")

_HZ = re.compile(rb"~\{(?:[!-w][!-~])+~\}")
_ASCII = bytes(range(0x80))
_PAIRS = bytes(range(0x80, 0xE0))
"""The bytes of those characters of UTF-8 that have two bytes."""
_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\r"})
_FORBIDDEN = re.compile(f"[{re.escape(_CONTROLS.decode())}\ufffe\uffff\ud800-\udfff]")
_REFERENCE = re.compile(r"&#(?:[0-9]+|[xX][0-9a-fA-F]+);")
_REPLACED = re.compile("[\udc80-\udcff]+")

CUT_OFF = "it ends within a character of utf-8, so its end is missing"
"""The flaw of a body that was cut off, if the bytes show it."""

_DEFAULTS = frozenset({"cp1252", "latin_1"})


def decode(body: bytes, content_type: str | None = None) -> Decoded:
    """Turn a body into text; `content_type` is the HTTP header as it came. Never raises.

    The order is: byte order mark; UTF-8, also with a few damaged bytes; the HTTP charset and the XML declaration, each
    strictly; detection; UTF-8 with U+FFFD for what cannot be read. If header and declaration differ and both are
    possible, the likelier text is used. Whatever was guessed, or could as well be another encoding, is flagged.
    """
    body, labels = _labelled(body, content_type)
    text, encoding, flaw = (
        _by_mark(body)
        or _wide(body)
        or _seven_bit(body, labels)
        or _utf8(body, labels)
        or _declared(body, labels)
        or _detected(body, labels)
        or (_lenient(body, "utf-8")[0], "utf-8", _replaced("utf-8"))
    )
    return Decoded(_document(body, text, encoding), encoding, flaw)


def decode_as(body: bytes, label: str) -> Decoded:
    """The text of a body in the encoding that the operator names, whatever its server and the document say.

    Bytes that are not of this encoding become U+FFFD, and the text is flagged.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    names = codecs_of(label) or ("utf-8",)
    strict = ((text, codec, "") for codec in names if (text := _strict(body, codec)) is not None)
    text, codec, flaw = next(strict, None) or (_lenient(body, names[0])[0], names[0], _replaced(names[0]))
    return Decoded(_document(body, text, codec), codec, flaw)


def decode_utf8(body: bytes, content_type: str | None = None) -> Decoded | None:
    """What `decode` makes of a body that is valid UTF-8, without guessing; None for any other body."""
    body, labels = _labelled(body, content_type)
    if _wide(body) or _seven_bit(body, labels):
        return None
    text = _strict(body, "utf-8")
    if text is None or _may_be_utf8_by_accident(body, labels):
        return None
    return Decoded(_document(body, text, "utf-8"), "utf-8")


def _labelled(body: bytes, content_type: str | None) -> tuple[bytes, list[str]]:
    """The body without UTF-8's byte order mark, and the codecs that mark, header and declaration name."""
    unmarked = body.removeprefix(codecs.BOM_UTF8)
    # A document in another encoding may begin with this mark too, if it was put together from several files.
    by_mark = ["utf-8"] if unmarked != body else []
    return unmarked, by_mark + labels_of(unmarked, content_type)


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
    sample = sample_of(data)
    best = max((read_as(sample, codec) for codec in texts), key=by_likelihood).codec
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

_Decision = tuple[str, str, str]
"""A text, its codec, and what is wrong with it or in doubt."""


def _guessed(codec: str) -> str:
    return f"its encoding was guessed: {name_of(codec)}"


def _replaced(codec: str) -> str:
    return f"bytes that are not {name_of(codec)} were replaced"


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
        return body.decode(encoding), encoding, ""
    except UnicodeDecodeError:
        return body.decode(encoding, "replace"), encoding, _replaced(encoding)


def _seven_bit(body: bytes, labels: list[str]) -> _Decision | None:
    """ISO-2022, HZ and UTF-7: their bytes are ASCII, so that only a label or an escape sequence tells them from it."""
    if not body.isascii():
        return None
    declared = [codec for codec in labels if _SEVEN_BIT.fullmatch(codec)]
    guesses = ["iso2022_jp_2", "iso2022_kr"] if b"\x1b$" in body else ["hz"] if _HZ.search(body) else []
    for codec in declared + guesses:
        text = _strict(body, codec)
        if text is not None:
            return text, codec, "" if codec in declared else _guessed(codec)
    return None


def _utf8(body: bytes, labels: list[str]) -> _Decision | None:
    """UTF-8, also with a few damaged bytes."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(body):
            return body[: error.start].decode(), "utf-8", CUT_OFF
        text, damages = _lenient(body, "utf-8")
    else:
        rival = _may_be_utf8_by_accident(body, labels)
        return text, "utf-8", _in_doubt("utf-8", rival) if rival else ""
    # Text in other encodings has up to 1.3 characters of UTF-8 by accident for each place that is not UTF-8.
    valid = total(ABOVE_ASCII, text) - damages
    if valid < 2 * damages:
        return None
    sample = sample_of(body)
    likelihood = read_as(sample, "utf-8").likelihood
    others = [read_as(sample, codec) for codec in _possible(body, labels) if codec != "utf-8"]
    if any(other.likelihood > likelihood for other in others):
        return None
    return text, "utf-8", _replaced("utf-8")


def _may_be_utf8_by_accident(body: bytes, labels: list[str]) -> str:
    """The codec in which a short text in valid UTF-8 is likelier; none for longer ones, and where UTF-8 is declared.

    Two bytes of Chinese may be valid UTF-8, but hardly a whole sentence.
    """
    if "utf-8" in labels:
        return ""
    above = body.translate(None, _ASCII)
    if not above or len(above) > 16 or above.translate(None, _PAIRS):
        return ""
    sample = sample_of(body)
    readings = [read_as(sample, codec) for codec in _possible(body, labels or EAST_ASIAN)]
    best = max(readings, key=by_likelihood, default=None)
    is_likelier = best is not None and best.likelihood > read_as(sample, "utf-8").likelihood
    return best.codec if best is not None and is_likelier else ""


# --- declared encodings ----------------------------------------------------------------------------------------------


def _declared(body: bytes, labels: list[str]) -> _Decision | None:
    possible = _possible(body, labels)
    if not possible:
        return None
    sample = sample_of(body)
    best = max((read_as(sample, codec) for codec in possible), key=by_likelihood)
    text = possible[best.codec]
    rivals = [each for each in read_in_all(sample) if each.text != best.text]
    rival = max(rivals, key=by_likelihood, default=None)
    if rival is not None and _is_used_instead(rival, best):
        return _lenient(body, rival.codec)[0], rival.codec, _guessed(rival.codec)
    flaw = ""
    if any(other != text and not are_one_label(codec, best.codec) for codec, other in possible.items()):
        flaw = f"its header and its declaration name different encodings: {name_of(best.codec)} was used"
    elif rival is not None and rival.likelihood > best.likelihood - CLEARLY:
        flaw = _in_doubt(best.codec, rival.codec)
    elif is_unnatural(best):
        flaw = f"its encoding is in doubt: it hardly looks like {name_of(best.codec)}"
    return text, best.codec, flaw


def _in_doubt(codec: str, rival: str) -> str:
    return f"its encoding is in doubt: {name_of(codec)} was used, but {name_of(rival)} is possible"


def _is_used_instead(rival: Decoding, declared: Decoding) -> bool:
    """Whether a guess is used instead of what is declared."""
    gain = rival.likelihood - declared.likelihood
    if rival.is_east_asian and not declared.is_east_asian:
        # A few accented letters may look like Chinese, so a declared alphabet is never taken for it. The exception is
        # Latin-1, which many servers declare by default, if the text does not look like Latin at all.
        return declared.codec in _DEFAULTS and gain > max(4 * CLEARLY, 0.5 * len(declared.text))
    return gain > max(2 * CLEARLY, 1.5 * total(ABOVE_ASCII, declared.text)) or _is_rather_chinese(rival, declared)


def _is_rather_chinese(rival: Decoding, declared: Decoding) -> bool:
    """Whether the text is common Chinese in another East Asian encoding than the declared one."""
    is_likelier = rival.likelihood > declared.likelihood + 2 * CLEARLY
    return is_likelier and declared.is_east_asian and is_common_chinese(rival)


def _possible(body: bytes, labels: Iterable[str]) -> dict[str, str]:
    """The text in each of the encodings that the bytes are valid in."""
    texts = {codec: _strict(body, codec) for codec in labels}
    return {codec: text for codec, text in texts.items() if text is not None and _begins_alike(text, body)}


def _begins_alike(text: str, body: bytes) -> bool:
    """Whether a tag at the start of a body is one in the text: nearly any bytes can be read as UTF-16 or EBCDIC."""
    return _begins(text) or not _begins(body[:1024].decode("latin-1"))


def _begins(text: str) -> bool:
    return text[:1024].lstrip("\ufeff\x00 \t\r\n")[:1] in {"<", "{"}


# --- detection -------------------------------------------------------------------------------------------------------


def _detected(body: bytes, labels: list[str]) -> _Decision | None:
    """The declared encoding, if few bytes contradict it; else the likeliest one."""
    sample = sample_of(body)
    readings = read_in_all(sample)
    guess = max(readings, key=by_likelihood)
    western = next((each for each in readings if each.codec == "cp1252"), guess)
    if western.likelihood > guess.likelihood - CLEARLY:
        guess = western  # the commonest of them
    for codec in labels:
        if codec != "utf-8":
            text, damages = _lenient(body, codec)
            declared = read_as(sample, codec)
            is_possible = _is_slight(damages, text) and _begins_alike(text, body)
            is_likely = declared.likelihood >= guess.likelihood - 60 and not _is_rather_chinese(guess, declared)
            if is_possible and is_likely:
                return text, codec, _replaced(codec)
    if not is_unnatural(guess):
        return _lenient(body, guess.codec)[0], guess.codec, _guessed(guess.codec)
    western_text = _strict(body, "cp1252")
    return None if western_text is None else (western_text, "cp1252", _guessed("cp1252"))


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
