"""Values of settings as people type them at a command line, and as attributes of an OPML file hold them."""

from typing import Any

import tomli


def value_from(text: str) -> Any:
    """The value in TOML syntax (`false`, `["News"]`, `"30m"`), or the text itself where it is not TOML."""
    try:
        parsed = tomli.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def text_from(value: Any) -> str:
    """The text that `value_from` reads as this value."""
    import tomlkit

    if isinstance(value, str) and value_from(value) == value:
        return value
    return str(tomlkit.item(value).as_string())
