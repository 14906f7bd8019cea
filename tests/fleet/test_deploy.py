"""The files in deploy/ that run a fleet say what they should: Compose, Kubernetes and the configuration of NATS."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kzfeed.config.load import load
from tests.fleet.brokers import nats_server
from tests.pods import assert_restricted

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
SERVERS = ["nats-0", "nats-1", "nats-2"]
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "fleet.yaml").read_text("utf-8")))
WORKLOADS = [each for each in OBJECTS if each["kind"] in ("Deployment", "StatefulSet")]


def object_called(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def check_nats_configuration(file: Path, **environment: str) -> None:
    command = [nats_server(), "-t", "-c", str(file)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_compose_runs_three_servers_of_nats_and_postgresql_for_the_members() -> None:
    with_profile = {name for name, service in COMPOSE.items() if "fleet" in service.get("profiles", [])}
    member = COMPOSE["kzfeed-fleet"]

    assert with_profile == {"kzfeed-fleet", "postgres", *SERVERS}
    assert member["depends_on"].keys() == {"postgres", *SERVERS}
    assert member["deploy"]["replicas"] == 4
    assert (member["read_only"], member["cap_drop"], member["stop_grace_period"]) == (True, ["ALL"], "10s")
    settings = load(environ={"KZFEED_FLEET_SERVERS": member["environment"]["KZFEED_FLEET_SERVERS"]}, cwd=DEPLOY)
    assert settings.fleet.servers == tuple(f"nats://{name}:4222" for name in SERVERS)
    for name in SERVERS:
        assert COMPOSE[name]["environment"] == {"NAME": name}
        assert COMPOSE[name]["volumes"] == ["./nats.conf:/etc/nats.conf:ro"]
        assert COMPOSE[name]["command"] == ["--config", "/etc/nats.conf"]


def test_nats_accepts_its_configuration(tmp_path: Path) -> None:
    check_nats_configuration(DEPLOY / "nats.conf", NAME="nats-0")
    of_kubernetes = tmp_path / "nats.conf"
    of_kubernetes.write_text(object_called("ConfigMap", "nats")["data"]["nats.conf"], "utf-8")
    check_nats_configuration(of_kubernetes, NAME="nats-0", TOKEN="a1")  # noqa: S106 - of a test


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    for each in OBJECTS:
        kubernetes_validate.validate(each, version, strict=True)


def test_the_namespace_comes_before_what_is_in_it_and_restricts_its_pods() -> None:
    first, *others = OBJECTS
    assert first["kind"] == "Namespace"
    assert first["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    assert {each["metadata"]["namespace"] for each in others} == {first["metadata"]["name"]}


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_the_pods_keep_the_restricted_pod_security_standard(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert_restricted(pod)
    volumes = {each["name"] for each in pod["volumes"]}
    volumes |= {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_members_are_replaced_one_by_one() -> None:
    deployment = object_called("Deployment", "kzfeed")["spec"]
    assert deployment["replicas"] == 4
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}


def test_members_on_kubernetes_find_the_servers_of_nats_and_the_secrets(tmp_path: Path) -> None:
    text = object_called("ConfigMap", "kzfeed")["data"]["kzfeed.toml"]
    (tmp_path / "kzfeed.toml").write_text(text, "utf-8")
    fleet = load(environ={}, cwd=tmp_path).fleet
    nats = object_called("StatefulSet", "nats")["spec"]

    assert fleet.servers == tuple(
        f"nats://nats-{number}.{nats['serviceName']}:4222" for number in range(nats["replicas"])
    )
    assert tomllib.loads(text)["fleet"]["token"] == {"file": "/run/secrets/kzfeed/nats-token"}
    header = (DEPLOY / "kubernetes" / "fleet.yaml").read_text("utf-8").partition("\napiVersion")[0]
    for key in ("postgres-password", "database-url", "nats-token"):
        assert f"--from-literal={key}=" in header
