"""What docs/monitoring.md, the alerts and the dashboard say of metrics agrees with what kzfeed gives."""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from kzfeed.daemon.daemon import POLL_JOB, STUCK_AFTER_TICKS
from kzfeed.daemon.scheduler import TICK
from kzfeed.server.monitor import ANSWER_S, Monitor, Watched
from kzfeed.store.engine import Database
from tests.etiquette.program import within
from tests.server.client import Told

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
ALERTS = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text("utf-8"))
OF_PROMETHEUS = {"up": {"job", "instance"}}
"""Metrics that Prometheus adds, with their labels."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
Described = dict[str, tuple[str, set[str]]]
"""Type and labels of each metric."""


@pytest.fixture(scope="module")
def told(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """All metrics of a daemon with an SQLite archive that has a search index."""
    from kzfeed.store.search.opening import open_index
    from kzfeed.store.search.upkeep import catch_up

    database = Database(f"sqlite:///{shutil.copy(empty_archive, tmp_path_factory.mktemp('monitored'))}")
    with open_index(database) as index:
        catch_up(index)
    monitor = Monitor(database, Watched(POLL_JOB, timedelta(minutes=2)))
    monitor.on_job(POLL_JOB, False)
    within(180, lambda: b"kzfeed_sources_due" in monitor.metrics().body)
    yield Told(200, {}, monitor.metrics().body.decode())
    database.close()


def given(told: Told) -> Described:
    """The metrics that kzfeed gives."""
    names = re.findall(r"^# TYPE (\S+) (\S+)$", told.body, re.MULTILINE)
    samples = told.samples()
    return {
        name: (kind, {label for each in samples if is_of(each.name, name) for label in each.labels} - {"le"})
        for name, kind in names
    }


def is_of(sample: str, metric: str) -> bool:
    return sample in {metric, *(metric + suffix for suffix in SUFFIXES["histogram"])}


def test_the_page_describes_every_metric_with_its_type_and_labels(told: Told) -> None:
    rows = re.findall(r"^\| `(kzfeed_\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \|$", PAGE, re.MULTILINE)
    described = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}

    assert described == {name: each for name, each in given(told).items() if not name.startswith("process_")}


def test_what_the_page_says_of_times_is_so() -> None:
    assert f"has not looked for due sources for {STUCK_AFTER_TICKS * TICK / timedelta(minutes=1):g} minutes" in PAGE
    assert f"the database answers within {ANSWER_S:g} seconds" in PAGE


def test_names_and_labels_follow_the_rules_of_prometheus(told: Told) -> None:
    """The rules that `promtool check metrics` applies."""
    for name, (kind, labels) in given(told).items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(milliseconds|minutes|kilobytes|counter|gauge|histogram)\b", name), name
        assert not name.endswith((*SUFFIXES["histogram"], "_created")), name
        # Prometheus gives these labels itself.
        assert not labels & {"job", "instance", "le", "quantile"}, name
        assert re.search(rf"^# HELP {name} \S", told.body, re.MULTILINE), name


def test_no_metric_has_many_series_or_names_a_source(told: Told) -> None:
    series = [(each.name, tuple(sorted(each.labels))) for each in told.samples()]
    assert max(series.count(each) for each in series) < 30


def test_the_page_lists_the_alerts() -> None:
    assert re.findall(r"^\| `(Kzfeed\w+)` \|", PAGE, re.MULTILINE) == [rule["alert"] for rule in ALERTS]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_can_fire_and_says_what_to_do(rule: dict[str, Any], told: Told) -> None:
    check_expression(rule["expr"], told)

    assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"].keys() == {"summary", "description"}
    for text in rule["annotations"].values():
        assert set(re.findall(r"{{(.*?)}}", text)) <= {
            *(" $labels.instance ", " $value ", " $value | humanizeDuration ", " $value | humanizePercentage ")
        }


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here")
def test_the_alerts_fire_when_they_should_and_not_otherwise() -> None:
    done = subprocess.run(["promtool", "test", "rules", Path(__file__).with_name("alerts.yml")], check=False)
    assert done.returncode == 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here")
def test_promtool_finds_no_fault_with_alerts_and_metrics(told: Told) -> None:
    for arguments, text in ((["rules", ROOT / "deploy" / "alerts.yml"], ""), (["metrics"], told.body)):
        done = subprocess.run(
            ["promtool", "check", *arguments], input=text, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_a_panel_shows_metrics_that_exist(panel: dict[str, Any], told: Told) -> None:
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
        assert "$" not in expression
        check_expression(expression, told)
    assert panel["fieldConfig"]["defaults"]["unit"] in ("s", "short", "ops", "Bps", "bytes")
    assert panel["description"].endswith(".")
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_panels_lie_beside_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in places
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_every_metric_of_kzfeed_is_on_the_dashboard_or_in_an_alert(told: Told) -> None:
    expressions = [rule["expr"] for rule in ALERTS]
    expressions += [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    shown = " ".join([*expressions, json.dumps(DASHBOARD["templating"])])

    missing = {name for name in given(told) if name.startswith("kzfeed_") and name not in shown}
    assert missing == {"kzfeed_polls_flawed_total"}  # the alert looks at the sources


def check_expression(expression: str, told: Told) -> None:
    """Check that it is PromQL of correct types, and that its metrics, labels and values of labels exist."""
    metrics = {**{name: labels for name, (_, labels) in given(told).items()}, **OF_PROMETHEUS}
    selectors = list(selectors_of(promql_parser.parse(expression)))
    samples = told.samples()
    assert selectors
    for selector in selectors:
        name = next(each for each in metrics if is_of(str(selector.name), each))
        for matcher in selector.matchers.matchers:
            assert matcher.name in metrics[name] | {"instance", "job"}, expression
            values = {each.labels.get(matcher.name) for each in samples if is_of(each.name, name)}
            if matcher.name in ("status", "outcome", "kind", "task"):
                assert matcher.value in values, expression


def selectors_of(node: object) -> Iterator[promql_parser.VectorSelector]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    elif isinstance(node, list):
        for each in node:
            yield from selectors_of(each)
    else:
        for part in ("vector_selector", "lhs", "rhs", "expr", "args"):
            yield from selectors_of(getattr(node, part, []))
