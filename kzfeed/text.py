"""Text in, the same text without secrets out: for logs, error texts and anything else that a person reads.

What is removed is the userinfo of every URL and the value after a word such as `password=`. The rule would rather
remove too much than too little; a path such as `/feed/@author` stays.
"""

import re

HIDDEN = "***"

# Everything between `//` and the last `@` of the authority (WHATWG URL: the last one delimits, `/ \ ? #` end it).
_USERINFO = re.compile(r"//[^\s/\\?#\"<>]*@")

# A password with a slash in it, as people paste it: `//name:pass/word@host`. A port is not a password.
_SPLIT_PASSWORD = re.compile(r"//[^\s/\\?#@:\"<>\[\]]{0,200}:(?!\d{0,5}(?:[/?#\s]|$))[^\s\"<>@]{0,200}@")

# libpq's `password=secret`, quoted or not, and the same words as parameters of a query.
_ASSIGNMENT = re.compile(
    r"(?i)(\b[\w-]{0,40}?(?:password|passwd|pwd|secret|token|api[_-]?key)\s{0,3}=\s{0,3})"
    r"('(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|[^\s&;,'\"<>#]+)"
)


def redacted(url: str) -> str:
    """The URL without the name and the password in it: `https://name:secret@host/feed` → `https://***@host/feed`."""
    return redact_text(url)


def redact_text(text: str) -> str:
    """The text with the userinfo of every URL and every `password=…` replaced by `***`."""
    if "@" in text:
        text = _USERINFO.sub(f"//{HIDDEN}@", text)
        text = _SPLIT_PASSWORD.sub(f"//{HIDDEN}@", text)
    if "=" in text:
        text = _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)
    return text
