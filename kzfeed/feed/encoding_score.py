"""Likelihood of a text, by which encodings are told apart.

A text in the wrong encoding has characters that nobody uses, letters of several scripts in one word, signs where none
belong, or letters that the language of its ASCII words does not have.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache

from kzfeed.feed.languages import ALONE, LATIN, OTHERS, Language

CHINESE = ("gb18030", "big5hkscs")
JAPANESE = ("euc_jp", "cp932")
EAST_ASIAN = (*CHINESE, *JAPANESE, "cp949")
_VARIANTS = {
    "cp950": "big5hkscs",
    **dict.fromkeys(("euc_jis_2004", "euc_jisx0213"), "euc_jp"),
    **dict.fromkeys(("shift_jis_2004", "shift_jisx0213"), "cp932"),
    "johab": "cp949",
}
"""Codecs that are only tried where they are declared, and the one of EAST_ASIAN that each is judged as."""

ABOVE_ASCII = re.compile("[^\x00-\x7f]+")


def judged_as(codec: str) -> str:
    """The codec of EAST_ASIAN that a codec is a variant of; any other codec itself."""
    return _VARIANTS.get(codec, codec)


Evidence = tuple[float, ...]
"""How much the ASCII words of a text speak against each language of LATIN, from 0 to -8."""


def total(runs: re.Pattern[str], text: str) -> int:
    """How many characters all the runs have together."""
    # One run at a time: a body may have millions of them.
    return sum(run.end() - run.start() for run in runs.finditer(text))


def evidence(words: Mapping[str, int]) -> Evidence:
    """What the ASCII words of a text, in lower case and counted, say about its language."""
    hits = [sum(min(count, 9) for word, count in words.items() if word in each.words) for each in LATIN]
    most = max(hits)
    weight = min(1.0, most / 5)
    return tuple(-8.0 * weight * (1 - found / most) if most else 0.0 for found in hits)


def likelihood(text: str, codec: str, languages: Evidence) -> float:
    """Logarithm of how likely the text is if `codec` is its encoding; 0 for one without any character.

    An ASCII character counts as much as a frequent letter, because East Asian encodings take some for half a character.
    """
    codec = judged_as(codec)
    points = -3.0 * len(text.encode("ascii", "ignore")) - _RARE.get(codec, 0.0)
    letters: dict[str, Counter[str]] = {}
    text = f"\n\n{text}\n\n"
    for match in _CHARACTER_ABOVE_ASCII.finditer(text):
        char = match[0]
        place = match.start()
        kind = _kind(char)
        if kind in _EAST_ASIAN_SCRIPTS:
            points += _east_asian(char, kind, codec) + _between_latin_letters(text[place - 1], text[place + 1])
        elif kind:
            letters.setdefault(kind, Counter())[char.lower()] += 1
            points += _place_of_letter(char, kind, text[place - 2 : place], text[place + 1 : place + 3])
        else:
            points += _sign(char, text[place - 1], text[place + 1])
    if codec in JAPANESE and not re.search("[ぁ-んァ-ヶ]", text):
        # Japanese has kana.
        points -= min(20.0, 3.0 * len(re.findall("[一-鿿]", text)))
    if codec in EAST_ASIAN:
        points -= 1.0
        # Other alphabets are rare in these encodings, and each letter has two bytes.
        points -= 3.0 * sum(found.total() for found in letters.values())
    return points + sum(_letters(script, found, languages) for script, found in letters.items())


_CHARACTER_ABOVE_ASCII = re.compile("[^\x00-\x7f]")
_RARE = {
    **dict.fromkeys(("mac_roman", "mac_cyrillic", "cp866"), 4.0),
    **dict.fromkeys(("koi8_u", "iso8859_5", "iso8859_13"), 1.0),
    "iso8859_15": 3.0,
}
"""Encodings that are rarer than others for the same language."""


# --- East Asian encodings: characters in everyday use ----------------------------------------------------------------

# The commonest characters of simplified and of traditional Chinese text: in a wrong encoding they hardly ever appear.
_COMMON = frozenset(
    "的一是不了在有人这中大国上个来们到时地为出就说要以会也你我他她它对生能而子那得于着下自之年过发后作里用道行所然"
    "家种事成方多经去法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日军者意无力与长把机十"
    "民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加"
    "西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔"
    "更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治"
    "展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术"
    "领共确传师观清今切院让识候带导争运笔闻网站会议经济发布香港台湾美元疫情总统政府记者时间星期上午警方公司国际"
    "這國個來們到時為說會對過發後裡種經學現當動還進樣開從實軍無與長機關點業兩間問並應戰向頭體見產製話內給門東聲員"
    "論處義幾認條係氣題爾別變總電數報結務場計區隊決馬書聽達強難權設記類據邊張該萬術領確傳師觀讓識帶導爭運網聞議濟"
    "灣選舉縣媒黨華語視頻標項價錢資訊稱將於著麼沒兒麗陸韓歐盟聯絡營運環境構團隊醫療衛檢驗"
)
# The commonest syllables of Korean.
_COMMON_HANGUL = frozenset(
    "년월이다는을의에가은로고하한지도를사기대서해들시인자정국일장전부과스나었했있것라만으어수리아그제그원상주조보여와동구"
)
_SIGNS_OF_CHINESE = frozenset("·！（），：；？")
_EAST_ASIAN_SCRIPTS = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "HALFWIDTH", "IDEOGRAPHIC", "FULLWIDTH"})


def _east_asian(char: str, script: str, codec: str) -> float:
    is_korean = codec == "cp949"
    if script == "CJK":
        rank = 7.0 if char in _COMMON else 9.0 if char in _everyday() else 15.0
        return -rank - (5.0 if is_korean else 0.0)
    if script in {"HIRAGANA", "KATAKANA"}:
        return -5.0 if codec in JAPANESE else -7.0
    if script == "HANGUL" and char >= "\uac00":
        return -5.0 if char in _COMMON_HANGUL else -8.5
    return -5.0 if "\u3001" <= char <= "\u3011" or char in _SIGNS_OF_CHINESE else -9.0


def _between_latin_letters(before: str, after: str) -> float:
    """What speaks against an East Asian character there: it is mostly a quote or a letter of another encoding."""
    is_after = before.isascii() and before.islower()
    is_before = after.isascii() and after.islower()
    return -6.0 if is_after and is_before else -2.0 if is_after or is_before else 0.0


@cache
def _everyday() -> frozenset[str]:
    """The characters that GB 2312 and Big5 put into their first level: those in everyday use."""
    pairs = [bytes((lead, trail)) for lead in range(0xA1, 0xF8) for trail in range(0x40, 0xFF)]
    simplified = b"".join(pair for pair in pairs if 0xB0 <= pair[0] <= 0xD7 and pair[1] >= 0xA1)
    traditional = b"".join(pair for pair in pairs if 0xA4 <= pair[0] <= 0xC6)
    return frozenset(simplified.decode("gb2312", "ignore") + traditional.decode("big5", "ignore"))


# --- alphabets: letters that go together -----------------------------------------------------------------------------


def _letters(script: str, found: Counter[str], languages: Evidence) -> float:
    """The letters of one script, in the language in which they are most likely."""
    if script == "LATIN":
        return max(against + _in_language(found, language) for language, against in zip(LATIN, languages, strict=True))
    if script not in OTHERS:
        return -7.5 * found.total()
    # A script beside many Latin words is unusual.
    return max(_in_language(found, language) for language in OTHERS[script]) - 4.5 + 0.4 * min(languages)


def _in_language(found: Counter[str], language: Language) -> float:
    likely = _frequencies(language.letters)
    return sum(max(-8.0, likely.get(letter, -8.0)) * count for letter, count in found.items())


@cache
def _frequencies(letters: str) -> Mapping[str, float]:
    """The logarithm of how frequent each letter is: about as its rank says (Zipf)."""
    whole = sum(1 / (rank + 2) for rank in range(len(letters)))
    return {letter: math.log(1 / (rank + 2) / whole) for rank, letter in reversed(list(enumerate(letters)))}


def _place_of_letter(char: str, script: str, before: str, after: str) -> float:
    """What speaks against a letter at this place: two characters before and after it are known."""
    previous, following = before[-1], after[0]
    points = 0.0
    if previous.isalpha():
        points += _after_letter(char, script, previous, before[0])
    elif char.isupper():
        points -= 1
    if following.isascii() and following.isalpha():
        if script != "LATIN" or (char.islower() and following.isupper()):
            points -= 6
        elif char.isupper() and following.isupper() and after[1].islower() and not previous.isupper():
            points -= 4
    if previous.isdigit() or following.isdigit():
        points -= 4
    if not previous.isalpha() and not following.isalpha() and script != "THAI":
        points -= 4 if char not in ALONE else 0
    return points


def _after_letter(char: str, script: str, previous: str, one_before: str) -> float:
    points = 0.0
    if _script(previous) != script:
        points -= 6
    if (char.isupper() and previous.islower()) or (char.islower() and previous.isupper() and one_before.isupper()):
        points -= 5
    elif char.isupper() and previous.isupper():
        points -= 1
    if script == "LATIN" and not previous.isascii() and previous != char:
        points -= 3
    return points


@cache
def _script(char: str) -> str:
    return "LATIN" if char.isascii() else unicodedata.name(char, "").partition(" ")[0]


@cache
def _kind(char: str) -> str:
    """The script of a letter; that of East Asian signs too; nothing for other signs."""
    script = _script(char)
    if script in _EAST_ASIAN_SCRIPTS:
        return script
    return script if unicodedata.category(char) in {"Ll", "Lu", "Lo", "Mn", "Mc"} and char not in "ªº" else ""


_OPENING = frozenset("“‘„‚«‹»›¿¡")
_CLOSING = frozenset("”’“‘»›«‹…®™©ªº")
_BETWEEN = frozenset("–—…·‧•\xa0§’،؛؟‑′″®™©ฯ")
_BESIDE_NUMBERS = frozenset("£€₪°×½¼¾№")
_INSIDE_WORDS = frozenset("–—’·\xa0‑")


def _sign(char: str, before: str, after: str) -> float:
    """How likely a sign is at this place."""
    if (char == "’" and before.isalpha() and after.isalpha()) or (
        char == "‘" and before in set("oOgG")
    ):  # Uzbek oʻ, gʻ
        return -1.5
    if char == "…" and after.isalpha() and not before.isalpha():
        return -4.0
    if char in _BETWEEN:
        return -8.0 if before.isalpha() and after.isalpha() and char not in _INSIDE_WORDS else -2.5
    if char in _BESIDE_NUMBERS:
        if before.isalpha() or (after.isalpha() and after not in "CFNSWE"):
            return -8.0
        return -3.5 if before.isdigit() or after.isdigit() else -9.0
    if (char in _OPENING and after.isalnum() and not before.isalnum()) or (char in _CLOSING and not after.isalnum()):
        return -3.0
    if char in _OPENING | _CLOSING:
        return -8.0 if before.isalnum() or after.isalnum() else -6.0
    if char in "²³" and before in {"m", "M"}:
        return -4.0
    return -16.0 if unicodedata.category(char).startswith("C") else -9.0
