"""Scores of how natural a text looks, by which encodings are told apart.

A text in the wrong encoding has characters that nobody uses, letters of several scripts in one word, or letters that no
language has together.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

CHINESE = ("gb18030", "big5hkscs")
JAPANESE = ("euc_jp", "cp932")
EAST_ASIAN = (*CHINESE, *JAPANESE, "cp949")
ENOUGH = 2_048
"""Bytes of a document, or characters, that are enough for a judgement."""

ABOVE_ASCII = re.compile("[^\x00-\x7f]+")


def naturalness(text: str, codec: str) -> float:
    """How natural the text above ASCII looks, from 0 to 1, if `codec` is its encoding; 1 for a text in ASCII."""
    if text.isascii():
        return 1.0
    return _east_asian_score(text, codec) if codec in EAST_ASIAN else _alphabetic_score(text)


def total(runs: re.Pattern[str], text: str) -> int:
    """How many characters all the runs have together."""
    # One run at a time: a body may have millions of them.
    return sum(run.end() - run.start() for run in runs.finditer(text))


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
    "이다는을의에가은로고하한지도를사기대서해들시인자정국일장전부과스나었했있것라만으어수리아그제그원상주조보여와동구"
)


def _east_asian_score(text: str, codec: str) -> float:
    if codec in JAPANESE and not re.search("[ぁ-んァ-ヶ]", text):
        return 0.0
    points = [_points(char, codec) for run in ABOVE_ASCII.findall(text) for char in run]
    return max(0.0, sum(points) / len(points))


def _points(char: str, codec: str) -> float:
    if codec == "cp949" and "一" <= char <= "鿿":
        return 0.2
    if char in _COMMON or "\u3001" <= char <= "\u3011" or char in "“”‘’…—·！（），：；？":
        return 1.0
    if "一" <= char <= "鿿":
        return 0.6 if char in _everyday() else 0.1
    if "\u3041" <= char <= "\u30ff":
        return 1.0 if codec in JAPANESE else 0.0
    if "\uac00" <= char <= "\ud7a3" and codec == "cp949":
        return 1.0 if char in _COMMON_HANGUL else 0.4
    if "\ue000" <= char <= "\uf8ff" or char >= "\U00020000":
        return -1.0
    return 0.2


@cache
def _everyday() -> frozenset[str]:
    """The characters that GB 2312 and Big5 put into their first level: those in everyday use."""
    pairs = [bytes((lead, trail)) for lead in range(0xA1, 0xF8) for trail in range(0x40, 0xFF)]
    simplified = b"".join(pair for pair in pairs if 0xB0 <= pair[0] <= 0xD7 and pair[1] >= 0xA1)
    traditional = b"".join(pair for pair in pairs if 0xA4 <= pair[0] <= 0xC6)
    return frozenset(simplified.decode("gb2312", "ignore") + traditional.decode("big5", "ignore"))


# --- alphabets: letters that go together -----------------------------------------------------------------------------

_LATIN = """
    àâæçèéêëîïôœùûü  äöüß  áéíñóúü  áâãàçéêíóôõú  àèéìòù  àçèéíïòóúü  åäöé  åæøé  áéíóúýþæðö  äöüõšž  ąćęłńóśźż
    áčďéěíňóřšťúůýžľôä  áéíóöőúüű  âăîşţșț  čćđšž  âçğıîöşüiû  ąčęėįšųūž  āčēģīķļņšūž
"""
_LANGUAGES = tuple(frozenset(alphabet) for alphabet in _LATIN.split())
# The ten or so most frequent letters, and the least share of a text that they make up.
_FREQUENT = {
    "CYRILLIC": (frozenset("оеаинтсрвлі"), 0.55),
    "GREEK": (frozenset("αοιετσνηυρπκςάόίέύή"), 0.75),
    "HEBREW": (frozenset("יוהלאמרתבשנ"), 0.6),
    "ARABIC": (frozenset("ايلمنرتوبةهعد"), 0.6),
    "THAI": (frozenset("านรกเอมงยลวดทสตะ่้ัิี"), 0.6),
}
_MARKS = frozenset("«»“”„‘’‚‹›–—…•·°©®™€£§\xa0\xad¿¡½²³×№،؟؛ªº")
_INSIDE_WORDS = frozenset("’·\xad")
_WORD = re.compile(r"[A-Za-z0-9]*+[^\x00-\x7f](?:[A-Za-z0-9]|[^\x00-\x7f])*+")


def _alphabetic_score(text: str) -> float:
    points = 0.0
    count = 0
    letters: dict[str, Counter[str]] = {}
    for match in _WORD.finditer(text):
        word = match[0]
        above = [char for char in word if char > "\x7f"]
        count += len(above)
        core = word.strip("".join(_MARKS))
        points += sum(char in _MARKS for char in above) - sum(char in _MARKS for char in core)
        core_letters = [char for char in core if char not in _INSIDE_WORDS]
        scripts = {_script(char) for char in core_letters}
        points += sum(char in _INSIDE_WORDS for char in core)
        if len(scripts) == 1 and _is_word(core):
            letters.setdefault(scripts.pop(), Counter()).update(char.lower() for char in core_letters if char > "\x7f")
    for script, found in letters.items():
        points += _share(script, found) * found.total() if found else 0.0
    return max(0.0, points / count)


def _is_word(core: str) -> bool:
    """Whether upper and lower case stand as in a word, and Latin letters with diacritics are not most of it."""
    if core[1:] != core[1:].lower():
        return False
    latin = [char for char in core if char > "\x7f" and _script(char) == "LATIN"]
    return len(latin) < 3 or len(latin) * 3 <= len(core) * 2


def _share(script: str, found: Counter[str]) -> float:
    """How well the letters fit together: those of the best language in Latin script, frequent ones in others."""
    if script == "LATIN":
        return max(sum(found[letter] for letter in language) for language in _LANGUAGES) / found.total()
    if script not in _FREQUENT:
        return 0.0
    frequent, least = _FREQUENT[script]
    return min(1.0, sum(found[letter] for letter in frequent) / found.total() / least)


@cache
def _script(char: str) -> str:
    if char.isascii():
        return "LATIN" if char.isalpha() else "DIGIT"
    name = unicodedata.name(char, "").partition(" ")[0]
    return name if char.isalpha() or name in _FREQUENT else ""
