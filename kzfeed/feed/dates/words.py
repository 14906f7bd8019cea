"""Words in dates: months, weekdays, eras and the halves of the day, in the languages that feeds use.

Words are lower-case and in NFC. A word for a month is listed only if it means the same month in every language here.
"""

from collections.abc import Iterable, Mapping
from typing import Final

# English, French, German, Spanish, Italian, Portuguese, Dutch, Hungarian; Russian; Greek.
_MONTHS: Final = (
    "january jan janvier janv januar jänner jän enero ene gennaio gen janeiro januari január"
    " января январь янв ιανουαρίου ιανουάριος ιαν",
    "february feb février fevrier févr fevr fév februar febrero febbraio febbr fevereiro fev februari február febr"
    " февраля февраль фев февр φεβρουαρίου φεβρουάριος φεβ",
    "march mar mars märz maerz mär marzo março marco maart mrt március márc марта март мар μαρτίου μάρτιος μάρ μαρ",
    "april apr avril avr abril abr aprile április ápr апреля апрель апр απριλίου απρίλιος απρ",
    "may mai mayo maggio mag maio mei május máj мая май μαΐου μάιος μάι μαϊ",
    "june jun juin juni junio giugno giu junho június jún июня июнь июн ιουνίου ιούνιος ιούν ιουν",
    "july jul juillet juil juli julio luglio lug julho július júl июля июль июл ιουλίου ιούλιος ιούλ ιουλ",
    "august aug août aout agosto ago augustus augusztus августа август авг αυγούστου αύγουστος αύγ αυγ",
    "september sep sept septembre septiembre setiembre settembre sett set setembro szeptember szept"
    " сентября сентябрь сен сент σεπτεμβρίου σεπτέμβριος σεπ σεπτ",
    "october oct octobre oktober okt octubre ottobre ott outubro out október октября октябрь окт"
    " οκτωβρίου οκτώβριος οκτ",
    "november nov novembre noviembre novembro ноября ноябрь ноя нояб νοεμβρίου νοέμβριος νοέ νοε",
    "december dec décembre decembre déc dezember dez diciembre dic dicembre dezembro декабря декабрь дек"
    " δεκεμβρίου δεκέμβριος δεκ",
)

MONTHS: Final[Mapping[str, int]] = {
    word: number for number, words in enumerate(_MONTHS, start=1) for word in words.split()
}

_WEEKDAYS: Final = (
    "monday mon tuesday tue tues wednesday wed weds thursday thu thur thurs friday fri saturday sat sunday sun"
    " lundi lun mardi mar mercredi mer jeudi jeu vendredi ven samedi sam dimanche dim"
    " montag mo dienstag di mittwoch mi donnerstag do freitag fr samstag sonnabend sa sonntag so"
    " lunes martes miércoles miercoles mié mie jueves jue viernes vie sábado sabado sáb sab domingo dom"
    " lunedì lunedi martedì martedi mercoledì mercoledi giovedì giovedi gio venerdì venerdi sabato domenica"
    " segunda-feira terça-feira terca-feira quarta-feira quinta-feira sexta-feira"
    " segunda seg terça ter quarta qua quinta qui sexta sex"
    " maandag ma dinsdag woensdag wo donderdag vrijdag vr zaterdag za zondag zo"
    " hétfő kedd szerda csütörtök péntek szombat vasárnap"
    " понедельник пн вторник вт среда ср четверг чт пятница пт суббота сб воскресенье вс"
    " δευτέρα δευ δεύ τρίτη τρι τρί τετάρτη τετ πέμπτη πεμ πέμ παρασκευή παρ σάββατο σαβ σάβ κυριακή κυρ"
)

EAST_ASIAN_WEEKDAYS: Final = frozenset(
    [prefix + day for prefix in ("星期", "周", "週", "礼拜", "禮拜", "") for day in "一二三四五六日天"]
    + [day + suffix for day in "月火水木金土日" for suffix in ("曜日", "曜", "")]
    + [day + suffix for day in "월화수목금토일" for suffix in ("요일", "")]
)

WEEKDAYS: Final = frozenset(_WEEKDAYS.split()) | EAST_ASIAN_WEEKDAYS

ERAS: Final[Mapping[str, int]] = {
    "公元": 0,
    "西元": 0,
    "令和": 2018,
    "平成": 1988,
    "民國": 1911,
    "民国": 1911,
    "中華民國": 1911,
    "中华民国": 1911,
}
"""What to add to a year of the era for the year of the common calendar."""


def _same(hours: Iterable[int]) -> dict[int, int]:
    return {hour: hour for hour in hours}


def _later(hours: Iterable[int]) -> dict[int, int]:
    return {hour: hour + 12 for hour in hours}


# "17:12 PM" has one meaning and is common; "00:30 PM" has none that is sure.
_BEFORE_NOON: Final = _same(range(12)) | {12: 0}
_AFTER_NOON: Final = _later(range(1, 12)) | _same(range(12, 24))
_EARLY: Final = _same(range(7)) | {12: 0}
_MORNING: Final = _same(range(4, 12))
_NOON: Final = _same((11, 12, 13)) | {1: 13}
_DUSK: Final = _later(range(4, 9)) | _same(range(16, 21))
# Twelve at night may be the day's beginning or its end: left out.
_EVENING: Final = _later(range(5, 12)) | _same(range(17, 24))

HALVES: Final[Mapping[str, Mapping[int, int]]] = {
    "am": _BEFORE_NOON,
    "pm": _AFTER_NOON,
    "오전": _BEFORE_NOON,
    "오후": _AFTER_NOON,
    "上午": _BEFORE_NOON,
    "下午": _AFTER_NOON,
    # Japanese counts 0 to 11; its twelve is used in both senses.
    "午前": _same(range(12)),
    "午後": _later(range(12)),
    "凌晨": _EARLY,
    "清晨": _MORNING,
    "早晨": _MORNING,
    "早上": _MORNING,
    "中午": _NOON,
    "傍晚": _DUSK,
    "晚上": _EVENING,
    "晚间": _EVENING,
    "晚間": _EVENING,
}
"""For each word the hours that may be written with it, and the hour of the day that each one is."""

LABELS: Final = (
    *("发布时间", "發布時間", "发表时间", "發表時間", "发布日期", "發布日期", "发布于", "發布於", "发表于", "發表於"),
    *("时间", "時間", "日期", "published", "published on", "posted", "posted on", "pubdate", "date"),
)
"""What may stand before a date and say no more than that it is one."""
