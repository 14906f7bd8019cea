"""Rules of imports: which package or module may import which, also lazily and for types."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOUNDATION = {"kzfeed"} | {
    f"kzfeed.{each}" for each in ("model", "errors", "text", "hosts", "instants", "source_names")
}
"""What every module may import."""

# Each package or module with those below it; the modules of a package may always import each other.
BELOW: dict[str, set[str]] = {
    "model": set(),
    "errors": set(),
    "text": set(),
    "hosts": set(),
    "instants": set(),
    "source_names": set(),
    "files": set(),
    "feed": set(),
    "article": {"feed"},
    "schedule": set(),
    "search": set(),
    "fetch": set(),
    "sandbox": {"article", "feed"},
    "store": {"search", "files", "article"},
    "clock": set(),
    "batching": set(),
    "shared_host_locks": {"batching", "store"},
    "page_fetch": {"clock", "sandbox", "fetch", "schedule", "store"},
    "poll": {"batching", "clock", "sandbox", "fetch", "schedule", "store", "article"},
    "backfill": {"files", "sandbox", "store", "article"},
    "export": {"files", "backfill", "store", "article"},
    "config": {"article", "files", "feed", "schedule"},
    "sync": {"files", "backfill", "export", "store", "article", "config"},
    "server": {"clock", "store"},
    "web": {"article", "clock", "explanation", "export", "schedule", "search", "store"},
    "explanation": {"schedule", "store"},
    "jobs": {"poll", "page_fetch", "sandbox", "schedule", "store", "sync"},
    "fleet": {"poll", "jobs", "store"},
    "wiring": {"batching", "clock", "shared_host_locks", "page_fetch", "poll", "fetch", "sandbox", "store", "config"},
    "daemon": {
        *("clock", "config", "fleet", "jobs", "poll", "schedule", "server", "store", "sync", "wiring"),
    },
    "doctor": {"check", "wiring", "clock", "fetch", "store", "config", "schedule"},
    "check": {"wiring", "clock", "sandbox", "fetch", "config", "schedule", "feed", "article"},
    "poll_once": {"jobs", "wiring", "batching", "clock", "poll", "store", "schedule", "config"},
    "__main__": {"cli"},
    "cli": {
        "daemon",
        "files",
        "fleet",
        "doctor",
        "wiring",
        "poll_once",
        "schedule",
        "check",
        "explanation",
        "clock",
        "backfill",
        "export",
        "sync",
        "search",
        "store",
        "article",
        "config",
        "web",
    },
}

PURE = (
    "model",
    "errors",
    "text",
    "hosts",
    "instants",
    "source_names",
    "feed",
    "article",
    "schedule",
    "check.feed_report",
    "check.analysis",
    "check.report_lines",
    "sandbox.document_reader",
    "sandbox.page_reader",
    "sandbox.robots_reader",
)
IMPURE = {"httpx2", "sqlalchemy", "apscheduler", "asyncio", "os", "time", "random", "socket", "kzfeed.config"}

# A trigger computes a time from a given time: it reads no clock.
PURE_PARTS = {"schedule.cron": "apscheduler.triggers"}
"""Pure parts of libraries that are impure otherwise, by the module that may import them."""

ONLY_IN = {
    "httpx2": ("fetch.",),
    "httpcore2": ("fetch.",),
    "socksio": ("fetch.",),
    "aiohappyeyeballs": ("fetch.",),
    "sqlalchemy": ("store.",),
    "alembic": ("store.schema",),
    "feedparser": ("feed.",),
    "regex": ("article.filters",),
    "bs4": ("sandbox.base_url", "sandbox.feed_links", "sandbox.page_reader"),
    "protego": ("sandbox.robots_reader",),
    "trafilatura": ("sandbox.page_reader",),
    "soupsieve": ("config.values",),
    "ada_url": ("hosts", "article.url", "fetch."),
    "apscheduler": ("schedule.cron", "daemon.scheduler"),
    "asyncio": (
        *(
            "fetch.",
            "sandbox.pool",
            "batching",
            "shared_host_locks",
            "page_fetch",
            "poll.",
            "poll_once",
            "fleet.",
            "jobs.",
            "daemon.",
        ),
        *("cli.polling", "cli.sources", "cli.source_edits", "cli.doctor", "doctor.network"),
    ),
    "nats": ("fleet.broker",),
    "prometheus_client": ("server.metrics",),
    "pyarrow": ("export.parquet",),
    "starlette": ("cli.web", "web."),
    "uvicorn": ("cli.web", "web.serve"),
    "jinja2": ("cli.web", "web."),
    "nh3": ("cli.web", "web.body"),
    "typer": ("cli.",),
    "rich": ("cli.",),
    "pydantic": ("config.",),
    "pydantic_core": ("config.",),
    "tomli": ("config.",),
    "tomlkit": ("config.",),
    "defusedxml": ("config.opml",),
}
"""Libraries that few modules may import, and prefixes of the names of these modules."""


@functools.cache
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
        elif isinstance(node, ast.Call) and _called(node) in ("__import__", "import_module"):
            found |= {
                str(ast.literal_eval(argument)) for argument in node.args[:1] if isinstance(argument, ast.Constant)
            }
    return found


def _called(call: ast.Call) -> str | None:
    """The last name of what is called."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def breaches(source: str, module: str) -> list[str]:
    """What the module imports and may not."""
    inside = module.removeprefix("kzfeed.")
    part = inside.split(".")[0]
    pure = any(inside == each or inside.startswith(f"{each}.") for each in PURE)
    allowed = BELOW[part] | {part}
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
            found.append(f"{module} imports {name}: {rest[0]} is not below {part}")
        pure_part = inside in PURE_PARTS and f"{name}.".startswith(f"{PURE_PARTS[inside]}.")
        if pure and not pure_part and any(name == each or name.startswith(f"{each}.") for each in IMPURE):
            found.append(f"{module} imports {name}: a pure module")
        if top in ONLY_IN and not f"{inside}.".startswith(ONLY_IN[top]):
            found.append(f"{module} imports {name}: only {', '.join(ONLY_IN[top])} may")
    return found


@functools.cache
def modules() -> dict[str, Path]:
    files = sorted((ROOT / "kzfeed").rglob("*.py"))
    named = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}
    return {name: file for name, file in named.items() if name != "kzfeed"}


@pytest.mark.parametrize("module", modules())
def test_every_module_imports_only_what_lies_below_it(module: str) -> None:
    assert breaches(modules()[module].read_text("utf-8"), module) == []


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for module, path in modules().items():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(module)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_every_permission_is_used() -> None:
    used: dict[str, set[str]] = {part: set() for part in BELOW}
    libraries: dict[str, set[str]] = {library: set() for library in ONLY_IN}
    for module, path in modules().items():
        inside = module.removeprefix("kzfeed.")
        for name in imports(path.read_text("utf-8"), module):
            top, *rest = name.split(".")
            if top == "kzfeed" and rest:
                used[inside.split(".")[0]].add(rest[0])
            elif top in ONLY_IN:
                libraries[top] |= {place for place in ONLY_IN[top] if f"{inside}.".startswith(place)}

    assert {part: below - used[part] for part, below in BELOW.items() if below - used[part]} == {}
    assert {name: set(places) - libraries[name] for name, places in ONLY_IN.items()} == {
        name: set() for name in ONLY_IN
    }


def test_every_package_and_module_is_in_the_plan() -> None:
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
        ("kzfeed.article.url", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import httpx2"),
        ("kzfeed.article.html.content", "from ...store import tables"),
        ("kzfeed.article.html.content", "import importlib\nimportlib.import_module('sqlalchemy')"),
        ("kzfeed.fetch.client", "from kzfeed.store import archive"),
        ("kzfeed.schedule.policy", "import asyncio"),
        ("kzfeed.schedule.policy", "from apscheduler.triggers.cron import CronTrigger"),
        ("kzfeed.schedule.cron", "from apscheduler.schedulers.asyncio import AsyncIOScheduler"),
        ("kzfeed.store.commit", "import kzfeed.fetch.client"),
        ("kzfeed.store.commit", "from kzfeed import poll"),
        ("kzfeed.store.commit", "import asyncio"),
        ("kzfeed.backfill.run", "import feedparser"),
        ("kzfeed.cli.main", "import sqlalchemy as sa"),
        ("kzfeed.model.polls", "from kzfeed.config.settings import Settings"),
    ],
)
def test_a_forbidden_import_is_seen(module: str, source: str) -> None:
    assert breaches(source, module)


def test_each_migration_has_a_revision_of_its_own_and_the_last_one_is_what_kzfeed_needs() -> None:
    files = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    revisions = [file.name[:4] for file in files]
    before = [re.search('^down_revision = "([0-9]{4})"$', file.read_text("utf-8"), re.MULTILINE) for file in files]
    followed = {each[1] for each in before if each}
    needed = re.search('^HEAD = "([0-9]{4})"$', (ROOT / "kzfeed/store/schema.py").read_text("utf-8"), re.MULTILINE)

    assert len(set(revisions)) == len(revisions)
    assert needed
    assert {needed[1]} == set(revisions) - followed
