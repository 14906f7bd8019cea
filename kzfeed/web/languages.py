"""Languages of archived texts, as the `lang` attribute names them: browsers choose fonts and voices by it."""

import re
import unicodedata

from kzfeed.search.folding import fold

_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_HAN = re.compile(r"[\u3400-\u9fff]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_KAZAKH = re.compile(r"[әғқңөұүһӘҒҚҢӨҰҮҺ]")
_TRADITIONAL_PLACES = ("hant", "tw", "hk", "mo")
_SAMPLE = 400
"""How many characters of a text are looked at."""


def language_of(text: str, named: str | None = None) -> str:
    """The language tag of a text: what its feed names, or what its letters say; empty if neither says anything.

    Chinese is `zh-Hans` or `zh-Hant`. Cyrillic letters are taken for Kazakh or Russian.
    """
    if named and _TAG.fullmatch(named):
        primary, *others = named.lower().split("-")
        if primary != "zh":
            return named
        if others:
            return "zh-Hant" if any(each in _TRADITIONAL_PLACES for each in others) else "zh-Hans"
    sample = text[:_SAMPLE]
    if _KANA.search(sample):
        return "ja"
    if _HAN.search(sample):
        return "zh-Hant" if _is_traditional(sample) else "zh-Hans"
    if _HANGUL.search(sample):
        return "ko"
    if _CYRILLIC.search(sample):
        return "kk" if _KAZAKH.search(sample) else "ru"
    return ""


def _is_traditional(text: str) -> bool:
    """Whether folding, which makes simplified characters of traditional ones, changes at least a tenth of them."""
    han = _HAN.findall(unicodedata.normalize("NFC", text))
    folded = fold("".join(han))
    changed = sum(one != other for one, other in zip(han, folded, strict=False))
    return bool(han) and changed * 10 >= len(han)
