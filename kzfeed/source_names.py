"""The rule for names of sources, which are also the names of folders in an export."""

import re

SOURCE_NAME_RULE = "1 to 64 small letters of any script, digits, '.', '_' and '-', and no '.' or '-' first"
_NAME = re.compile(r"\w[\w.-]{0,63}")


def is_source_name(text: object) -> bool:
    """Whether this may be the name of a source: see SOURCE_NAME_RULE."""
    return isinstance(text, str) and bool(_NAME.fullmatch(text)) and text == text.lower()


def source_name_from(text: str) -> str:
    """The text made into the name of a source; empty where nothing of it can be kept."""
    return re.sub(r"[^\w.-]+", "-", text.lower()).strip(".-")[:64]
