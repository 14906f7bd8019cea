"""What `kzfeed sources list` shows: the sources of the configuration and of the database, with their state."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kzfeed.cli.output import minute, print_line, print_sentence
from kzfeed.text import failure_text, plural, printable, redacted

if TYPE_CHECKING:
    from kzfeed.config.settings import Settings

_UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(
        ("id", "last_success_at", "last_error_kind", "last_error", "flaw", "next_poll_at", "last_article_at")
    ),
    **dict.fromkeys(("failure_count", "articles", "articles_24h", "articles_7d", "gaps"), 0),
}
"""The state of a source that the database does not know yet."""


def source_rows(health: Sequence[Mapping[str, Any]], settings: "Settings") -> list[dict[str, Any]]:
    """The sources by name: as the configuration has them now, with the state that the database has.

    `status` is that of the database, `new` for a source that it does not have yet, `removed` for one that is no longer
    in the configuration, and `backfilled` for one that has no address to poll.
    """
    # A new database gets the sources of the settings; any other keeps its own where the configuration names none.
    is_configured = settings.names_sources or not health
    configs = {config.name: config for config in settings.source_configs()} if is_configured else {}
    tags = {source.name: list(source.tags) for source in settings.sources}
    rows: dict[str, dict[str, Any]] = {}
    for row in health:
        rows[row["name"]] = {**row, "tags": tags.get(row["name"], []) if row["name"] in configs else []}
        if row["url"] is None and row["name"] not in configs:
            rows[row["name"]]["status"] = "backfilled"
        if settings.names_sources and row["url"] and row["name"] not in configs:
            rows[row["name"]] |= {"status": "removed", "enabled": False, "next_poll_at": None}
    for name, config in configs.items():
        row = rows.setdefault(name, {**_UNKNOWN, "name": name, "status": "new", "title": None, "tags": tags[name]})
        if row.get("configured_url") != config.url:
            row |= {"url": config.url, "configured_url": config.url}
        row |= {"enabled": config.enabled, "title": config.title or row["title"]}
        if not config.enabled:
            row["next_poll_at"] = None
    return [rows[name] for name in sorted(rows)]


def print_sources(sources: Sequence[Mapping[str, Any]]) -> None:
    """Print each source: its state on one line, then its address, its last error and its tags, if it has them."""
    from rich.cells import cell_len

    names = [printable(source["name"]) for source in sources]
    width = max(map(cell_len, names), default=0)
    status_width = 10 if any(source["status"] == "backfilled" for source in sources) else 8
    for name, source in zip(names, sources, strict=True):
        is_disabled = not source["enabled"] and source["status"] != "removed"
        status = "disabled" if is_disabled and source["url"] else source["status"]
        kept = (
            f"{name}{' ' * (width - cell_len(name))}  {status:<{status_width}}  {plural(source['articles'], 'article')}"
        )
        if source["url"] is None:
            print_line(f"{kept}, not polled")
            continue
        newest = source["last_article_at"]
        print_line(f"{kept}, the last at {minute(newest)}" if newest else kept)
        print_line(f"  {redacted(source['url'])}")
        if status == "new":
            print_line("  not polled yet: `kzfeed run` and `kzfeed poll` begin")
        else:
            success, planned = source["last_success_at"], source["next_poll_at"]
            last, following = (minute(when) if when else "never" for when in (success, planned))
            print_line(f"  last success: {last}, next poll: {following}")
        if source["last_error"]:
            why = failure_text(source["last_error_kind"], source["last_error"])
            print_sentence(f"  last error: {redacted(why)}", indent=4)
        if source["flaw"]:
            print_sentence(f"  flaw: {redacted(source['flaw'])}", indent=4)
        if source["tags"]:
            print_sentence(f"  tags: {', '.join(source['tags'])}", indent=4)
