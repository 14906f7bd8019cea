"""Examination of the network: the resolver, the proxies, and visits to a few sources."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from kzfeed.check.visit import check_feed
from kzfeed.clock import utc_now
from kzfeed.config.settings import Settings
from kzfeed.doctor.diagnosis import Diagnosis
from kzfeed.errors import DatabaseError, KzfeedError
from kzfeed.fetch.addresses import Resolver, address_of
from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.host_queue import HostQueues
from kzfeed.fetch.proxy import parse_proxy
from kzfeed.hosts import host_of
from kzfeed.model.polls import Source
from kzfeed.schedule.permission import pause_end, why_not_polled
from kzfeed.store import schema, sources
from kzfeed.store.engine import Database
from kzfeed.store.queue import host_pauses
from kzfeed.text import failure_text, plural, redacted
from kzfeed.wiring import host_queues

SAMPLE = 5
_PATIENCE_S = 10


async def examine_network(settings: Settings) -> list[Diagnosis]:
    """Examine the network by the names, proxies and feeds of the configuration. Nothing is stored."""
    now = utc_now()
    stored, paused = _state(settings, now)
    if stored and not settings.names_sources:
        polled = {name: source for name, source in stored.items() if not why_not_polled(source)}
        urls = {name: source.configured_url or source.url for name, source in polled.items()}
    else:
        urls = {source.name: source.url for source in settings.sources if source.enabled}
    found = [await _resolver(settings, list(urls.values()))]
    found += [await _proxy(url) for url in _proxies(settings)]
    chosen = sample(urls, stored, paused, now, settings.http.min_interval)
    if not chosen:
        said = "none that may be visited now: all were polled lately, or their servers asked to wait"
        return [*found, Diagnosis("sources", "good", said if urls else "none yet: `kzfeed sources add URL` adds one")]
    queues = host_queues(settings, visited={})
    visits = (_visit(settings, name, urls[name], queues) for name in chosen)
    return [*found, *await asyncio.gather(*visits)]


def sample(
    urls: Mapping[str, str],
    stored: Mapping[str, Source],
    paused: Mapping[str, datetime],
    now: datetime,
    min_interval: timedelta,
) -> list[str]:
    """The names of at most five sources of different hosts that may be visited now, those that fail first."""
    chosen: dict[str, str] = {}
    failing_first = sorted(urls, key=lambda name: name not in stored or stored[name].status != "failing")
    for name in failing_first:
        host, source = host_of(urls[name]), stored.get(name)
        if source:
            is_recent = source.last_polled_at is not None and now - source.last_polled_at < min_interval
            if is_recent or why_not_polled(source) or pause_end(source, paused.get(host), now):
                continue
        if not (paused.get(host) or now) > now:
            chosen.setdefault(host, name)
    return list(chosen.values())[:SAMPLE]


def _state(settings: Settings, now: datetime) -> tuple[dict[str, Source], dict[str, datetime]]:
    """The sources and the pauses of hosts in the database; nothing where it cannot be used, which is said elsewhere."""
    with suppress(DatabaseError):
        database = Database(settings.database.url, create=False)
        try:
            schema.require_current(database)
            stored = {source.name: source for source in sources.load(database)}
            return stored, host_pauses.paused_hosts(database, now)
        finally:
            database.close()
    return {}, {}


async def _resolver(settings: Settings, urls: Sequence[str]) -> Diagnosis:
    if settings.proxies().https or settings.proxies().http:
        return Diagnosis("resolver", "good", "not needed: the proxy looks names up")
    hosts = dict.fromkeys(host for host in map(host_of, urls) if not address_of(host))
    said = ""
    for host in list(hosts)[:SAMPLE]:  # one that does not resolve may be the fault of its own servers
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await Resolver().find(host, 443)
        except (VisitError, TimeoutError) as error:
            said = str(error) or f"no answer for {host} within {_PATIENCE_S} s"
        else:
            return Diagnosis("resolver", "good", f"{host} has {plural(len(found), 'address', 'addresses')}")
    if said:
        return Diagnosis("resolver", "broken", f"{said}: see /etc/resolv.conf, and whether this machine is online")
    return Diagnosis("resolver", "good", "not needed: no source has a name to look up")


def _proxies(settings: Settings) -> list[str]:
    general = settings.proxies()
    own = [source.proxy for source in settings.sources if source.enabled]
    return list(dict.fromkeys(url for url in (general.http, general.https, *own) if url))


async def _proxy(url: str) -> Diagnosis:
    proxy = parse_proxy(url)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(proxy.host, proxy.port)
    except (OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {_PATIENCE_S} s"
        return Diagnosis("proxy", "broken", f"{proxy} does not answer ({why}): start it, or change proxy under [http]")
    writer.close()
    return Diagnosis("proxy", "good", f"{proxy} answers")


async def _visit(settings: Settings, name: str, url: str, queues: HostQueues) -> Diagnosis:
    subject = f"source {name}"
    try:
        report = await check_feed(settings, url, queues=queues)
    except KzfeedError as error:
        return Diagnosis(subject, "to look at", redacted(str(error)))
    if report.error:
        why = redacted(failure_text(report.error_kind, report.error))
        return Diagnosis(subject, "to look at", f"{why}: see `kzfeed explain {name}`")
    if report.document and report.document.flaws:
        return Diagnosis(
            subject,
            "to look at",
            f"flaw: {report.document.flaws[0]}: `kzfeed sources check` with its address says more",
        )
    articles = plural(report.document.articles if report.document else 0, "article")
    return Diagnosis(subject, "good", f"{report.http_status}, {articles}")
