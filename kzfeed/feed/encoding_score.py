"""Text in, and how much it looks like something that people write out: this is how East Asian encodings are told apart.

Pure, and a judgement: by the characters in everyday use, which a wrong encoding hardly ever gives.
"""

import re
from functools import cache

CHINESE = ("gb18030", "big5hkscs")
JAPANESE = ("euc_jp", "cp932")
EAST_ASIAN = (*CHINESE, *JAPANESE, "cp949")
ENOUGH = 8_192
"""Bytes or characters: what more there is would change no judgement."""

ABOVE_ASCII = re.compile("[^\x00-\x7f]+")

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
# And the commonest syllables of Korean.
_COMMON_HANGUL = frozenset(
    "이다는을의에가은로고하한지도를사기대서해들시인자정국일장전부과스나었했있것라만으어수리아그제그원상주조보여와동구"
)


def naturalness(text: str, codec: str) -> float:
    """How much the characters above ASCII look like a text that people write, from 0 to 1."""
    points = [_points(char, codec) for run in ABOVE_ASCII.findall(text) for char in run]
    if not points or (codec in JAPANESE and not re.search("[ぁ-んァ-ヶ]", text)):
        return 0.0
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
    return 0.5 if "\xa0" <= char <= "\u06ff" and codec not in EAST_ASIAN else 0.2


@cache
def _everyday() -> frozenset[str]:
    """The characters that GB 2312 and Big5 put into their first level: those in everyday use."""
    pairs = [bytes((lead, trail)) for lead in range(0xA1, 0xF8) for trail in range(0x40, 0xFF)]
    simplified = b"".join(pair for pair in pairs if 0xB0 <= pair[0] <= 0xD7 and pair[1] >= 0xA1)
    traditional = b"".join(pair for pair in pairs if 0xA4 <= pair[0] <= 0xC6)
    return frozenset(simplified.decode("gb2312", "ignore") + traditional.decode("big5", "ignore"))


def excerpt(text: str) -> str:
    """Text enough to judge by, whatever the length of the whole."""
    runs: list[str] = []
    size = 0
    for match in ABOVE_ASCII.finditer(text):
        runs.append(match[0])
        size += len(match[0])
        if size >= ENOUGH:
            break
    return " ".join(runs)[: 2 * ENOUGH]


def total(runs: re.Pattern[str], text: str) -> int:
    """How many characters all the runs have together."""
    # One run at a time: a body may have millions of them.
    return sum(run.end() - run.start() for run in runs.finditer(text))
