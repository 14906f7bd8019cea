"""Judgement of an article's page: whether it holds the article, or something else in its place."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_WALL_LENGTH = 500
"""A text of more characters is an article, whatever else the page asks for."""

_SEPARATOR = re.compile(r"\s+[-–—|·:»]\s+|[|｜_]")
_LOG_IN = re.compile(
    r"(?:please )?(?:log|sign)[ -]?(?:in|on)(?: required| to continue| to .{1,40})?|subscribe(?: to .{1,40})?"
    r"|members only|[请請]?登[录錄入]|用户登录|會員登入|会员登录|ログイン|로그인|anmelden|connexion|вход",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"just a moment\.*|attention required!?|checking your browser.*|please wait\.*|one moment,? please\.*"
    r"|(?:are you|verify (?:that )?you are) (?:a robot|(?:a )?human).*|(?:security|human) (?:check|verification)"
    r"|ddos-guard|安全(?:验证|驗證|检查)|人机验证|人機驗證",
    re.IGNORECASE,
)
_ERROR = re.compile(
    r"(?:error )?(?:40[0134]|410|429|50[0234])\b.{0,40}|(?:page |file )?not found|access denied|forbidden"
    r"|(?:internal )?server error|bad gateway|service (?:temporarily )?unavailable|gateway time-?out|error"
    r"|(?:页面|頁面|网页|網頁)?(?:不存在|找不到|出[错錯]|未找到).{0,10}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PageSigns:
    """What a page shows beside text: its title, a field for a password, and the scripts of a bot challenge."""

    title: str = ""
    asks_for_password: bool = False
    has_challenge: bool = False


def why_challenge(signs: PageSigns, entry_title: str, text: str) -> str | None:
    """Why the page is a bot challenge instead of the article; None if it is not."""
    if _is_named(_CHALLENGE, signs, entry_title) or (signs.has_challenge and len(text) < MAX_WALL_LENGTH):
        return "a bot challenge instead of the article"
    return None


def why_no_article(signs: PageSigns, entry_title: str, text: str) -> str | None:
    """Why the page does not hold the article; None if it may."""
    if _is_named(_LOG_IN, signs, entry_title) or (signs.asks_for_password and len(text) < MAX_WALL_LENGTH):
        return "a log-in page instead of the article"
    if _is_named(_ERROR, signs, entry_title):
        return "an error page instead of the article"
    return None


def _is_named(kind: re.Pattern[str], signs: PageSigns, entry_title: str) -> bool:
    """Whether the page's title is such a phrase, alone or before the name of the site, and the article's is not."""
    names = [part.strip() for part in (signs.title, *_SEPARATOR.split(signs.title)[:1])]
    return any(kind.fullmatch(name) for name in names if name and name not in entry_title)


def why_not_taken(text: str, others: Iterable[str]) -> str | None:
    """Why the page's text does not replace the other texts of the article; None if it does."""
    length = _length(text)
    if not length:
        return "the page has no text where the article should be"
    longest = max(map(_length, others), default=0)
    if length < longest:
        return f"the page has {length:,} characters of text where the feed has {longest:,}"
    return None


def _length(text: str) -> int:
    return len("".join(text.split()))
