"""Health, readiness and metrics of a daemon, when all is well and when it is not."""

import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed import __version__
from kzfeed.model.polls import SourceConfig
from kzfeed.server.monitor import CachedValue, Monitor, Watched
from kzfeed.store import schema, sources, tables
from kzfeed.store.engine import Database
from tests.databases import execute
from tests.etiquette.program import within
from tests.etiquette.recording_server import Answer, RecordedRequest, Reply, recording
from tests.faults.processes import DAEMON, FAST, Running, configure, kzfeed
from tests.server.client import Told, ask

WATCHED = Watched("poll due sources", timedelta(minutes=2))
NOBODY = {"nobody": "http://127.0.0.1:1/"}
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def rss(*titles: str, home: str = "https://f.example") -> bytes:
    items = "".join(
        f"<item><title>{title}</title><link>{home}/{number}</link><description>{title}</description></item>"
        for number, title in enumerate(titles)
    )
    return f'<rss version="2.0"><channel><title>f</title>{items}</channel></rss>'.encode()


@pytest.mark.slow
def test_metrics_of_a_daemon_that_polled_a_misbehaving_server_agree_with_the_server_and_the_database(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    listen = tmp_path / "monitors.sock"
    hosts = [f"127.0.0.{number}" for number in range(2, 9)]
    tag = [("ETag", '"a"')]
    with recording(hosts) as server:
        excerpts = rss("d", "e", home=f"http://{hosts[-1]}:{server.port}")

        def excerpts_until_the_page_was_asked_for(_: RecordedRequest) -> Reply:
            return gone(hosts[-1]) if any(each.path == "/0" for each in server.seen) else Reply(200, (), excerpts)

        scripts: dict[str, list[Reply | Answer]] = {
            "good": [Reply(200, tag, rss("a", "b")), Reply(304), Reply(200, (), rss("A", "b", "c"))],
            "flawed": [Reply(200, (), rss("x & y"))],
            "broken": [Reply(500)],
            "torn": [Reply(200, (), rss("t"), declared=10_000)],
            "page": [Reply(200, [("Content-Type", "text/html")], b"<html><body>hello</body></html>")],
            "away": [Reply(404)],
            "excerpts": [excerpts_until_the_page_was_asked_for],
        }
        places = dict(zip(scripts, hosts, strict=True))
        for name in scripts.keys() - {"excerpts"}:
            scripts[name].append(gone(places[name]))
        urls = {name: server.page("/feed", *scripts[name], host=host).url for name, host in places.items()}
        server.page("/0", Reply(200, [("Content-Type", "text/html")], b"<article>whole</article>"), host=hosts[-1])
        configuration = configure(tmp_path, urls, http=FAST, more=f'[server]\nlisten = "unix:{listen}"')
        with configuration.open("a") as file:
            file.write('full_text = "css:article"\n')  # of the last source
        with Running(tmp_path, database_url, "run") as daemon:
            daemon.wait_for("running")
            # Then nothing is polled any more.
            within(
                120,
                lambda: kinds(told := ask(listen, "/metrics"))["gone"] == len(scripts) and pages(told)["stored"] > 0,
            )
            asked = sum(request.path == "/feed" for request in server.seen)
            told = ask(listen, "/metrics")
            assert ask(listen, "/healthz").status == 200
            within(180, lambda: ask(listen, "/readyz").status == 200)
            assert daemon.stop() == 0

    with database.read() as connection:
        rows = connection.execute(sa.select(tables.polls)).all()
        articles = connection.execute(sa.select(sa.func.count()).select_from(tables.articles)).scalar_one()
    assert asked == len(rows)
    for outcome, number in Counter(row.outcome for row in rows).items():
        assert told.value("kzfeed_polls_total", outcome=outcome) == number
    assert told.value("kzfeed_polls_total", outcome="not-modified") == 1
    assert kinds(told) == Counter(row.error_kind for row in rows if row.error_kind)
    assert told.value("kzfeed_polls_flawed_total") == sum(row.flaw is not None for row in rows) == 1
    assert told.value("kzfeed_new_articles_total") == articles == 6
    assert told.value("kzfeed_revised_articles_total") == sum(row.revised_articles for row in rows) == 1
    served = sum(len(rss(*titles)) for titles in ("ab", "Abc", ["x & y"]))
    # The last one was told that the feed is gone.
    served += (sum(request.path == "/feed" for request in server.at(hosts[-1])) - 1) * len(excerpts)
    assert told.value("kzfeed_document_bytes_total") == sum(row.bytes for row in rows) == served
    assert told.value("kzfeed_poll_duration_seconds_count") == told.value("kzfeed_poll_lag_seconds_count") == asked
    assert told.value("kzfeed_poll_lag_seconds_bucket", le="60.0") == asked
    assert pages(told)["stored"] == 1
    assert told.value("kzfeed_build_info", version=__version__) == 1
    assert told.value("kzfeed_task_runs_total", task=WATCHED.job, result="done") > 0


def gone(host: str) -> Reply:
    """The 410 of this host. The same one from several hosts would be taken for a captive portal's."""
    return Reply(410, [("Server", host)])


def kinds(told: Told) -> Counter[str]:
    """How many polls failed, by kind."""
    return counted(told, "kzfeed_poll_failures_total", "kind")


def pages(told: Told) -> Counter[str]:
    """How many pages were fetched, by outcome."""
    return counted(told, "kzfeed_page_fetches_total", "outcome")


def counted(told: Told, name: str, label: str) -> Counter[str]:
    found = [each for each in told.samples() if each.name == name and each.value]
    return Counter({each.labels[label]: int(each.value) for each in found})


def test_polls_that_cannot_be_stored_are_counted(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refusal BEFORE INSERT ON polls BEGIN SELECT raise(ABORT, 'refused'); END"
        )
    listen = tmp_path / "monitors.sock"
    configure(tmp_path, NOBODY, every="1h", more=f'[server]\nlisten = "unix:{listen}"')
    with Running(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run") as daemon:
        daemon.wait_for("poll not stored")
        within(180, lambda: ask(listen, "/metrics").value("kzfeed_polls_not_stored_total") == 1)
        assert counted(ask(listen, "/metrics"), "kzfeed_polls_total", "outcome").total() == 0
        assert daemon.stop() == 0


def test_a_scheduler_that_is_stuck_is_not_healthy_until_it_goes_on(sqlite_database: Database, tmp_path: Path) -> None:
    blocked, listen = tmp_path / "blocked", tmp_path / "monitors.sock"
    configure(tmp_path, NOBODY)
    options = {"tick": 0.05, "listen": str(listen), "stuck_after": 1.5, "blocked": str(blocked)}
    with Running(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", json.dumps(options), module=DAEMON) as daemon:
        daemon.wait_for("running")
        within(180, lambda: ask(listen, "/healthz").status == 200)

        blocked.touch()
        within(180, lambda: ask(listen, "/healthz").status == 503)
        assert "last looked for due sources" in ask(listen, "/healthz").body

        blocked.unlink()
        within(180, lambda: ask(listen, "/healthz").status == 200)
        assert daemon.stop() == 0


def test_a_database_without_the_current_schema_is_not_ready(database_url: str) -> None:
    database = Database(database_url)
    schema.create(database, "0012")
    monitor = Monitor(database, WATCHED)
    told = monitor.readiness()
    database.close()

    assert told.status == 503
    assert b"its schema is not current" in told.body


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_is_away_is_not_ready_and_has_no_figures(database: Database, database_url: str) -> None:
    name = str(sa.make_url(database_url).database)
    server = sa.make_url(database_url).set(database="postgres").render_as_string(hide_password=False)
    monitor = Monitor(database, WATCHED)
    execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    execute(server, f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{name}'")
    told, metrics = monitor.readiness(), told_by(monitor)
    execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    assert told.status == 503
    assert name.encode() not in told.body
    assert metrics.value("kzfeed_database_up") == 0
    assert not [each for each in metrics.samples() if each.name == "kzfeed_sources"]
    within(180, lambda: monitor.readiness().status == 200)


def test_a_damaged_file_is_not_ready_and_has_no_figures(sqlite_database: Database, tmp_path: Path) -> None:
    sqlite_database.close()
    (tmp_path / "kzfeed.db").write_bytes(b"no database" * 1000)
    monitor = Monitor(sqlite_database, WATCHED)
    assert monitor.readiness().status == 503
    assert told_by(monitor).value("kzfeed_database_up") == 0


def told_by(monitor: Monitor) -> Told:
    answer = monitor.metrics()
    return Told(answer.status, {}, answer.body.decode())


def test_a_database_that_hangs_keeps_nobody_waiting_and_is_asked_only_once() -> None:
    answered, asked = threading.Event(), []

    def read() -> str:
        asked.append(time.monotonic())
        answered.wait(60)
        return "figures"

    reading = CachedValue(read, kept=0.0, patience=0.2)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            reading.get()
    answered.set()
    within(180, lambda: reading.get() == "figures")

    assert len(asked) <= 2


def test_figures_are_kept_for_a_while() -> None:
    numbers = iter(range(100))
    reading = CachedValue(lambda: next(numbers), kept=1.0)
    assert (reading.get(), reading.get()) == (0, 0)
    within(180, lambda: reading.get() == 1)


def test_figures_of_the_database(database: Database) -> None:
    configs = [SourceConfig(name, f"https://{name}.example/") for name in ("a", "b", "c", "d")]
    sources.configure(database, configs, NOW)
    sources.configure(database, configs[:3], NOW)
    source = tables.sources.c
    with database.write() as connection:
        later = sa.update(tables.sources).values(next_poll_at=datetime.now(UTC) + timedelta(hours=1))
        connection.execute(later)
        since = datetime.now(UTC) - timedelta(hours=3)
        state = {"flaw": "it is torn", "failure_count": 1, "status": "failing", "last_success_at": since}
        connection.execute(sa.update(tables.sources).where(source.name == "a").values(state))
        lately = {"status": "failing", "failing_since": datetime.now(UTC) - timedelta(hours=1)}
        connection.execute(sa.update(tables.sources).where(source.name == "b").values(lately))
        waited = datetime.now(UTC) - timedelta(minutes=5)
        connection.execute(sa.update(tables.sources).where(source.name == "b").values(next_poll_at=waited))
        (source_id,) = connection.execute(sa.select(source.id).where(source.name == "c")).one()
        gap = {"source_id": source_id, "from_at": NOW, "to_at": NOW, "noticed_at": NOW}
        connection.execute(sa.insert(tables.gaps), [gap])

    monitor = Monitor(database, WATCHED)
    within(180, lambda: told_by(monitor).value("kzfeed_database_up") == 1)
    told = told_by(monitor)

    by_status = {each.labels["status"]: each.value for each in told.samples() if each.name == "kzfeed_sources"}
    assert by_status == {"active": 1, "failing": 2, "gone": 0, "removed": 1, "backfilled": 0}
    assert told.value("kzfeed_sources_flawed") == 1
    assert told.value("kzfeed_sources_without_success") == 1
    assert told.value("kzfeed_sources_due") == 1
    assert told.value("kzfeed_schedule_lag_seconds") == pytest.approx(300, abs=60)
    assert told.value("kzfeed_gaps_total") == 1
    assert told.value("kzfeed_articles") == 0
    assert told.value("kzfeed_database_size_bytes") > 100_000


def test_an_address_that_cannot_be_used_ends_the_daemon_with_a_sentence(
    sqlite_database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    configure(tmp_path, NOBODY, more=f'[server]\nlisten = "unix:{file}"')
    done = kzfeed(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", "run")

    assert done.returncode == 2
    assert f"cannot listen on {file}" in done.stderr
    assert "Traceback" not in done.stderr
