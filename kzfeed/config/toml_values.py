"""Values of settings in TOML, as files hold them, as people type them, and as attributes of an OPML file hold them."""

from collections.abc import Mapping
from typing import Any

import tomli
import tomlkit


def value_from(text: str) -> Any:
    """The value in TOML syntax (`false`, `["News"]`, `"30m"`), or the text itself where it is not TOML."""
    try:
        parsed = tomli.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def text_from(value: Any) -> str:
    """The text that `value_from` reads as this value."""
    if isinstance(value, str) and value_from(value) == value:
        return value
    return str(toml_item(value).as_string())


def toml_item(value: Any) -> Any:
    """The value as tomlkit writes it, tables and lists in one line."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, each in value.items():
            table[key] = toml_item(each)
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        for each in value:
            array.append(toml_item(each))
        return array
    return tomlkit.item(value)
