"""The walls of the house: who may import whom, lazily and for types too. The rooms and the rules are the design's."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOUNDATION = {"kzfeed", "kzfeed.model", "kzfeed.errors", "kzfeed.redact"}
"""What every room may import."""

# Each room with the rooms below it; a room's own modules may always import each other.
BELOW: dict[str, set[str]] = {
    "model": set(),
    "errors": set(),
    "redact": set(),
    "feed": set(),
    "article": {"feed"},
    "document": {"article", "feed"},
    "frames": set(),
    "worker": {"child", "document", "frames"},
    "workers": {"frames"},
    "net": {"article", "feed"},
    "store": {"article", "feed"},
    "check": {"net", "article", "feed"},
    "check_words": {"check", "net"},
    "batches": set(),
    "poll": {"batches", "workers", "document", "net", "store", "article", "feed"},
    "child": set(),
    "files": {"child", "article", "feed"},
    "backfill": {"files", "store", "article", "feed"},
    "export": {"store", "article", "feed"},
    "config_values": set(),
    "config": {"config_values"},
    "log": {"config"},
    "daemon": {"poll", "backfill", "export", "net", "store"},
    "service": {"daemon", "batches", "poll", "workers", "net", "store", "config"},
    "by_hand": {"service", "batches", "poll", "check", "net", "store", "config", "config_values"},
    "terminal": {"by_hand", "backfill", "article"},
    "__main__": {"cli"},
    "cli_options": {"store", "config", "log"},
    "cli": {
        "cli_options",
        "service",
        "by_hand",
        "check_words",
        "daemon",
        "poll",
        "backfill",
        "files",
        "export",
        "store",
        "article",
        "config",
        "log",
        "terminal",
    },
}

PURE = (
    "model",
    "errors",
    "redact",
    "feed",
    "article",
    "document",
    "check",
    "check_words",
    "net.politeness",
    "net.rhythm",
    "net.freshness",
    "net.explain",
)
IMPURE = {"httpx", "aiohttp", "sqlalchemy", "apscheduler", "asyncio", "os", "time", "random", "socket", "kzfeed.config"}

ONLY_IN = {
    "httpx": ("net.",),
    "httpx_aiohttp": ("net.",),
    "aiohttp": ("net.",),
    "sqlalchemy": ("store.",),
    "alembic": ("store.schema",),
    "feedparser": ("feed.parse",),
    "selectolax": ("article.",),
    "ada_url": ("article.url", "net."),
    "apscheduler": ("daemon", "poll", "config_values"),
    "typer": ("cli",),
    "rich": ("terminal", "log"),
    "pydantic": ("config.", "config_values."),
    "pydantic_core": ("config.",),
}
"""One library, one room: a prefix of the modules that may import it."""


def imports(source: str, module: str) -> set[str]:
    """Every module that the source imports, wherever in it, with the names it takes from packages."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module.rsplit(".", node.level)[0] if node.level else ""
            base = ".".join(filter(None, (package, node.module)))
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            found |= {
                str(ast.literal_eval(argument)) for argument in node.args[:1] if isinstance(argument, ast.Constant)
            }
    return found


def breaches(source: str, module: str) -> list[str]:
    """What the module imports and may not."""
    inside = module.removeprefix("kzfeed.")
    room = inside.split(".")[0]
    pure = any(inside == each or inside.startswith(f"{each}.") for each in PURE)
    allowed = BELOW[room] | {room}
    found: list[str] = []
    for name in sorted(imports(source, module)):
        top, *rest = name.split(".")
        if (
            top == "kzfeed"
            and rest
            and rest[0] in BELOW
            and rest[0] not in allowed
            and f"kzfeed.{rest[0]}" not in FOUNDATION
        ):
            found.append(f"{module} imports {name}: {rest[0]} is not below {room}")
        if pure and any(name == each or name.startswith(f"{each}.") for each in IMPURE):
            found.append(f"{module} imports {name}: a pure room")
        if top in ONLY_IN and not f"{inside}.".startswith(ONLY_IN[top]):
            found.append(f"{module} imports {name}: only {', '.join(ONLY_IN[top])} may")
    return found


def modules() -> dict[str, Path]:
    files = sorted((ROOT / "kzfeed").rglob("*.py"))
    named = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}
    return {name: file for name, file in named.items() if name != "kzfeed"}


@pytest.mark.parametrize("module", modules())
def test_every_module_imports_only_what_lies_below_it(module: str) -> None:
    assert breaches(modules()[module].read_text("utf-8"), module) == []


def test_every_room_is_in_the_plan() -> None:
    assert {name.split(".")[1] for name in modules()} == set(BELOW)


def test_the_versions_of_the_schema_import_nothing_of_kzfeed() -> None:
    versions = sorted((ROOT / "migrations" / "versions").glob("*.py"))

    assert versions
    for version in versions:
        assert not [name for name in imports(version.read_text("utf-8"), "versions") if name.startswith("kzfeed")]


def test_the_migrations_import_only_the_tables() -> None:
    found = imports((ROOT / "migrations" / "env.py").read_text("utf-8"), "env")

    assert {name for name in found if name.startswith("kzfeed")} == {
        "kzfeed.store.tables",
        "kzfeed.store.tables.metadata",
    }


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("kzfeed.feed.parse", "import time"),
        ("kzfeed.feed.parse", "from kzfeed.article import url"),
        ("kzfeed.article.url", "def f():\n    from os import path"),
        ("kzfeed.article.url", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import httpx"),
        ("kzfeed.article.html", "from ..store import tables"),
        ("kzfeed.article.html", "import importlib\nimportlib.import_module('sqlalchemy')"),
        ("kzfeed.net.fetch", "from kzfeed.store import archive"),
        ("kzfeed.net.politeness", "import asyncio"),
        ("kzfeed.store.archive", "import kzfeed.net.fetch"),
        ("kzfeed.store.archive", "from kzfeed import poll"),
        ("kzfeed.backfill", "import feedparser"),
        ("kzfeed.cli", "import sqlalchemy as sa"),
        ("kzfeed.model", "from kzfeed.config import Settings"),
    ],
)
def test_a_forbidden_import_is_seen(module: str, source: str) -> None:
    assert breaches(source, module)
