"""Labels of encodings in HTTP and XML, the codecs that they stand for, and the usual names of codecs."""

import codecs
import re
from collections.abc import Sequence

_EBCDIC = b"\x4c\x6f\xa7\x94"  # "<?xm"
# Documents use some labels for a superset of the encoding; several codecs are tried in turn.
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
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ukrainian": "mac_cyrillic",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "windows-949": "cp949",
    "iso-8859-8-i": "iso8859_8",
}
_NAMES = {"big5hkscs": "big5", "cp932": "shift_jis", "cp949": "euc-kr", "cp950": "big5", "mac-roman": "macintosh"}
_NO_CHARSET = frozenset(
    {"idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape", "raw-unicode-escape", "undefined"}
) | frozenset(
    {"base64", "bz2", "hex", "quopri", "rot-13", "uu", "zlib"}  # they give bytes, not text
)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:()-]{0,39}")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']\s*([^"'>]{1,40})["']""")


def labels_of(body: bytes, content_type: str | None) -> list[str]:
    """The codecs that HTTP and the XML declaration name, in this order, as far as Python has them."""
    head = body[:1024]
    if head.startswith(_EBCDIC):
        head = head.decode("cp037").encode("latin-1")
    declaration = _DECLARED.search(head)
    labels = [_charset(content_type or ""), declaration[1].decode("latin-1") if declaration else ""]
    if body.startswith(_EBCDIC):
        labels.append("cp037")
    return [codec for label in labels for codec in codecs_of(label.strip())]


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")
    return ""


def codecs_of(label: str) -> Sequence[str]:
    """The codecs that are tried for a label, in order; none where Python has no codec for it."""
    if not _LABEL.fullmatch(label):
        return ()
    label = label.lower()
    try:
        codec = codecs.lookup(_LABELS.get(label, label)).name
    except LookupError:
        return ()
    return () if codec in _NO_CHARSET else _MEANT.get(codec, (codec,))


def name_of(codec: str) -> str:
    """The name that headers and declarations use for a codec."""
    name = codec.replace("_", "-")
    return re.sub(r"^cp(?=125|874)", "windows-", re.sub("^iso(?=8859|2022)", "iso-", _NAMES.get(name, name)))


def are_one_label(codec: str, other: str) -> bool:
    """Whether two codecs are tried for the same label."""
    return any({codec, other} <= set(meant) for meant in _MEANT.values())
